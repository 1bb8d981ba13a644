"""What a person writes in ten lines: the models that the generic recipes have to beat.

Each function gets the very rows that a run read, and returns one error for each test row by the
name of the reference.
"""

import io
import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from millrace.components.artifacts import Examples
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import Decoded

Errors = dict[str, np.ndarray]
"""One error for each test row, by the reference's name."""

_LAGS = 30
_ORDER = 6


def rows(examples: Examples, split: str) -> list[Decoded]:
    """The records of a split, in the order of its files."""
    return [
        row
        for file in examples.files(split)
        for row in columns.decoded(read_records(file), str(file))
    ]


def labels(examples: Examples, spec: specs.Spec) -> list[str]:
    """The truth of each record of the test split, as text."""
    return [_class(row, spec) for row in rows(examples, "test")]


def of_texts(examples: Examples, spec: TextSpec) -> Errors:
    """Tf-idf of words and pairs, and logistic regression; 1 for a wrong class."""
    train, test = (rows(examples, split) for split in ("train", "test"))
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
        LogisticRegression(C=10, max_iter=1000),
    )
    model.fit([_text(row) for row in train], [_class(row, spec) for row in train])
    found = model.predict([_text(row) for row in test])
    return {"tf-idf + logistic": (found != [_class(row, spec) for row in test]).astype(float)}


def _text(row: Decoded) -> str:
    return bytes(row["text"][0]).decode()


def _class(row: Decoded, spec: specs.Spec) -> str:
    value = row[spec.label][0]
    return bytes(value).decode() if isinstance(value, bytes) else str(value)


def of_tables(examples: Examples, spec: TableSpec) -> Errors:
    """Histogram gradient boosting and a linear model; a wrong class, or the absolute error."""
    (train, truth), (test, wanted) = (_frame(examples, split, spec) for split in ("train", "test"))
    texts = [raw.name for raw in spec.raw if raw.dtype == "bytes"]
    numbers = [raw.name for raw in spec.raw if raw.dtype != "bytes"]
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    boosted = make_column_transformer((ordinal, texts), remainder="passthrough")
    linear = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), texts),
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
    )
    models: dict[str, BaseEstimator]
    if spec.problem == "classification":
        models = {
            "gradient boosting": make_pipeline(
                boosted, HistGradientBoostingClassifier(random_state=0)
            ),
            "logistic": make_pipeline(linear, LogisticRegression(max_iter=2000)),
        }
    else:
        models = {
            "gradient boosting": make_pipeline(
                boosted, HistGradientBoostingRegressor(random_state=0)
            ),
            "ridge": make_pipeline(linear, RidgeCV(np.logspace(-3, 3, 13))),
        }
    found = {name: model.fit(train, truth).predict(test) for name, model in models.items()}
    if spec.problem == "classification":
        return {name: (answers != wanted).astype(float) for name, answers in found.items()}
    return {name: np.abs(answers - wanted) for name, answers in found.items()}


def _frame(examples: Examples, split: str, spec: TableSpec) -> tuple[pd.DataFrame, np.ndarray]:
    read = rows(examples, split)
    frame = pd.DataFrame(
        {
            raw.name: [_cell(row.get(raw.name, ()), is_text=raw.dtype == "bytes") for row in read]
            for raw in spec.raw
        }
    )
    if spec.problem == "regression":
        return frame, np.array([float(row[spec.label][0]) for row in read])
    return frame, np.array([_class(row, spec) for row in read])


def _cell(values: Any, *, is_text: bool) -> str | float:
    if is_text:
        return bytes(values[0]).decode() if len(values) else ""
    return float(values[0]) if len(values) else math.nan


def of_series(examples: Examples, spec: SeriesSpec) -> Errors:
    """Ridge on 30 lags, ridge on their changes, exponential smoothing: one step ahead.

    Each is fitted on train and eval, since none of them needs a split to choose by, and then told
    the truth row by row, gaps filled by straight lines. The scaled absolute error, as in MASE, of
    the rows that are known.
    """
    [name] = spec.targets
    parts = {split: _values(examples, split, name) for split in examples.splits}
    before = np.concatenate([parts[split] for split in examples.splits if split != "test"])
    values, first = np.concatenate([before, parts["test"]]), len(before)
    known, places = np.isfinite(values), np.arange(len(values))
    values = np.interp(places, places[known], values[known])
    unit = spec.naive_error[0] or 1.0
    forecasts: dict[str, Callable[[], np.ndarray]] = {
        "ridge on 30 lags": lambda: _ridge(values, first),
        "ridge on changes": lambda: values[first - 1 : -1] + _ridge(np.diff(values), first - 1),
        "exponential smoothing": lambda: _smoothed(values, first, spec.season),
    }
    return {
        each: np.abs(forecast() - values[first:])[known[first:]] / unit
        for each, forecast in forecasts.items()
    }


