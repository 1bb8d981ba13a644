"""What steps that train are made of: objective, input, callbacks, resumption."""
