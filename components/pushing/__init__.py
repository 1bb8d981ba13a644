"""What `pusher` is made of: versions, their labels, whether two SavedModels are one model."""
