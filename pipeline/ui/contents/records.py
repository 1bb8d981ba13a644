"""Records as people look at them: pictures small, texts with their tokens, series as lines.

A record has an address of its own, the number of its file within the split and its own within the
file. Records are read from the front: TFRecord files have no index, so no more than `MOST_READ` of
a file are passed over.
"""

import base64
import dataclasses
import datetime
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millrace.components.artifacts import Examples
from millrace.components.display import examples as display
from millrace.components.display.html import shortened
from millrace.components.errors import DataError
from millrace.components.features import tokenization
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.spec import Spec
from millrace.components.features.text_spec import TextSpec
from millrace.components.files.tfrecord import read_records
from millrace.serving.protos import example_pb2

if TYPE_CHECKING:
    from PIL import Image

MOST_READ = 200_000  # records passed over
SMALL, LARGE = 96, 640  # pixels a side of a picture
_COLOURS = 256  # of a picture that a PNG holds well
_POINTS = 400  # of a line
_NUMBERS = 8  # written out; more are drawn
_LETTERS = 400  # of a text among others
_TOKENS = 60
_WHOLE = 20_000  # letters and tokens of a text on its own

Cell = dict[str, Any]


@dataclasses.dataclass(frozen=True, order=True)
class Place:
    """Where a record is: the number of its file in the split, and its own in the file."""

    file: int
    record: int

    def __str__(self) -> str:
        return f"{self.file}-{self.record}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that `str` gave.

        Raises:
            ValueError: it is no place.
        """
        file, _, record = text.partition("-")
        return cls(int(file), int(record))


@dataclasses.dataclass(frozen=True)
class Look:
    """How records are shown.

    Attributes:
        spec: what `analyze` settled about them, if it has.
        is_whole: one record on its own, with all there is of it.
    """

    spec: Spec | None = None
    is_whole: bool = False


Row = Mapping[str, Any]


def rows(examples: Examples, split: str, start: Place) -> Iterator[tuple[Place, Row]]:
    """The records of `split` from `start` on, with the lists of their features.

    Raises:
        DataError: a file of it is damaged.
    """
    for number, file in enumerate(examples.files(split)):
        if number < start.file:
            continue
        first = start.record if number == start.file else 0
        for record, content in itertools.islice(enumerate(read_records(file)), first, None):
            yield Place(number, record), display.features_of(content, examples)


def row(examples: Examples, split: str, place: Place) -> Row | None:
    """The record at `place`, None where there is none, or it lies too far back."""
    if place.record > MOST_READ:
        return None
    found = next(rows(examples, split, place), None)
    return found[1] if found and found[0] == place else None


def several(
    examples: Examples, split: str, places: Sequence[Place], most: int = MOST_READ
) -> dict[Place, Row]:
    """The records at those of `places` before record `most` of their file, which is read once.

    Raises:
        DataError: a file is damaged.
    """
    files = examples.files(split)
    found: dict[Place, Row] = {}
    for number, same in itertools.groupby(sorted(set(places)), lambda place: place.file):
        wanted = {place.record for place in same if place.record < most}
        if not wanted or number >= len(files):
            continue
        contents = itertools.islice(enumerate(read_records(files[number])), max(wanted) + 1)
        for record, content in contents:
            if record in wanted:
                found[Place(number, record)] = display.features_of(content, examples)
    return found


def texts_of(values: Any) -> list[str]:
    """The values of a feature as texts, by which records are chosen."""
    match values:
        case example_pb2.BytesList():
            return [value.decode(errors="replace") for value in values.value]
        case _:
            return [f"{value:.6g}" for value in values.value]


def cells(found: Row, look: Look) -> dict[str, Cell]:
    """Each feature of a record as it is shown, by name."""
    return {name: _cell(name, found, look) for name in sorted(found)}


def kind_of(shown: Mapping[str, Cell]) -> str:
    """How records like this are best laid out: pictures, texts, series, or a table."""
    kinds = {cell["kind"] for cell in shown.values()}
    return next((each for each in ("picture", "text", "line") if each in kinds), "table")


def caption(shown: Mapping[str, Cell]) -> str:
    """What a record is called: its class, where it has one."""
    names = sorted(name for name in shown if name.endswith(("class/text", "label")))
    found = [shown[name]["text"] for name in names if shown[name]["kind"] == "plain"]
    return found[-1] if found else ""  # `class/text` is after `class/label`


def _cell(name: str, found: Row, look: Look) -> Cell:
    values = found[name]
    numbers = list(values.value)
    if not numbers:
        return {"kind": "missing"}
    match values:
        case example_pb2.BytesList():
            return _bytes(name, numbers, look)
        case _ if name in ("tokens", "next") and isinstance(look.spec, TextSpec | LanguageSpec):
            return _named(numbers, look.spec, is_whole=look.is_whole)
        case _ if name == "label" and len(numbers) == 1 and (known := _class(numbers[0], look)):
            return {"kind": "plain", "text": known}
        case _ if name == "time":
            return _times(numbers)
        case example_pb2.FloatList() if len(numbers) > _NUMBERS:
            return {"kind": "line", "values": _thinned(numbers), "count": len(numbers)}
        case _:
            more = [f"… ({len(numbers)})"] if len(numbers) > _NUMBERS else []
            return {
                "kind": "plain",
                "text": ", ".join([*(f"{each:.6g}" for each in numbers[:_NUMBERS]), *more]),
            }


def _bytes(name: str, values: Sequence[bytes], look: Look) -> Cell:
    side = LARGE if look.is_whole else SMALL
    spec = look.spec
    small = (
        _raw_picture(values[0], spec)
        if name == "image" and isinstance(spec, ImageSpec)
        else display.reduced(values[0], side)
    )
    if small is not None:
        return {"kind": "picture", "data": _data(small)}
    try:
        text = ", ".join(value.rstrip(b"\0").decode() for value in values)
    except UnicodeDecodeError:
        return {"kind": "plain", "text": f"{sum(map(len, values)):,} bytes"}
    if name != "text":
        return {"kind": "plain", "text": shortened(text, _LETTERS)}
    most = _WHOLE if look.is_whole else _LETTERS
    cell: Cell = {"kind": "text", "text": text[:most], "is_cut": len(text) > most, "tokens": []}
    if isinstance(spec, TextSpec | LanguageSpec):
        cell["tokens"] = _tokens(values[0][:_WHOLE], spec, _WHOLE if look.is_whole else _TOKENS)
    return cell


def _raw_picture(content: bytes, spec: ImageSpec) -> "Image.Image | None":
    """A transformed picture, uint8 [height, width, channels]; None where it is of another size."""
    from PIL import Image

    if len(content) != spec.height * spec.width * spec.channels or spec.channels not in (1, 3):
        return None
    mode = "L" if spec.channels == 1 else "RGB"
    return Image.frombytes(mode, (spec.width, spec.height), content)


def _data(image: "Image.Image") -> str:
    """The picture as an address of itself: exactly, or as JPEG where that is much smaller."""
    file = io.BytesIO()
    is_exact = image.mode == "RGBA" or image.getcolors(_COLOURS) is not None
    kind = "png" if is_exact else "jpeg"
    image.save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _tokens(text: bytes, spec: TextSpec | LanguageSpec, most: int) -> list[dict[str, Any]]:
    """The tokens of a text before preprocessing of one's own, and whether each has an id."""
    plain = tokenization.standardized(
        text, getattr(spec, "standardize", "none"), strip_html=getattr(spec, "strip_html", False)
    ).decode(errors="replace")
    known = set(spec.vocabulary)
    if spec.level == "character":
        pieces: Iterator[str] = iter(plain)
    elif spec.level == "word":
        pieces = iter(plain.split())
    else:
        pieces = itertools.chain.from_iterable(
            tokenization.longest_pieces(word, known) for word in plain.split()
        )
    return [{"text": piece, "known": piece in known} for piece in itertools.islice(pieces, most)]


