"""Batching of concurrent requests, as in `tensorflow_model_server --enable_batching`.

A request passes through `model` (waits for its batch to run), `queue` (where the batch is formed)
and `rows` (merges arrays, and splits the outputs); `parameters` are the settings.
"""
