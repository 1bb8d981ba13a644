"""What `pusher` is made of: whether two SavedModels are one model. Only `versions` imports it."""
