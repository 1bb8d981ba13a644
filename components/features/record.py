"""The features of raw records of images and texts, and of transformed ones; what their class is.

A raw record of either kind names its class and its source under the kind's prefix: `image/…`,
`text/…`.
"""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.files import columns
from millrace.serving.example import Decoded

Kind = Literal["image", "text"]
ClassCounts = Counter[tuple[str, int]]  # by class name and its own label, -1 where it has none

ENCODED = "image/encoded"  # bytes: a JPEG, PNG, GIF, BMP or WebP file as it was
HEIGHT, WIDTH = "image/height", "image/width"  # int64: pixels, as displayed
CHANNELS = "image/channels"  # int64: 1 grey, 3 colour, 4 with alpha
TEXT = "text"  # bytes: UTF-8

PIXELS = "image"  # transformed, bytes: uint8, height * width * channels, row-major
TOKENS = "tokens"  # transformed, int64 [sequence_length]: ids
LETTERS = "letters"  # transformed, bytes: uint8 [letters], UTF-8 and then zeros
INDEX = "label"  # transformed, int64: index in the analysis' classes

_AT_ONCE = 256  # texts that TensorFlow tokenizes at once
_BYTES = 1 << 22  # of text at once, unless a single one is longer


def filename(kind: Kind) -> str:
    """The feature that says where a record came from, bytes: a path relative to the source.

    A record made from a table has its row in it, too.
    """
    return f"{kind}/filename"


def class_counts(batch: pa.RecordBatch, kind: Kind) -> ClassCounts:
    """The records of each class and own label; none of those without a class."""
    names, labels, codes = _classes(batch, kind)
    counts = np.bincount(codes, minlength=len(names)).tolist()
    found: ClassCounts = Counter()
    for name, label, count in zip(names, labels, counts, strict=True):
        if name is not None:
            found[name, label] += count
    return found


def labels(
    batch: pa.RecordBatch, kind: Kind, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The index of each record's class in `classes`, and the reason why it has none.

    Returns:
        int64 [records], and text as objects [records], "" where there is a label. A class is called
        by its text, or else by its label's number.
    """
    names, _, codes = _classes(batch, kind)
    places = {name: place for place, name in enumerate(classes)}
    found = np.array([places.get(name or "", 0) for name in names], np.int64)
    reasons = [_no_label(name, places) for name in names]
    return found[codes], np.array(reasons, object)[codes]


def _no_label(name: str | None, places: Container[str]) -> str:
    if name is None:
        return "no class"
    return "" if name in places else f"class {name!r} is not in the train split"


def _classes(batch: pa.RecordBatch, kind: Kind) -> tuple[list[str | None], list[int], np.ndarray]:
    """The name and the label, -1 for none, of each distinct class, and which each record is of."""
    texts, own = (_distinct(batch, f"{kind}/class/{part}") for part in ("text", "label"))
    pairs, codes = np.unique(texts.codes * len(own.values) + own.codes, return_inverse=True)
    places = [divmod(pair, len(own.values)) for pair in pairs.tolist()]
    found = [(texts.values[text], own.values[label]) for text, label in places]
    names = [_decoded(text) if text is not None else _number(label) for text, label in found]
    return names, [-1 if label is None else int(label) for _, label in found], codes


class _Distinct(NamedTuple):
    """The distinct first values of a feature, the last None, and which of them each record has."""

    values: list[Any]
    codes: np.ndarray


def _distinct(batch: pa.RecordBatch, name: str) -> _Distinct:
    cells = columns.first(batch, name)
    if cells is None:
        return _Distinct([None], np.zeros(batch.num_rows, np.int64))
    encoded = cells.dictionary_encode()
    values = [*encoded.dictionary.to_numpy(zero_copy_only=False), None]
    codes = encoded.indices.fill_null(len(values) - 1)
    return _Distinct(values, codes.to_numpy().astype(np.int64))


def _number(label: Any) -> str | None:
    return None if label is None else str(label)


def _decoded(value: bytes) -> str:
    return bytes(value).decode("utf-8", "backslashreplace")


def class_names(counts: ClassCounts) -> set[str]:
    """The names of the classes counted."""
    return {name for name, _ in counts}


def class_order(counts: ClassCounts) -> tuple[str, ...]:
    """The class names, by their own labels if every name has one label, else by name."""
    names = class_names(counts)
    by_label = {label: name for name, label in counts}
    is_one_to_one = len(by_label) == len(counts) == len(names)
    if is_one_to_one:
        return tuple(by_label[label] for label in sorted(by_label))
    return tuple(sorted(names))


def sources(batch: pa.RecordBatch, kind: Kind) -> pa.StringArray:
    """Where each record came from [records]; empty if it does not say."""
    cells = columns.first(batch, filename(kind))
    if cells is None or not pa.types.is_binary(cells.type):
        return pa.array([""] * batch.num_rows, pa.string())
    try:
        return cells.fill_null(b"").cast(pa.string())
    except pa.ArrowInvalid:  # it is not UTF-8
        return pa.array([_decoded(value) for value in cells.fill_null(b"").to_pylist()])


def text(row: Decoded) -> bytes | None:
    """The text of a raw record, as its bytes; None if it has none."""
    value = row.get(TEXT)
    return bytes(value[0]) if isinstance(value, list) and len(value) == 1 else None


def texts(batch: pa.RecordBatch) -> pa.BinaryArray:
    """The text of each raw record [records], null where it has none, or several."""
    cells = columns.first(batch, TEXT)
    if cells is None or not pa.types.is_binary(cells.type):
        return pa.nulls(batch.num_rows, pa.binary())
    is_one = np.diff(batch.column(TEXT).offsets.to_numpy()) == 1
    return pc.if_else(pa.array(is_one), cells, None)


def parts(texts: pa.BinaryArray, most: int = _AT_ONCE) -> Iterator[slice]:
    """Where to cut `texts` for working on `most` or a few megabytes at once."""
    start = total = 0
    for number, size in enumerate(pc.binary_length(texts).fill_null(0).to_pylist()):
        if number > start and (number - start == most or total + size > _BYTES):
            yield slice(start, number)
            start, total = number, 0
        total += size
    if len(texts):
        yield slice(start, len(texts))
