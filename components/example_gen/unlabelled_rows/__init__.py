"""Rows to ask a model about, read as the data was that it learnt from."""
