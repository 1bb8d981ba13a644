"""Keras models, each a set of typed options that builds itself."""
