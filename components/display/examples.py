"""Examples as a person looks at them: how many there are, what was set aside, the first few.

A record's features stand below one another: pictures as thumbnails, texts as they are, long
rows of numbers as a line.
"""

import io
import itertools
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from millrace.components.artifacts import Examples
from millrace.components.display import charts
from millrace.components.display.html import Markup, folded, picture, shortened, table
from millrace.components.errors import DataError
from millrace.components.files.tfrecord import read_records
from millrace.serving.protos import example_pb2

if TYPE_CHECKING:
    from PIL import Image

Row = dict[str, Any]  # by feature: its list of bytes, floats or ints

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
    rows = [features_of(record, examples) for record in itertools.islice(records, _RECORDS)]
    if not rows:
        return Markup("")
    names = sorted({name for row in rows for name in row})[:_FEATURES]
    cells = ((name, *(_value(row, name) for row in rows)) for name in names)
    return table((split, *(f"record {number}" for number in range(len(rows)))), cells)


def features_of(record: bytes, examples: Examples) -> Row:
    """Its features with their lists, read without NumPy: every run writes a page.

    Raises:
        DataError: it is no record.
    """
    try:
        features = example_pb2.Example.FromString(record).features.feature
    except DecodeError as error:
        raise DataError(
            f"{examples.path}: expected serialised tf.train.Examples. Received: {len(record)} "
            f"bytes that do not parse ({error}). Write the files again."
        ) from error
    kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
    return {name: getattr(features[name], kind) for name, kind in kinds.items() if kind}


def _value(row: Row, name: str) -> object:
    if name not in row or not (values := list(row[name].value)):
        return None
    match row[name]:
        case example_pb2.BytesList():
            drawn = _thumbnail(values[0], name)
            return drawn or shortened(", ".join(map(_text, values)), _LETTERS)
        case example_pb2.FloatList() if len(values) > _NUMBERS:
            return charts.spark_line(values)
        case _:
            more = [] if len(values) <= _NUMBERS else [f"… ({len(values)})"]
            return ", ".join([*(f"{number:.6g}" for number in values[:_NUMBERS]), *more])


def reduced(content: bytes, side: int) -> "Image.Image | None":
    """A picture of any format, upright, in RGBA or RGB within `side` pixels squared.

    None of what is no picture.
    """
    # Imported here: only a record with texts or pictures needs it.
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (2 * side, 2 * side))  # a large JPEG is read small
            mode = "RGBA" if image.has_transparency_data else "RGB"
            upright = ImageOps.exif_transpose(image).convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    way = Image.Resampling.NEAREST if max(upright.size) < side else Image.Resampling.BICUBIC
    return ImageOps.contain(upright, (side, side), way)


def _thumbnail(content: bytes, name: str) -> Markup | None:
    small = reduced(content, _THUMBNAIL)
    if small is None:
        return None
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return picture(file.getvalue(), name)


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes"
