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


def _written(frame: pd.DataFrame, folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "data.csv", index=False)
    return folder / "data.csv"
