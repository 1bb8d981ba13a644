"""Raw text records to windows of tokens, ready to train on.

The windows are those of `features.language`, the ops that `export` serves: `features.token_ids`
cuts the same ones without TensorFlow and many times as fast, where texts are UTF-8.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from millrace.components.artifacts import Rejected
from millrace.components.features import language_survey, record, token_ids
from millrace.components.features.language_spec import NEXT, TOKENS, LanguageSpec
from millrace.components.features.text_survey import Tokenizer
from millrace.components.features.tokenization import FIRST, PADDING
from millrace.components.files import arrow_examples, columns
from millrace.serving import tensorflow_import

TokenWindows = tuple[np.ndarray, np.ndarray]  # tokens and next, int32 [windows, length] each
_OwnedWindows = tuple[np.ndarray, np.ndarray, np.ndarray]  # and the text of each, [windows]

_AT_ONCE = 1 << 15  # texts without TensorFlow


def transform(
    batches: Iterable[pa.RecordBatch], place: str, spec: LanguageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of raw ones, one per window.

    Yields `tokens` and `next` (int64 [length], 0 where a window ends early) and
    `text/filename`, encoded. Rows without a text, or in which no token follows another, go to
    `rejected`.
    The arguments are those of `rows.transform`, the records as `files.columns` has them.
    """
    cut, start = _Cut(spec), 0
    for batch in batches:
        texts, sources = record.texts(batch), record.sources(batch, "text")
        for rows in record.parts(texts, _AT_ONCE):
            has_text = texts[rows].is_valid().to_numpy(zero_copy_only=False)
            counts = np.zeros(len(has_text), np.int64)
            for tokens, following, owners in cut.windows(texts[rows].fill_null(b"")):
                counts += np.bincount(owners, minlength=len(counts))
                is_kept = has_text[owners]
                cells = {
                    TOKENS: _lists(tokens[is_kept]),
                    NEXT: _lists(following[is_kept]),
                    record.filename("text"): sources[rows].take(pa.array(owners[is_kept])),
                }
                yield from arrow_examples.as_bytes(arrow_examples.records(cells))
            for number in np.flatnonzero(~has_text | (counts == 0)).tolist():
                reason = "no token follows another" if has_text[number] else "no text"
                source = sources[rows.start + number].as_py()
                where = columns.position(place, start + rows.start + number)
                rejected.append(Rejected(source, reason, where))
        start += batch.num_rows


class _Cut:
    """Texts to windows, by the fastest way that fits them."""

    def __init__(self, spec: LanguageSpec) -> None:
        self._spec = spec
        self._vocabulary = pa.array(spec.vocabulary, pa.string())
        pieces = frozenset(spec.vocabulary if spec.level == "subword" else ())
        self._tokenizer = Tokenizer(spec.level, spec.standardize, strip_html=False, pieces=pieces)

    def windows(self, texts: pa.BinaryArray) -> Iterator[_OwnedWindows]:
        """The windows of `texts` in their order, some at a time; see `language.windows`."""
        if not token_ids.are_utf8(texts):
            for rows in record.parts(texts):
                tokens, following, owners = _windows(
                    texts[rows].to_pylist(), self._spec, self._spec.stride
                )
                yield tokens, following, rows.start + owners
            return
        found, of = list[bytes](), list[int]()
        for number, text in enumerate(texts.to_pylist()):
            parts = language_survey.parts(text, self._spec.delimiter)
            found += parts
            of += [number] * len(parts)
        ids = token_ids.of(found, self._tokenizer, self._vocabulary)
        ids = ids.between(FIRST) if self._spec.delimiter else ids
        text_of = np.array(of, np.int64)
        for cut, sequences in ids.windows(self._spec.sequence_length, self._spec.stride):
            following = cut[:, 1:]
            present = np.where(following == PADDING, PADDING, cut[:, :-1])
            yield present, following, text_of[sequences]


def _lists(ids: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(ids.astype(np.int64).ravel(), ids.shape[1])


def windows(texts: Sequence[bytes], spec: LanguageSpec, stride: int) -> list[TokenWindows]:
    """The windows of each text, tokens and next, int32 [windows, length] each."""
    tokens, following, rows = _windows(texts, spec, stride)
    edges = np.searchsorted(rows, np.arange(len(texts) + 1))
    return [(tokens[a:b], following[a:b]) for a, b in itertools.pairwise(edges.tolist())]


def _windows(texts: Sequence[bytes], spec: LanguageSpec, stride: int) -> _OwnedWindows:
    """All windows, tokens and next, and the text that each is of; see `language.windows`."""
    tensorflow_import.load()
    import tensorflow as tf

    from millrace.components.features import language

    found = language.windows(tf.constant(texts, tf.string), spec, stride)
    tokens, following, rows = (array.numpy() for array in found)
    return tokens, following, rows