def _named(ids: Sequence[int], spec: TextSpec | LanguageSpec, *, is_whole: bool) -> Cell:
    """A row of ids as the tokens that they stand for; padding is left out."""
    most = _WHOLE if is_whole else _TOKENS
    tokens = [
        {
            "text": spec.vocabulary[each - tokenization.FIRST]
            if 0 <= each - tokenization.FIRST < len(spec.vocabulary)
            else tokenization.UNKNOWN_NAME,
            "known": each != tokenization.UNKNOWN,
        }
        for each in ids
        if each != tokenization.PADDING
    ]
    whole = tokenization.joined((str(token["text"]) for token in tokens), spec.level)
    return {"kind": "text", "text": whole[:_LETTERS], "is_cut": False, "tokens": tokens[:most]}


def _class(number: float, look: Look) -> str:
    classes = getattr(look.spec, "classes", ())
    whole = int(number)
    return classes[whole] if number == whole and 0 <= whole < len(classes) else ""


def _times(seconds: Sequence[int]) -> Cell:
    ends = [_moment(seconds[0])] if len(seconds) == 1 else map(_moment, (seconds[0], seconds[-1]))
    return {"kind": "plain", "text": " to ".join(ends)}


def _moment(second: int) -> str:
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=second)
    except OverflowError:
        return str(second)
    return moment.isoformat(sep=" ", timespec="minutes").removesuffix(" 00:00")


def _thinned(values: Sequence[float]) -> list[float | None]:
    """At most so many of `values`, evenly chosen; None for what is no finite number."""
    step = max(1, -(-len(values) // _POINTS))
    return [each if abs(each) < float("inf") else None for each in values[::step]]


def refuse(examples: Examples, split: str) -> DataError:
    """The error for a split that is not there."""
    there = ", ".join(examples.splits) or "none"
    return DataError(
        f"{examples.path}: expected a split that is there: {there}. Received: {split!r}."
    )
