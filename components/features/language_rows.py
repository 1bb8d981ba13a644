"""Raw text records to windows of tokens, ready to train on, by the ops of `features.language`."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.features import language, record
from millrace.components.features.language_spec import NEXT, TOKENS, LanguageSpec
from millrace.serving.example import Decoded, encode

TokenWindows = tuple[np.ndarray, np.ndarray]  # tokens and next, int32 [windows, length] each


def transform(
    rows: Iterable[tuple[Decoded, str]], spec: LanguageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of `rows`: raw ones, each with its position; one record per window.

    Yields `tokens` and `next` (int64 [length], 0 where a window ends early) and
    `text/filename`, encoded. Rows without a text, or in which no token follows another, go to
    `rejected`.
    """
    usable = _usable(rows, rejected)
    for batch in record.batches(usable, lambda row: len(row[2])):
        found = windows([text for _, _, text in batch], spec, spec.stride)
        for (source, position, _), (tokens, following) in zip(batch, found, strict=True):
            if not len(tokens):
                rejected.append(Rejected(source, "no token follows another", position))
            for one, other in zip(tokens, following, strict=True):
                yield encode({TOKENS: one, NEXT: other, record.filename("text"): source})


def windows(texts: Sequence[bytes], spec: LanguageSpec, stride: int) -> list[TokenWindows]:
    """The windows of each text, tokens and next, int32 [windows, length] each."""
    tokens, following, rows = (
        array.numpy() for array in language.windows(tf.constant(texts, tf.string), spec, stride)
    )
    edges = np.searchsorted(rows, np.arange(len(texts) + 1))
    return [(tokens[a:b], following[a:b]) for a, b in itertools.pairwise(edges.tolist())]


def _usable(
    rows: Iterable[tuple[Decoded, str]], rejected: list[Rejected]
) -> Iterator[tuple[str, str, bytes]]:
    """Source, position and text of each row that has one."""
    for row, position in rows:
        source, text = record.source(row, "text"), record.text(row)
        if text is None:
            rejected.append(Rejected(source, "no text", position))
        else:
            yield source, position, text
