"""Series that need no network: one made up of trend, season and noise, two real ones."""

from collections.abc import Iterable
from typing import Annotated

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import RawFiles
from millrace.components.options.ranges import NotNegative, Seed

_DAYS = 4 * 365 + 1
_YEAR = 365
_FIRST = "2015-01-01"

Days = Annotated[int, Field(ge=1, le=1_000_000)]  # up to the year 4752


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

    2,284 weeks, 59 of them without a value. Source: Keeling, Whorf, Scripps Institution of
    Oceanography, by `statsmodels.datasets.co2`.

    Args:
        out: becomes the folder of the file; columns `date` and `co2`.
    """
    from statsmodels.datasets import co2

    found = co2.load_pandas().data["co2"]
    dates = found.index.to_numpy().astype("datetime64[D]")
    _write(out / "co2.csv", "date,co2", zip(dates, found.to_numpy(), strict=True))
    return RawFiles(out)


def sunspots_yearly(out: Path) -> RawFiles:
    """Write statsmodels' yearly mean sunspot numbers, 1700 to 2008, as `sunspots.csv`.

    Source: National Geophysical Data Center, by `statsmodels.datasets.sunspots`.

    Args:
        out: becomes the folder of the file; columns `date` and `sunspots`.
    """
    from statsmodels.datasets import sunspots

    found = sunspots.load_pandas().data
    dates = [f"{int(year)}-01-01" for year in found["YEAR"]]
    _write(out / "sunspots.csv", "date,sunspots", zip(dates, found["SUNACTIVITY"], strict=True))
    return RawFiles(out)


def _write(file: Path, header: str, rows: Iterable[tuple[object, float]]) -> None:
    """A line per (date, value); a missing value is an empty cell."""
    lines = [header]
    for date, value in rows:
        lines.append(f"{date},{value:.6g}" if value == value else f"{date},")
    file.write_text("\n".join(lines) + "\n")
