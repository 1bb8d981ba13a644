"""The options of `series_example_gen` in groups; no pandas, so that reading them is cheap."""

import dataclasses
from typing import Literal

from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.features.series_spec import Impute

DayFirst = Literal["auto", "yes", "no"]
Duplicates = Literal["error", "first", "last", "mean", "sum"]
Aggregate = Literal["mean", "sum", "last", "first", "min", "max"]
RollingOrigin = Literal["expanding", "sliding"]

SHARES: dict[str, float] = {"train": 0.7, "eval": 0.15, "test": 0.15}


@dataclasses.dataclass(frozen=True)
class SeriesColumns:
    """The part that each column plays; empty ones are chosen from the data.

    Attributes:
        series: identifies the series; empty where all rows are of one.
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
class ClockOptions:
    """How times are read."""

    form: str = ""
    day_first: DayFirst = "auto"
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
    """All options of one ingest."""

    columns: SeriesColumns
    clock: ClockOptions
    rows: GridOptions
    cutting: SplitOptions
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
        bases: by column, what its values are written less; see `features.precision`.
    """

    reading: SeriesReading
    step: str
    zone: str
    bases: dict[str, float] = dataclasses.field(default_factory=dict)
    kind: Literal["series"] = "series"
