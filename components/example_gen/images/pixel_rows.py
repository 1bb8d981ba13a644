"""Pixels and a class, row by row, as a source of image records: what CSVs and arrays share."""

import hashlib
import io
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.shards.writing import SplitRecord
from millrace.components.files.pictures import Picture
from millrace.serving.example import encode

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_LIGHT = 1  # zlib level
_DIGITS = 19


class PixelOptions(NamedTuple):
    """The options that say what the columns mean and how a CSV is written; none is found out."""

    label_column: str = ""
    csv: CsvFormat = CsvFormat()  # frozen
    height: int | None = None
    width: int | None = None
    channels: int | None = None

    def sizes(self, pixels: int) -> tuple[int, int, int] | None:
        """Height, width and channels of a picture of `pixels` values; None if there is none."""
        return shape(pixels, self.height, self.width, self.channels) if pixels > 0 else None


class PixelRow(NamedTuple):
    """A picture, uint8 [height, width, channels], and its class; its file and the number in it."""

    split: str
    file: str
    number: int
    text: str
    pixels: NDArray[np.uint8]

    def record(self, label: int, rule: SplitRule) -> SplitRecord:
        """The record of its PNG."""
        content = self.pixels.tobytes()
        features = draw(self.pixels).features(
            filename=f"{self.file}#{self.number}", label=label, text=self.text
        )
        digest = hashlib.sha256(content).digest()[:8]
        return SplitRecord(rule.choose(self.split, content), self.text, encode(features), digest)


def draw(pixels: NDArray[np.uint8]) -> Picture:
    """The PNG of `pixels` [height, width, channels]."""
    height, width, channels = pixels.shape
    sink = io.BytesIO()
    image = Image.frombytes(_MODES[channels], (width, height), pixels.tobytes())
    image.save(sink, "PNG", compress_level=_LIGHT)
    return Picture(sink.getvalue(), "png", height, width, channels)


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


def numbered(classes: Iterable[str]) -> dict[str, int]:
    """The label of each class: numbers first, in their order; then names."""
    return {name: label for label, name in enumerate(sorted(classes, key=_by_number))}


def _by_number(name: str) -> tuple[bool, int, str]:
    is_count = name.isdecimal() and len(name) < _DIGITS
    return (False, int(name), name) if is_count else (True, 0, name)
