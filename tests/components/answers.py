"""Answers of a model that never was, for tests of the figures."""

import numpy as np


def answers(rows, classes, *, seed=0, sharpness=2.0):
    """Random truth int64 [rows] and softmax scores float32 [rows, classes] that lean to it."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes)) * 1.5
    logits[np.arange(rows), truth] += sharpness
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, scores.astype(np.float32)
