"""Raw text records to windows of tokens, ready to train on, by the ops of `features.language`."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.features import language, record
from millrace.components.features.language_spec import NEXT, TOKENS, LanguageSpec
from millrace.components.files import arrow_examples, columns

TokenWindows = tuple[np.ndarray, np.ndarray]  # tokens and next, int32 [windows, length] each


def transform(
    batches: Iterable[pa.RecordBatch], place: str, spec: LanguageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of raw ones, one per window.

    Yields `tokens` and `next` (int64 [length], 0 where a window ends early) and
    `text/filename`, encoded. Rows without a text, or in which no token follows another, go to
    `rejected`.
    The arguments are those of `rows.transform`, the records as `files.columns` has them.
    """
    start = 0
    for batch in batches:
        texts, sources = record.texts(batch), record.sources(batch, "text")
        for rows in record.parts(texts):
            given = texts[rows].fill_null(b"").to_pylist()
            tokens, following, owners = _windows(given, spec, spec.stride)
            has_text = texts[rows].is_valid().to_numpy(zero_copy_only=False)
            counts = np.bincount(owners, minlength=len(has_text))
            for number in np.flatnonzero(~has_text | (counts == 0)).tolist():
                reason = "no token follows another" if has_text[number] else "no text"
                source = sources[rows.start + number].as_py()
                where = columns.position(place, start + rows.start + number)
                rejected.append(Rejected(source, reason, where))
            is_kept = has_text[owners]
            cells = {
                TOKENS: _lists(tokens[is_kept]),
                NEXT: _lists(following[is_kept]),
                record.filename("text"): sources[rows].take(pa.array(owners[is_kept])),
            }
            yield from arrow_examples.as_bytes(arrow_examples.records(cells))
        start += batch.num_rows


def _lists(ids: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(ids.astype(np.int64).ravel(), ids.shape[1])


def windows(texts: Sequence[bytes], spec: LanguageSpec, stride: int) -> list[TokenWindows]:
    """The windows of each text, tokens and next, int32 [windows, length] each."""
    tokens, following, rows = _windows(texts, spec, stride)
    edges = np.searchsorted(rows, np.arange(len(texts) + 1))
    return [(tokens[a:b], following[a:b]) for a, b in itertools.pairwise(edges.tolist())]


def _windows(
    texts: Sequence[bytes], spec: LanguageSpec, stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All windows, tokens and next, and the text that each is of; see `language.windows`."""
    found = language.windows(tf.constant(texts, tf.string), spec, stride)
    tokens, following, rows = (array.numpy() for array in found)
    return tokens, following, rows
