"""Data sets of TensorFlow Datasets as a source of records."""
