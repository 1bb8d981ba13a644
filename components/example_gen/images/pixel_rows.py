"""Lines of a class and its pixels as a source of image records.

One pass over each file finds its classes and where its blocks of lines begin; the workers then
read their blocks by themselves, so that no file is ever in memory.
"""

import dataclasses
import hashlib
import io
import math
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, Self

from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import SplitRule, canonical, is_split_name
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import SplitRecord, shard_count, write_shards
from millrace.components.files.pictures import Picture
from millrace.components.files.walk import is_hidden, walk
from millrace.serving.example import encode

_BLOCK = 1024  # lines that a worker reads at once
_MODES = {1: "L", 3: "RGB"}
_LIGHT = 1  # zlib level
_DIGITS = 19


class PixelOptions(NamedTuple):
    """The options that say what the columns mean; None is found out."""

    label_column: str = "label"
    delimiter: str = ","
    height: int | None = None
    width: int | None = None
    channels: int | None = None


@dataclasses.dataclass(frozen=True)
class PixelLine:
    """What a line of a file holds: `cells` cells, the class in cell `label`, the pixels in the
    others, row by row, `channels` values each.
    """

    cells: int
    label: int
    height: int
    width: int
    channels: int
    delimiter: str

    @classmethod
    def of(cls, place: Path, columns: Sequence[str], options: PixelOptions) -> Self:
        """The form of a file with these cells in its first line.

        Raises:
            DataError: it has no such label, or its pixels make no picture.
        """
        if has_header(columns) and options.label_column not in columns:
            raise DataError(
                f"{place}: expected the column {options.label_column!r}. Received: "
                f"{', '.join(columns[:5])} and so on. Name it by the option label_column, and "
                "the delimiter by the option delimiter."
            )
        label = columns.index(options.label_column) if has_header(columns) else 0
        pixels = len(columns) - 1
        sizes = shape(pixels, options.height, options.width, options.channels)
        if sizes is None:
            raise DataError(
                f"{place}: expected one label and the pixels of a picture. Received: {pixels} "
                "pixels, which do not make a picture of the options' size, or a square. Set the "
                "options height, width and channels, or the delimiter."
            )
        return cls(len(columns), label, *sizes, options.delimiter)


@dataclasses.dataclass(frozen=True)
class PixelLines:
    """Blocks of lines of CSV files below `root`; a row's path is `file#first line@offset`.

    `labels` are the classes' numbers.
    """

    root: str
    forms: dict[str, PixelLine]
    labels: dict[str, int]
    rule: SplitRule

    def read(self, rows: Sequence[ListedRow]) -> Iterator[tuple[ListedRow, str, int, str]]:
        """Yield the lines of each block: its row, its file, its number from 1, its text."""
        for row in rows:
            file, _, place = row.path.rpartition("#")
            first, offset = map(int, place.split("@"))
            with Path(f"{self.root}/{file}").open("rb") as source:
                source.seek(offset)
                for number, line in _numbered(source, first, _BLOCK):
                    if line.strip():
                        yield row, file, number, line

    def convert(self, item: tuple[ListedRow, str, int, str]) -> SplitRecord | Rejected:
        """Prove and encode one line."""
        row, file, number, line = item
        try:
            text, pixels = parse(line, self.forms[file])
        except DataError as error:
            return Rejected(file, str(error), f"line {number}")
        picture = draw(pixels, self.forms[file])
        features = picture.features(filename=f"{file}#{number}", label=self.labels[text], text=text)
        digest = hashlib.sha256(pixels).digest()[:8]
        return SplitRecord(self.rule.choose(row.split, pixels), text, encode(features), digest)


def write_files(
    run_on: BeamOptions,
    out: Examples,
    source: Path,
    options: PixelOptions,
    rule: SplitRule,
    *,
    shards: int,
) -> IngestTally:
    """Write the lines of the file or of the folder `source` and report what became of them.

    Raises:
        DataError: there is nothing to write, or a file's columns make no picture.
    """
    root, listing = _list(source)
    forms: dict[str, PixelLine] = {}
    classes: set[str] = set()
    rows: list[ListedRow] = []
    for name, *_ in listing.rows:
        forms[name], blocks, found = survey(root / name, options)
        split = split_of(name)
        rows += [ListedRow(f"{name}#{first}@{offset}", "", split) for first, offset in blocks]
        classes |= found
    if len(classes) < 2:
        raise DataError(
            f"{source}: expected lines of at least two classes. Received: "
            f"{', '.join(sorted(classes)) or 'no line'}. Check the options label_column and "
            "delimiter."
        )
    labels = {name: label for label, name in enumerate(sorted(classes, key=_by_number))}
    given = {row.split for row in rows}
    rule = rule.for_given(given)
    count = shards or shard_count(root, listing.rows, 0)  # a block has no size of its own
    tally = write_shards(
        run_on,
        out,
        PixelLines(str(root), forms, labels, rule),
        rows,
        splits=rule.reachable(given),
        shards=min(count, len(rows)),
    )
    tally.rejected.extend(listing.rejected)
    return tally


