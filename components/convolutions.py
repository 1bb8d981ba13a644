"""A picture under filters that are made by hand, and pooled: what convolutions see, untrained."""

import csv
import logging
from typing import Annotated, Literal

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import Plots, RawFiles
from millrace.components.errors import DataError
from millrace.components.files import walk
from millrace.components.files.picture_names import is_picture
from millrace.components.options.ranges import Count

logger = logging.getLogger(__name__)

Kernel = Annotated[tuple[float, ...], Field(min_length=9, max_length=9)]
FILTERS: dict[str, Kernel] = {
    "vertical": (-1, 0, 1, -2, 0, 2, -1, 0, 1),  # Sobel, Feldman, 1968
    "horizontal": (-1, -2, -1, 0, 0, 0, 1, 2, 1),
    "edges": (0, 1, 0, 1, -4, 1, 0, 1, 0),  # of Laplace
    "sharper": (0, -1, 0, -1, 5, -1, 0, -1, 0),
    "softer": (1, 2, 1, 2, 4, 2, 1, 2, 1),
}


def convolutions(
    source: RawFiles,
    out: Path,
    *,
    filters: dict[str, Kernel] = FILTERS,
    pooling: Literal["max", "average"] = "max",
    pool_size: Count = 2,
    largest: Count = 512,
) -> Plots:
    """Draw a picture, each filter's map of it, and that map pooled, with what was done below.

    A map is the sum of the nine pixels around each, times the filter, as in `Conv2D`; where the
    filter's numbers add up to neither 0 nor 1, it is divided by their sum. Values are cut off at
    0 and 255, as pixels have to be.

    Args:
        source: a picture, or a folder, of which the first is taken.
        out: gets `00-picture.png`, `<number>-<filter>.png`, and `filters.csv` with the numbers.
        filters: nine numbers each, row by row: `convolutions.filters.mine=0,1,0,0,1,0,0,1,0`
            adds one.
        pooling: the largest, or the mean, of each square of a map.
        pool_size: pixels a side of these squares.
        largest: pixels of the longer side, to which the picture is brought down.

    Raises:
        DataError: there is no picture, or it cannot be read or is smaller than a filter.
    """
    from millrace.components.charts import filtered

    file = _first(source.path)
    grey = filtered.grey(file, largest)
    if min(grey.shape) < max(3, pool_size):
        raise DataError(
            f"{file}: expected a picture of {max(3, pool_size)} pixels a side or more. Received: "
            f"{grey.shape[1]} x {grey.shape[0]}. Give a larger one by --data."
        )
    filtered.draw_picture(grey, file.name, out / "00-picture.png")
    with (out / "filters.csv").open("w") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("filter", *(f"{row},{column}" for row in "012" for column in "012")))
        writer.writerows((name, *numbers) for name, numbers in filters.items())
    for number, (name, numbers) in enumerate(filters.items(), start=1):
        found = filtered.through(grey, numbers)
        pooled = filtered.pooled(found, pool_size, pooling)
        place = out / f"{number:02d}-{name}.png"
        filtered.draw_filter(
            found, pooled, name, numbers, f"{pooling} of {pool_size}x{pool_size}", place
        )
    logger.info("%s, %d x %d, under %d filters", file.name, *grey.shape[::-1], len(filters))
    return Plots(out)


def _first(place: Path) -> Path:
    """The picture at `place`, or the first below it."""
    if not place.is_dir():
        return place
    names = sorted(name for name, reason in walk.walk(place).items() if not reason)
    for name in names:
        if is_picture(name):
            return place / name
    raise DataError(
        f"{place}: expected a picture. Received: none among {len(names)} files. Give one by --data."
    )