def _values(examples: Examples, split: str, name: str) -> np.ndarray:
    [row] = rows(examples, split)
    return np.array(row[name], np.float64)


def _ridge(values: np.ndarray, first: int) -> np.ndarray:
    lags = min(_LAGS, first // 3)
    windows = np.lib.stride_tricks.sliding_window_view(values, lags)[:-1]
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
    model.fit(windows[: first - lags], values[lags:first])
    return np.asarray(model.predict(windows[first - lags :]))


def _smoothed(values: np.ndarray, first: int, season: int) -> np.ndarray:
    seasonal = 1 < season <= first // 3 and season <= 60
    positive = bool((values > 0).all())
    best, least = None, math.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for shape in ("add", "mul") if seasonal and positive else ("add",):
            model = ExponentialSmoothing(
                values[:first],
                trend="add",
                damped_trend=True,
                seasonal=shape if seasonal else None,
                seasonal_periods=season if seasonal else None,
                initialization_method="estimated",
            )
            fitted = model.fit()
            if fitted.aicc < least:
                best, least = (shape, fitted), fitted.aicc
        shape, fitted = best  # type: ignore[misc]
        names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
        known = {each: fitted.params[each] for each in names if not np.isnan(fitted.params[each])}
        start = {"initial_level": fitted.params["initial_level"]}
        start["initial_trend"] = fitted.params["initial_trend"]
        if seasonal:
            start["initial_seasonal"] = fitted.params["initial_seasons"]
        again = ExponentialSmoothing(
            values,
            trend="add",
            damped_trend=True,
            seasonal=shape if seasonal else None,
            seasonal_periods=season if seasonal else None,
            initialization_method="known",
            **start,
        )
        return np.asarray(again.fit(**known, optimized=False).fittedvalues[first:])


def of_images(examples: Examples, spec: ImageSpec) -> Errors:
    """A random forest on histograms of colour and on small pictures, a logistic regression on
    small greys; 1 for a wrong class.
    """
    train, test = (rows(examples, split) for split in ("train", "test"))
    truth, wanted = ([_class(row, spec) for row in part] for part in (train, test))
    found: Errors = {}
    models: dict[str, tuple[Callable[[np.ndarray], np.ndarray], BaseEstimator]] = {
        "forest on colours": (_histogram, _forest()),
        "forest on pixels": (_pixels, _forest()),
        "logistic on greys": (_greys, _linear()),
    }
    for name, (describe, model) in models.items():
        seen, asked = (
            np.stack([describe(_picture(row)) for row in part]) for part in (train, test)
        )
        answers = model.fit(seen, truth).predict(asked)
        found[name] = (answers != np.array(wanted)).astype(float)
    return found


def _forest() -> BaseEstimator:
    return RandomForestClassifier(300, random_state=0, n_jobs=2)


def _linear() -> BaseEstimator:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))


def _picture(row: Decoded) -> np.ndarray:
    with Image.open(io.BytesIO(row["image/encoded"][0])) as picture:
        return np.asarray(picture.convert("RGB").resize((32, 32)))


def _histogram(picture: np.ndarray) -> np.ndarray:
    counts, _ = np.histogramdd(picture.reshape(-1, 3), bins=(6, 6, 6), range=[(0, 256)] * 3)
    return counts.ravel()


def _pixels(picture: np.ndarray) -> np.ndarray:
    return picture.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3)).ravel()


def _greys(picture: np.ndarray) -> np.ndarray:
    return _pixels(picture).reshape(-1, 3).mean(axis=1)


def of_language(examples: Examples, spec: LanguageSpec) -> Errors:
    """Counts of up to six characters, Witten and Bell's; the mean bits of a character."""
    train, test = (
        "\n".join(_text(row) for row in rows(examples, each)) for each in ("train", "test")
    )
    return {"order 6": np.array([witten_bell(train, test).mean()])}


def witten_bell(train: str, test: str, order: int = _ORDER) -> np.ndarray:
    """The bits of each character of `test` by counts of up to `order` characters of `train`.

    Witten and Bell, "The zero-frequency problem" (1991), method C, interpolated.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for place, letter in enumerate(train):
        for length in range(min(order, place + 1)):
            counts[train[place - length : place]][letter] += 1
    letters = len(set(train)) + 1

    def probability(before: str, letter: str) -> float:
        lower = probability(before[1:], letter) if before else 1 / letters
        seen = counts.get(before)
        if not seen:
            return lower
        total, kinds = seen.total(), len(seen)
        return (seen[letter] + kinds * lower) / (total + kinds)

    return np.array(
        [
            -math.log2(probability(test[max(0, place - order + 1) : place], letter))
            for place, letter in enumerate(test)
        ]
    )
