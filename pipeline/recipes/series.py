"""Recipes for series, and where they come from."""

from collections.abc import Callable
from typing import Any

from millrace.components.artifacts import RawFiles
from millrace.components.example_gen.samples import co2_weekly, synthetic_series
from millrace.components.example_gen.series import series_example_gen
from millrace.components.features.series_spec import SeriesOptions
from millrace.pipeline.dag import Dag, Source, Step
from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes.row import Ingest, Recipe


def _inside(sample: Callable[..., RawFiles]) -> Ingest:
    """Ingest of a series that is made by a step, or of what `--data` holds instead."""

    def ingest(dag: Dag, data: str | None) -> Step:
        source = Source(data) if data else dag.step(sample)
        return dag.step(series_example_gen, source=source)

    return ingest


def _files(**options: Any) -> Ingest:
    """Ingest of the CSV file, or the folder of them, that `--data` names."""

    def ingest(dag: Dag, data: str | None) -> Step:
        if not data:
            raise UsageError(
                f"Recipe {dag.name}: expected --data PATH, a CSV file of times and values, or a "
                "folder of them. Received: no --data."
            )
        return dag.step(series_example_gen, source=Source(data), **options)

    return ingest


_PATIENT = (
    "trainer.early_stopping.patience=20",
    "trainer.schedule=reduce_on_plateau",
    "trainer.schedule.patience=6",
    "trainer.schedule.factor=0.5",
    "trainer.keep=best",
)
_LINEAR = ("trainer.model=dense", "trainer.model.units=[]")

ROWS: tuple[Recipe, ...] = (
    Recipe(
        "synthetic-series",
        "series",
        "inside: four years of days, trend, season and noise",
        "the next day from 30 by a causal convolution and an LSTM, each window by its own scale",
        _inside(synthetic_series),
        (
            *_PATIENT,
            "trainer.epochs=80",
            "trainer.model=conv_rnn",
            "trainer.model.filters=16",
            "trainer.model.units=16",
            "trainer.model.dense=[]",
        ),
        SeriesOptions(lookback=30, per_series=True),
    ),
    Recipe(
        "co2",
        "series",
        "inside: statsmodels' weekly CO2 at Mauna Loa, 1958 to 2001",
        "the next week from a year, a linear model of the changes",
        _inside(co2_weekly),
        (*_PATIENT, *_LINEAR, "trainer.epochs=100"),
        SeriesOptions(lookback=53, difference="previous"),
    ),
    Recipe(
        "sunspots",
        "series",
        "--data CSV: a date and monthly sunspot numbers",
        "the next month from five years, changes by one hidden layer",
        _files(),
        (*_PATIENT, "trainer.epochs=60", "trainer.model=dense", "trainer.model.units=32"),
        SeriesOptions(lookback=60, difference="previous"),
    ),
    Recipe(
        "daily-temperatures",
        "series",
        "--data CSV: a date and daily minimum temperatures",
        "the next day from 30 and the month, a linear model",
        _files(),
        (*_PATIENT, *_LINEAR, "trainer.epochs=80"),
        SeriesOptions(lookback=30, calendar=("month",)),
    ),
    Recipe(
        "airline",
        "series",
        "--data CSV: a month and the passengers of an airline",
        "the next month from thirteen, a linear model of the changes; 144 rows are enough",
        _files(),
        (
            *_PATIENT,
            *_LINEAR,
            "trainer.epochs=300",
            "trainer.batch_size=8",
            "trainer.learning_rate=0.005",
            "trainer.early_stopping.patience=40",
            "trainer.schedule.patience=15",
        ),
        SeriesOptions(lookback=13, difference="previous"),
    ),
    Recipe(
        "bike-sharing",
        "series",
        "--data CSV: dates, hours and rides",
        "the next hour from two days, hour and weekday, by one hidden layer",
        _files(time=("dateday", "hour"), targets=("count",)),
        (
            *_PATIENT,
            "trainer.epochs=20",
            "trainer.batch_size=64",
            "trainer.model=dense",
            "trainer.model.units=64",
        ),
        SeriesOptions(lookback=48, calendar=("hour", "weekday")),
    ),
    Recipe(
        "ett",
        "series",
        "--data CSV: hourly loads and the oil temperature OT of a transformer",
        "the next 24 hours from four days, a linear model of the changes",
        _files(targets=("OT",)),
        (*_PATIENT, *_LINEAR, "trainer.epochs=15", "trainer.batch_size=64"),
        SeriesOptions(lookback=96, horizon=24, season=24, difference="previous"),
    ),
    Recipe(
        "forecaster",
        "series",
        "--data CSV: anybody's times and numbers",
        "anybody's series: columns, step, season and lookback are chosen from the data",
        _files(),
        (*_PATIENT, "trainer.model=auto", "trainer.model.averaged=5", "trainer.epochs=100"),
        SeriesOptions(difference="previous"),
    ),
)
