"""Rows to predict, read as the model's training data was."""
