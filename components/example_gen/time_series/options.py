"""The options of `series_example_gen` in groups; no pandas, so that reading them is cheap."""

import dataclasses
from typing import Literal

from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.features.series_spec import Impute

WithinDay = Literal[
    "",
    "clock",
    "hour",
    "hhmm",
    "hhmmss",
    "1h",
    "30min",
    "15min",
    "10min",
    "5min",
    "30min from 0",
    "15min from 0",
    "10min from 0",
    "5min from 0",
]
Duplicates = Literal["error", "first", "last", "mean", "sum"]
Aggregate = Literal["mean", "sum", "last", "first", "min", "max"]
RollingOrigin = Literal["expanding", "sliding"]

SHARES: dict[str, float] = {"train": 0.7, "eval": 0.15, "test": 0.15}


@dataclasses.dataclass(frozen=True)
class SeriesColumns:
    """The part that each column plays; empty ones are chosen from the data.

    Attributes:
        series: identify the series, by their cells together; empty where all rows are of one.
        wide: columns that are a series of values each; targets then holds their common name.
    """

    time: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """Targets, covariates and known, in this order."""
        return (*self.targets, *self.covariates, *self.known)


@dataclasses.dataclass(frozen=True)
class ClockOptions:
    """How times are read."""

    form: str = ""
    zone: str = "UTC"


@dataclasses.dataclass(frozen=True)
class GridOptions:
    """How rows become a grid of times without gaps, and what is to stand in its missing cells."""

    duplicates: Duplicates = "error"
    resample: str = ""
    aggregate: Aggregate = "mean"
    impute: Impute = "linear"
    season: int = 0


@dataclasses.dataclass(frozen=True)
class SplitOptions:
    """How time is cut into splits, and the last split into folds."""

    shares: dict[str, float]
    dates: dict[str, str]
    folds: int = 1
    fold: int = 0
    origin: RollingOrigin = "expanding"


@dataclasses.dataclass(frozen=True)
class Limits:
    """Shares above which the ingest fails: of rows without a time, of missing cells."""

    rejected: float = 0.01
    filled: float = 0.25


@dataclasses.dataclass(frozen=True)
class SeriesReading:
    """All options of one ingest, and once it is done what it found in place of empty ones."""

    columns: SeriesColumns
    clock: ClockOptions
    rows: GridOptions
    cutting: SplitOptions
    limits: Limits
    csv: CsvFormat
    series_per_file: bool = False
    wide: bool = False