def survey(place: Path, options: PixelOptions) -> tuple[PixelLine, list[tuple[int, int]], set[str]]:
    """One pass over a file: its form, each block's first line and offset, its classes.

    Raises:
        DataError: it is empty, no text, or its columns make no picture.
    """
    with place.open("rb") as file:
        columns = _cells(_text(file.readline(), place), options.delimiter)
        form = PixelLine.of(place, columns, options)
        first = 2 if has_header(columns) else 1
        file.seek(file.tell() if first == 2 else 0)
        blocks, classes = [], set()
        offset = file.tell()
        for number, raw in enumerate(file, start=first):
            if (number - first) % _BLOCK == 0:
                blocks.append((number, offset))
            offset += len(raw)
            classes.add(_label(raw, form))
    return form, blocks, classes - {""}


def has_header(columns: Sequence[str]) -> bool:
    """Whether a file's first line names its columns: then not all are numbers."""
    return not all(cell.isdecimal() for cell in columns[1:])


def shape(
    pixels: int, height: int | None, width: int | None, channels: int | None
) -> tuple[int, int, int] | None:
    """Height, width and channels of a picture of `pixels` values; None if there is none.

    One side follows from the other; without either, the picture is square; grey goes first.
    """
    for depth in (channels,) if channels else (1, 3):
        area, rest = divmod(pixels, depth)
        high = height or (area // width if width else math.isqrt(area))
        wide = width or (area // high if high else 0)
        if rest == 0 and area and high * wide == area and (height or width or high == wide):
            return high, wide, depth
    return None


def split_of(name: str) -> str:
    """The split that a file's name speaks of, such as `train` in `sign_mnist_train.csv`; or ""."""
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    words = [stem, *stem.replace("-", "_").replace(".", "_").split("_")]
    return next((canonical(word) for word in words if is_split_name(word)), "")


def parse(line: str, form: PixelLine) -> tuple[str, bytes]:
    """The class and the pixels of a line.

    Raises:
        DataError: it has cells too few or too many, no class, or something else than pixels.
    """
    cells = _cells(line, form.delimiter)
    if len(cells) != form.cells:
        raise DataError(f"{len(cells)} cells in place of {form.cells}")
    text = cells.pop(form.label)
    if not text:
        raise DataError("no label")
    try:
        return text, bytes(map(int, cells))
    except ValueError:
        odd = next(cell for cell in cells if not (_is_count(cell) and int(cell) < 256))
        raise DataError(f"pixel {odd[:20]!r} is not a whole number from 0 to 255") from None


def draw(pixels: bytes, form: PixelLine) -> Picture:
    """The PNG of these pixels."""
    sink = io.BytesIO()
    size = form.width, form.height
    Image.frombytes(_MODES[form.channels], size, pixels).save(sink, "PNG", compress_level=_LIGHT)
    return Picture(sink.getvalue(), "png", form.height, form.width, form.channels)


def _list(source: Path) -> tuple[Path, Listing]:
    """The folder, and the CSV files in it that are meant."""
    if source.is_file():
        return source.parent, Listing([ListedRow(source.name, "")])
    entries = walk(source)
    names = [name for name in entries if name.lower().endswith(".csv") and not is_hidden(name)]
    if not names:
        raise DataError(
            f"{source}: expected a CSV file of pixels, or a folder of them. Received: a folder "
            "without one. Check the path."
        )
    listing = Listing([ListedRow(name, "") for name in names])
    listing.set_aside(source, entries)
    return source, listing


def _numbered(file: BinaryIO, first: int, count: int) -> Iterator[tuple[int, str]]:
    for number, raw in zip(range(first, first + count), file, strict=False):
        yield number, raw.decode(errors="replace")


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('\ufeff"').strip() for cell in line.split(delimiter)]


def _label(raw: bytes, form: PixelLine) -> str:
    """The class of a line, without parting its pixels."""
    delimiter = form.delimiter.encode()
    cells = raw.split(delimiter, form.label + 1)
    if len(cells) <= form.label or raw.count(delimiter) != form.cells - 1:
        return ""
    return _cells(cells[form.label].decode(errors="replace"), form.delimiter)[0]


def _text(raw: bytes, place: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{place}: expected a CSV as UTF-8. Received: byte {raw[error.start]:#04x} in its "
            "first line. Save it as UTF-8."
        ) from error


def _is_count(cell: str) -> bool:
    """Whether `cell` is a whole number of a size that Python converts."""
    return cell.isdecimal() and len(cell) < _DIGITS


def _by_number(name: str) -> tuple[bool, int, str]:
    """Numbers first, in their order; then names."""
    return (False, int(name), name) if _is_count(name) else (True, 0, name)
