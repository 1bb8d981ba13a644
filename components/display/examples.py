"""Examples as a person looks at them: how many there are, what was set aside, the first few.

A record's features stand below one another: pictures as thumbnails, texts as they are, long
rows of numbers as a line.
"""

import io
import itertools

import numpy as np
from PIL import Image, ImageOps

from millrace.components.artifacts import Examples
from millrace.components.display.html import Markup, folded, line, picture, shortened, table
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import Decoded, decode

_RECORDS, _FEATURES = 4, 40  # shown at most
_REJECTED = 50
_THUMBNAIL = 64  # pixels a side
_LETTERS = 80
_NUMBERS = 6  # a longer list of numbers is drawn


def show(examples: Examples) -> Markup:
    """Numbers of records by split, some of the first split that has any, and what was set aside."""
    counts = examples.counts
    shown = table(("split", "records"), counts.items())
    if split := next((split for split in examples.splits if counts.get(split)), None):
        shown = Markup(shown + _records(examples, split))
    if rejected := list(examples.rejected()):
        rows = ((item.source, item.position, item.reason) for item in rejected[:_REJECTED])
        listed = table(("source", "position", "reason"), rows)
        shown = Markup(shown + folded(f"{len(rejected)} set aside", listed))
    return shown


def _records(examples: Examples, split: str) -> Markup:
    records = itertools.chain.from_iterable(map(read_records, examples.files(split)))
    rows = [decode(record) for record in itertools.islice(records, _RECORDS)]
    if not rows:
        return Markup("")
    names = sorted({name for row in rows for name in row})[:_FEATURES]
    cells = ((name, *(_value(row, name) for row in rows)) for name in names)
    return table((split, *(f"record {number}" for number in range(len(rows)))), cells)


def _value(row: Decoded, name: str) -> object:
    value = row.get(name)
    if value is None or not len(value):
        return None
    if isinstance(value, list):
        return _thumbnail(value[0], name) or shortened(", ".join(map(_text, value)), _LETTERS)
    if len(value) <= _NUMBERS or value.dtype.kind == "i":
        more = [] if len(value) <= _NUMBERS else [f"… ({len(value)})"]
        return ", ".join([*(f"{number:.6g}" for number in value[:_NUMBERS]), *more])
    return line(value.astype(np.float64).tolist())


def _thumbnail(content: bytes, name: str) -> Markup | None:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (2 * _THUMBNAIL, 2 * _THUMBNAIL))  # a large JPEG is read small
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    way = Image.Resampling.NEAREST if max(upright.size) < _THUMBNAIL else Image.Resampling.BICUBIC
    file = io.BytesIO()
    ImageOps.contain(upright, (_THUMBNAIL, _THUMBNAIL), way).save(file, "PNG", optimize=True)
    return picture(file.getvalue(), name)


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes"
