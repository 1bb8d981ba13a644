"""Data sets of `benchmarks.quality` that are made, or come with scikit-learn."""

import pathlib

import numpy as np
import pandas as pd
from sklearn import datasets


def diabetes(folder: pathlib.Path) -> pathlib.Path:
    """442 patients: the progress of the illness by ten measures."""
    return _written(datasets.load_diabetes(as_frame=True).frame, folder)


def breast_cancer(folder: pathlib.Path) -> pathlib.Path:
    """569 tumours of two kinds by 30 measures."""
    return _written(datasets.load_breast_cancer(as_frame=True).frame, folder)


def wine(folder: pathlib.Path) -> pathlib.Path:
    """178 wines of three growers by 13 measures."""
    return _written(datasets.load_wine(as_frame=True).frame, folder)


def houses(folder: pathlib.Path) -> pathlib.Path:
    """800 houses whose prices, in the hundred thousands, follow from size, age and place."""
    random = np.random.default_rng(7)
    size, age = random.uniform(40, 240, 800), random.uniform(0, 90, 800)
    place = random.choice(["centre", "suburb", "village"], 800, p=[0.3, 0.5, 0.2])
    factor = pd.Series(place).map({"centre": 1.6, "suburb": 1.1, "village": 0.8}).to_numpy()
    price = factor * (40_000 + 2_800 * size) * np.exp(-age / 150) + random.normal(0, 8_000, 800)
    frame = {"size": size.round(1), "age": age.round(), "place": place, "price": price.round()}
    return _written(pd.DataFrame(frame), folder)


def plane(folder: pathlib.Path) -> pathlib.Path:
    """2,000 rows of y = 2a - b with noise of 0.1."""
    random = np.random.default_rng(8)
    a, b = random.normal(size=2_000), random.normal(size=2_000)
    frame = pd.DataFrame({"a": a, "b": b, "y": 2 * a - b + random.normal(0, 0.1, 2_000)})
    return _written(frame, folder)


def weekly(folder: pathlib.Path) -> pathlib.Path:
    """Three years of days: a level that wanders, a week, a year, noise."""
    random = np.random.default_rng(9)
    days = pd.date_range("2021-01-01", periods=1_095, freq="D")
    level = 200 + np.cumsum(random.normal(0, 1.5, len(days)))
    week = np.array([0, 4, 6, 5, 20, 45, 30])[days.dayofweek]
    year = 25 * np.sin(2 * np.pi * days.dayofyear.to_numpy() / 365.25)
    values = level + week + year + random.normal(0, 8, len(days))
    return _written(pd.DataFrame({"date": days, "sales": values.round(2)}), folder)


def growing(folder: pathlib.Path) -> pathlib.Path:
    """Twenty years of months whose season grows with the level."""
    random = np.random.default_rng(10)
    months = pd.date_range("2000-01-01", periods=240, freq="MS")
    level = 100 * np.exp(0.008 * np.arange(240) + np.cumsum(random.normal(0, 0.01, 240)))
    season = 1 + 0.3 * np.sin(2 * np.pi * (months.month.to_numpy() - 1) / 12)
    values = level * season * np.exp(random.normal(0, 0.03, 240))
    return _written(pd.DataFrame({"month": months, "visits": values.round(2)}), folder)


def walk(folder: pathlib.Path) -> pathlib.Path:
    """Two years of days that go anywhere."""
    random = np.random.default_rng(21)
    return _series(100 + np.cumsum(random.normal(0, 1, 730)), "D", folder)


def swings(folder: pathlib.Path) -> pathlib.Path:
    """Two years of days that swing around a level: an autoregression of two steps."""
    noise = np.random.default_rng(22).normal(0, 1, 730)
    values = np.zeros(730)
    for day in range(2, 730):
        values[day] = 1.1 * values[day - 1] - 0.4 * values[day - 2] + noise[day]
    return _series(20 + values, "D", folder)


def seldom(folder: pathlib.Path) -> pathlib.Path:
    """Two years of days, on seven of ten of which nothing is sold."""
    random = np.random.default_rng(23)
    return _series((random.random(730) < 0.3) * random.poisson(4, 730), "D", folder)


def steps(folder: pathlib.Path) -> pathlib.Path:
    """Two years of days at levels that last for two months or so."""
    random = np.random.default_rng(24)
    levels = np.cumsum((random.random(730) < 0.015) * random.normal(0, 8, 730))
    return _series(60 + levels + random.normal(0, 1, 730), "D", folder)


def months(folder: pathlib.Path) -> pathlib.Path:
    """Thirty years of months: a straight line, a season and noise."""
    random = np.random.default_rng(25)
    season, time = random.normal(0, 1, 12), np.arange(360)
    values = 50 + 0.05 * time + 2 * season[time % 12] + random.normal(0, 1, 360)
    return _series(values, "MS", folder)


def quarters(folder: pathlib.Path) -> pathlib.Path:
    """Thirty years of quarters whose level drifts."""
    random = np.random.default_rng(26)
    season, time = random.normal(0, 1, 4), np.arange(120)
    level = 40 + np.cumsum(random.normal(0.1, 0.5, 120))
    return _series(level + 3 * season[time % 4] + random.normal(0, 1, 120), "QS", folder)


def few(folder: pathlib.Path) -> pathlib.Path:
    """Six years of months: a straight line, a season and noise."""
    random, time = np.random.default_rng(27), np.arange(72)
    values = 30 + 0.2 * time + 5 * np.sin(time * np.pi / 6) + random.normal(0, 1.5, 72)
    return _series(values, "MS", folder)


def counts(folder: pathlib.Path) -> pathlib.Path:
    """Two years of days: counts by weekday, of a level that wanders."""
    random, time = np.random.default_rng(28), np.arange(730)
    week = random.normal(0, 0.6, 7)[time % 7]
    means = np.exp(2 + week + np.cumsum(random.normal(0, 0.02, 730)))
    return _series(random.poisson(means), "D", folder)


def _series(values: np.ndarray, step: str, folder: pathlib.Path) -> pathlib.Path:
    times = pd.date_range("1990-01-01", periods=len(values), freq=step)
    return _written(pd.DataFrame({"time": times, "value": values.round(3)}), folder)


def _written(frame: pd.DataFrame, folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "data.csv", index=False)
    return folder / "data.csv"
