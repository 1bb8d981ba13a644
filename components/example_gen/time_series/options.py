"""The options of `series_example_gen` in groups; no pandas, so that reading them is cheap."""

import dataclasses
from typing import Literal

from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.features.series_spec import Impute

DayFirst = Literal["auto", "yes", "no"]
Duplicates = Literal["error", "first", "last", "mean", "sum"]
Aggregate = Literal["mean", "sum", "last", "first", "min", "max"]
Origin = Literal["expanding", "sliding"]

SHARES: dict[str, float] = {"train": 0.7, "eval": 0.15, "test": 0.15}


@dataclasses.dataclass(frozen=True)
class Columns:
    """The part that each column plays; empty ones are chosen from the data.

    Attributes:
        series: tells series apart; empty where all rows are of one.
    """

    time: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    series: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """Targets, covariates and known, in this order."""
        return (*self.targets, *self.covariates, *self.known)


@dataclasses.dataclass(frozen=True)
class Clock:
    """How times are read."""

    form: str = ""
    day_first: DayFirst = "auto"
    zone: str = "UTC"


@dataclasses.dataclass(frozen=True)
class Rows:
    """How rows become a grid of times without gaps, and what is to stand in its missing cells."""

    duplicates: Duplicates = "error"
    resample: str = ""
    aggregate: Aggregate = "mean"
    impute: Impute = "linear"
    season: int = 0


@dataclasses.dataclass(frozen=True)
class Cutting:
    """How time is cut into splits, and the last split into folds."""

    shares: dict[str, float]
    dates: dict[str, str]
    folds: int = 1
    fold: int = 0
    origin: Origin = "expanding"


@dataclasses.dataclass(frozen=True)
class Limits:
    """Shares above which the ingest fails: of rows without a time, of missing cells."""

    rejected: float = 0.01
    filled: float = 0.25


@dataclasses.dataclass(frozen=True)
class Reading:
    """All that is asked of one ingest."""

    columns: Columns
    clock: Clock
    rows: Rows
    cutting: Cutting
    limits: Limits
    csv: CsvFormat
    series_per_file: bool = False


@dataclasses.dataclass(frozen=True)
class SeriesSource:
    """How CSV files of series were read.

    Attributes:
        reading: what was requested, with the columns that were chosen.
        step: of the grid, as pandas writes it.
        zone: of the grid's times.
    """

    reading: Reading
    step: str
    zone: str
    kind: Literal["series"] = "series"
