"""Ingest: each source of data to `Examples`, without TensorFlow."""
