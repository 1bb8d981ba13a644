"""Preprocessing, written once in TensorFlow ops for training and for serving."""
