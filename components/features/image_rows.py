"""Raw image records to transformed ones: pixels and labels, ready to train on.

The pixels come from `features.image`, the ops that `export` serves.
"""

from collections.abc import Iterable, Iterator

from millrace.components.artifacts import Rejected
from millrace.components.features import record
from millrace.components.features.decoding import decode_rows
from millrace.components.features.image_spec import ImageSpec
from millrace.serving.example import Decoded, encode


def transform(
    rows: Iterable[tuple[Decoded, str]], spec: ImageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of `rows`: raw ones, each with its position.

    Yields `image` (bytes: uint8, height * width * channels), `label` (int64, index in the
    spec's classes) and `image/filename`, encoded. Rows that cannot be decoded, or whose class is
    not in the train split, go to `rejected`.
    """
    for (row, position, label), pixels in decode_rows(labelled(rows, spec, rejected), spec):
        source = record.source(row)
        if isinstance(pixels, str):
            rejected.append(Rejected(source, pixels, position))
        else:
            name, content = record.FILENAME, pixels.tobytes()
            yield encode({record.PIXELS: content, record.INDEX: label, name: source})


def labelled(
    rows: Iterable[tuple[Decoded, str]], spec: ImageSpec, rejected: list[Rejected]
) -> Iterator[tuple[Decoded, str, int]]:
    """Each row of a known class, its position and its label; the others go to `rejected`."""
    labels = {name: label for label, name in enumerate(spec.classes)}
    for row, position in rows:
        name = record.class_name(row)
        if name in labels:
            yield row, position, labels[name]
        else:
            reason = "no class" if name is None else f"class {name!r} is not in the train split"
            rejected.append(Rejected(record.source(row), reason, position))
