"""What `trainer` is made of: objective, input, callbacks, resumption. Only `trainer` imports it."""
