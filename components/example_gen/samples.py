"""Sample data that needs no network: scanned digits, two series, and two tables of equations.

The real ones lie in scikit-learn and statsmodels as files. They are read as such: to import the
libraries would take longer than the rest of the step.
"""

import pathlib
from collections.abc import Iterable
from importlib import metadata
from typing import Annotated

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import RawFiles
from millrace.components.errors import DataError
from millrace.components.options.ranges import NotNegative, Seed

_INK = 16  # the scans' pixels are 0 (paper) to 16 (ink)
_DAYS = 4 * 365 + 1
_YEAR = 365
_FIRST = "2015-01-01"
_LINE = [(x, 2 * x - 1) for x in (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)]
_HOUSES = [(bedrooms, 0.5 + 0.5 * bedrooms) for bedrooms in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]

Days = Annotated[int, Field(ge=1, le=1_000_000)]  # up to the year 4752


def digits_images(out: Path) -> RawFiles:
    """Write scikit-learn's 1,797 digit scans as 8x8 grey PNGs in class folders 0 to 9.

    Files are `<digit>/<number of the scan>.png`; pixels are scaled to 0..255, rounded.
    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.

    Args:
        out: becomes the folder of images.

    Raises:
        DataError: scikit-learn is not installed.
    """
    import numpy as np
    from PIL import Image

    scans = np.loadtxt(
        _installed("scikit-learn", "sklearn/datasets/data/digits.csv.gz"), delimiter=","
    )
    pixels = np.rint(scans[:, :-1].reshape(-1, 8, 8) * (255 / _INK)).astype(np.uint8)
    for digit in range(10):
        (out / str(digit)).mkdir()
    for number, (image, digit) in enumerate(zip(pixels, scans[:, -1], strict=True)):
        with (out / f"{digit:.0f}" / f"{number:04d}.png").open("wb") as file:
            Image.fromarray(image).save(file, "PNG")
    return RawFiles(out)


def sample_picture(out: Path) -> RawFiles:
    """Write scikit-learn's photo of a temple, 640x427 in colour, as `china.jpg`.

    Author: 麗 (Flickr), 2010; Creative Commons Attribution 2.0, as scikit-learn's README says.

    Args:
        out: becomes the folder of the picture.

    Raises:
        DataError: scikit-learn is not installed.
    """
    found = _installed("scikit-learn", "sklearn/datasets/images/china.jpg")
    (out / found.name).write_bytes(found.read_bytes())
    return RawFiles(out)


def synthetic_series(
    out: Path,
    *,
    days: Days = _DAYS,
    level: float = 10.0,
    slope: float = 0.05,
    amplitude: float = 40.0,
    noise: NotNegative = 5.0,
    seed: Seed = 42,
) -> RawFiles:
    """Write a daily series of trend, yearly season and white noise as `synthetic.csv`.

    value(t) = level + slope t + amplitude season(t / 365) + noise normal(t), where the season falls
    along a cosine for the first four tenths of the year and then decays as e^(-3 x). The form
    is that of the series in the courses of DeepLearning.AI on sequences.

    Args:
        out: becomes the folder of the file; columns `date` and `value`.
        days: rows.
        level: of the trend at the start.
        slope: of the trend, per day.
        amplitude: of the season.
        noise: its standard deviation.
        seed: of the noise.
    """
    import numpy as np

    time = np.arange(days)
    share = time % _YEAR / _YEAR
    season = np.where(share < 0.4, np.cos(2 * np.pi * share), np.exp(-3 * share))
    rest = np.random.default_rng(seed).standard_normal(days)
    values = level + slope * time + amplitude * season + noise * rest
    dates = np.datetime64(_FIRST) + time
    _write(out / "synthetic.csv", "date,value", zip(dates, values, strict=True))
    return RawFiles(out)


def co2_weekly(out: Path) -> RawFiles:
    """Write statsmodels' weekly CO2 at Mauna Loa, 1958 to 2001, in ppm as `co2.csv`.

    2,284 weeks, 59 of them without a value. Source: Keeling and Whorf, Scripps Institution of
    Oceanography.

    Args:
        out: becomes the folder of the file; columns `date` and `co2`.

    Raises:
        DataError: statsmodels is not installed.
    """
    import pandas as pd

    file = _installed("statsmodels", "statsmodels/datasets/co2/co2.csv")
    found = pd.read_csv(file, parse_dates=["date"], date_format="%Y%m%d")
    _write(out / "co2.csv", "date,co2", zip(found["date"].dt.date, found["co2"], strict=True))
    return RawFiles(out)


def line_fit(out: Path) -> RawFiles:
    """Write six points of the line y = 2x - 1 as `line.csv`, columns `x` and `y`.

    Args:
        out: becomes the folder of the table.
    """
    (out / "line.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in _LINE))
    return RawFiles(out)


def house_prices(out: Path) -> RawFiles:
    """Write six houses as `houses.csv`, columns `bedrooms` and `price`, in units of 100,000.

    A house costs half a unit, and half a unit more for each bedroom.

    Args:
        out: becomes the folder of the table.
    """
    rows = "".join(f"{bedrooms},{price}\n" for bedrooms, price in _HOUSES)
    (out / "houses.csv").write_text("bedrooms,price\n" + rows)
    return RawFiles(out)


def _installed(distribution: str, name: str) -> pathlib.Path:
    """The data file `name` of an installed distribution.

    Raises:
        DataError: the distribution is not installed, or its version lacks the file.
    """
    try:
        found = metadata.distribution(distribution)
        received = f"version {found.version}, which lacks this file"
        file = pathlib.Path(str(found.locate_file(name)))
        if file.is_file():
            return file
    except metadata.PackageNotFoundError:
        received = "no such distribution here"
    raise DataError(
        f"Sample data: expected {name} of {distribution}. Received: {received}. Run `pip install "
        f"{distribution}`, with the version that requirements.lock names."
    )


def _write(file: Path, header: str, rows: Iterable[tuple[object, float]]) -> None:
    """Write a line per (date, value); a missing value is an empty cell."""
    lines = [header]
    for date, value in rows:
        lines.append(f"{date},{value:.6g}" if value == value else f"{date},")
    file.write_text("\n".join(lines) + "\n")
