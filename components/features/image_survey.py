"""What one pass over raw image records counts, and the choices that follow.

Plain functions on columns and counts: no TensorFlow, no Beam.
"""

import dataclasses
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from PIL import ExifTags, Image, UnidentifiedImageError

from millrace.components.features import record
from millrace.components.files import columns

COMMON = 0.95  # the share of pictures that must have one size for it to be that of the dataset
LARGEST = 128  # pixels a side for pictures of many sizes: a CPU can still train on it
SIDES = (32, 48, 64, 96, LARGEST)

Size = tuple[int, int]  # height, width
Shape = tuple[int, int, int]  # height, width, channels


@dataclasses.dataclass
class ImageSurvey:
    """Counts over the records of a split.

    Attributes:
        records: how many there are.
        sizes: pictures per (height, width), where known.
        channels: pictures per number of channels, where known.
        classes: records per (class name, own label); the label is -1 where there is none.
    """

    records: int = 0
    sizes: Counter[Size] = dataclasses.field(default_factory=Counter)
    channels: Counter[int] = dataclasses.field(default_factory=Counter)
    classes: record.ClassCounts = dataclasses.field(default_factory=Counter)

    def to_json(self) -> str:
        """As JSON: each counter a list of its keys' parts and counts."""
        return json.dumps(
            {
                "records": self.records,
                "sizes": [[*size, count] for size, count in sorted(self.sizes.items())],
                "channels": sorted(self.channels.items()),
                "classes": [[*key, count] for key, count in sorted(self.classes.items())],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "ImageSurvey":
        """What `to_json` wrote."""
        content = json.loads(text)
        return cls(
            content["records"],
            Counter({(height, width): count for height, width, count in content["sizes"]}),
            Counter(dict(content["channels"])),
            Counter({(name, label): count for name, label, count in content["classes"]}),
        )


def of(batches: Iterable[pa.RecordBatch]) -> ImageSurvey:
    """The survey of raw image records, as `files.columns` has them."""
    survey = ImageSurvey()
    for batch in batches:
        survey.records += batch.num_rows
        survey.classes.update(record.class_counts(batch, "image"))
        for (height, width, channels), count in _shapes(batch).items():
            survey.sizes[height, width] += count
            survey.channels[channels] += count
    return survey


def merge(parts: Iterable[ImageSurvey]) -> ImageSurvey:
    """The survey of all the parts' records together."""
    total = ImageSurvey()
    for part in parts:
        total.records += part.records
        total.sizes.update(part.sizes)
        total.channels.update(part.channels)
        total.classes.update(part.classes)
    return total


def common_size(survey: ImageSurvey) -> Size | None:
    """The size that at least 95 % of the pictures have, if there is one."""
    for size, count in survey.sizes.most_common(1):
        if count >= COMMON * survey.sizes.total():
            return size
    return None


def fitting_size(survey: ImageSurvey) -> Size:
    """A square for pictures of many sizes: as large as most of them can fill, at most 128.

    The side is the largest of 32, 48, 64, 96 and 128 up to the median of the pictures' shorter
    sides, or that median itself below 32; 128 where no size is known.
    """
    shorter = Counter[int]()
    for size, count in survey.sizes.items():
        shorter[min(size)] += count
    if not shorter:
        return LARGEST, LARGEST
    median = _median(shorter)
    side = max((side for side in SIDES if side <= median), default=median)
    return side, side


def fitting_channels(survey: ImageSurvey) -> int:
    """1 if every picture is grey, else 3."""
    return 1 if set(survey.channels) == {1} else 3


def _median(counts: Counter[int]) -> int:
    """The lower median of the values that `counts` counts."""
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if 2 * seen >= counts.total():
            break
    return value


def _shapes(batch: pa.RecordBatch) -> Counter[Shape]:
    """Pictures by height, width and channels: as the record says, else as the file does."""
    is_told, found = np.zeros(batch.num_rows, bool), Counter[Shape]()
    names = (record.HEIGHT, record.WIDTH, record.CHANNELS)
    cells = [cell for cell in (columns.first(batch, name) for name in names) if cell is not None]
    if len(cells) == len(names):
        is_told = np.all([cell.is_valid().to_numpy(zero_copy_only=False) for cell in cells], axis=0)
        told = [cell.filter(pa.array(is_told)).to_numpy(zero_copy_only=False) for cell in cells]
        shapes, counts = np.unique(np.stack(told, 1).astype(int), axis=0, return_counts=True)
        found.update(dict(zip(map(tuple, shapes.tolist()), counts.tolist(), strict=True)))
    files = columns.first(batch, record.ENCODED)
    if files is not None:
        found.update(
            itertools.chain.from_iterable(map(_measured, files.filter(pa.array(~is_told))))
        )
    return found


def _measured(file: pa.Scalar) -> Iterator[Shape]:
    """The shape of a picture; none if it has none that can be told."""
    try:
        with Image.open(io.BytesIO(file.as_py())) as image:
            is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            width, height = image.size[::-1] if is_turned else image.size
            yield height, width, len(image.getbands())
    except (UnidentifiedImageError, OSError, SyntaxError, TypeError, ValueError):
        return  # `transform` sets it aside, with the reason
