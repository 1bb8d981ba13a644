"""Options and spec of the kind `series`: how series become windows. No TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from millrace.components.errors import DataError
from millrace.components.features.hook_spec import Hook
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.options.ranges import Count

SeriesScale = Literal["standard", "min_max", "none"]
Difference = Literal["none", "previous", "season"]
Calendar = Literal["hour", "weekday", "month"]
Impute = Literal["forward", "linear", "seasonal", "zero", "none"]

CALENDAR = "calendar/"  # before the name of a channel that is made from the time


@dataclasses.dataclass(frozen=True)
class SeriesOptions:
    """How series are cut into windows, and what the network does to them first.

    Attributes:
        lookback: rows that a forecast is made from. None: as many seasons as a third of the train
            split has, up to 400 rows, or one if it is long; 30 without a season.
        horizon: rows that are forecast.
        stride: rows between the starts of two windows.
        scale: `standard` mean 0 and variance 1 per channel, `min_max` 0..1, `none`.
        per_series: scale each window by its own mean, variance or extremes instead of those of
            the train split: series of different sizes look alike, and a served model needs
            nothing but the window.
        difference: `previous` lets the network see and forecast changes from row to row,
            `season` those from a season before; both undone in its answer.
        calendar: channels made from the time, as points on a circle.
        season: rows. None: found by autocorrelation; 1 is no season.
        average: rows of the moving average that forecasts are compared with. None: the best on
            the train split.
        targets, covariates, known: columns to forecast, to look at, and known ahead of time.
            Empty: those of the ingest.
        preprocess: `package.module:function`, your own TensorFlow function from the columns of
            windows by name, float32 [batch, lookback], to columns that the network sees in place
            of the covariates; see `features.hook`. It cannot change the targets.
    """

    lookback: Count | None = None
    horizon: Count = 1
    stride: Count = 1
    scale: SeriesScale = "standard"
    per_series: bool = False
    difference: Difference = "none"
    calendar: tuple[Calendar, ...] = ()
    season: Count | None = None
    average: Count | None = None
    targets: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    preprocess: str = ""
    kind: Literal["series"] = "series"


@dataclasses.dataclass(frozen=True)
class Fill:
    """How a window's missing cells are filled; see `features.series_fill`.

    Attributes:
        impute: `forward` the last value, `linear` a line from the last to the next, `seasonal` the
            value `season` rows before, else a line, `zero`.
        season: rows.
        level: per column, for windows without any value of it: the mean on the train split.
    """

    impute: Impute
    season: int
    level: tuple[float, ...]

    def of_columns(self, first: int, last: int) -> "Fill":
        """The same for the columns from `first` up to, not including, `last`."""
        return dataclasses.replace(self, level=self.level[first:last])


@dataclasses.dataclass(frozen=True)
class SeriesSpec:
    """Windows of rows in the data's own units, and the rows after them.

    Attributes:
        targets: the columns that are forecast.
        covariates: columns known up to the last row of a window.
        known: columns known for the rows to be forecast as well.
        calendar: channels made from the time: hour 0..23, weekday 0 (Monday)..6, month 1..12,
            in UTC or in the time zone of the ingest.
        lookback, horizon, stride: rows.
        frequency: the time from row to row, as pandas writes it.
        season: rows; 1 if there is none.
        average: rows of the moving average that a forecast is compared with.
        difference: what the network sees of the targets.
        scale, per_series: see the options.
        offset, spread: per column that the network sees (`seen`): scaled is
            `(value - offset) / spread`; from the train split.
        mean: per target, on the train split: the simplest forecast.
        least: per target, the smallest value in the train split.
        naive_error: per target, the mean absolute error on the train split of the value a season
            before, where both are known: the unit of MASE.
        zone: the time zone whose clock the calendar reads.
        hook: the user's preprocessing of a window.
        made: the columns that it makes; the network sees them in place of the covariates.
        fill: of missing cells, which are NaN. None: windows with missing inputs are left out.
        base: per column; none where it is 0 for all. Records and the network have values less it,
            as do `offset`, `mean` and the levels of `fill`; a served model takes and answers
            float64 in the data's own units. See `features.precision`.
    """

    targets: tuple[str, ...]
    lookback: int
    horizon: int
    frequency: str
    offset: tuple[float, ...]
    spread: tuple[float, ...]
    naive_error: tuple[float, ...]
    covariates: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    calendar: tuple[Calendar, ...] = ()
    stride: int = 1
    season: int = 1
    average: int = 2
    difference: Difference = "none"
    scale: SeriesScale = "standard"
    per_series: bool = False
    zone: str = "UTC"
    hook: Hook | None = None
    made: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    least: tuple[float, ...] = ()
    fill: Fill | None = None
    base: tuple[float, ...] = ()
    kind: Literal["series"] = "series"

    def __post_init__(self) -> None:
        if not self.targets:
            raise DataError(
                "Series: expected a column to forecast. Received: none. "
                "Name one by series_example_gen.targets or analyze.features.targets."
            )
        if self.lag >= self.lookback:
            raise DataError(
                f"analyze.features.lookback: expected more rows than the {self.lag} that "
                f"difference={self.difference} goes back. Received: {self.lookback}. "
                "Raise it, or set analyze.features.difference=none."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The data's own columns in a window, in the order of its first channels."""
        return (*self.targets, *self.covariates, *self.known)

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of a window's channels: the columns, then those of the calendar."""
        return (*self.columns, *(f"{CALENDAR}{name}" for name in self.calendar))

    @property
    def bases(self) -> dict[str, tuple[float, ...]]:
        """The base of each channel of `window`, `known` and `future`; empty where all are 0."""
        return bases_of(vars(self))

    @property
    def seen(self) -> tuple[str, ...]:
        """The columns that the network sees, in the order of its first channels."""
        return (*self.targets, *(self.made if self.hook else self.covariates), *self.known)

    @property
    def lag(self) -> int:
        """Rows that differencing goes back; 0 without it."""
        return {"none": 0, "previous": 1, "season": self.season}[self.difference]

    @property
    def has_logarithms(self) -> bool:
        """Whether all targets are positive in the train split, as they are in the data."""
        return bool(self.least) and min(self.least) > 0 and not self.base

    @property
    def task(self) -> Literal["forecast"]:
        """What a model of this kind does."""
        return "forecast"

    @property
    def label(self) -> str:
        """None: a window's truth is in its `future`."""
        return ""

    @property
    def classes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def served_inputs(self) -> tuple[LayoutColumn, ...]:
        """What a served model takes: `window` [lookback, channels], perhaps `known`."""
        window = LayoutColumn("window", "float32", (self.lookback, len(self.channels)))
        ahead = LayoutColumn("known", "float32", (self.horizon, len(self.known)))
        return (window, ahead) if self.known else (window,)

    @property
    def layout(self) -> RecordLayout:
        """`window` [lookback, channels], perhaps `known` [horizon, known], `future` to forecast.

        With a hook, its result `prepared` takes the window's place.
        """
        window, *ahead = self.served_inputs
        if self.hook:
            channels = len(self.seen) + len(self.calendar)
            window = LayoutColumn("prepared", "float32", (self.lookback, channels))
        future = LayoutColumn("future", "float32", (self.horizon, len(self.targets)))
        return RecordLayout((window, *ahead), future)


def time_unit(frequency: str) -> Literal["s", "us"]:
    """The unit of the records' Unix times: seconds, or microseconds where the step has parts."""
    return "us" if frequency.endswith(("ms", "us")) else "s"


def bases_of(described: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """`SeriesSpec.bases` by the fields of a spec, or what a `model.json` says of one."""
    base = tuple(described.get("base", ()))
    if not base:
        return {}
    return {
        "window": (*base, *(0.0 for _ in described["calendar"])),
        "known": base[len(base) - len(described["known"]) :],
        "future": base[: len(described["targets"])],
    }
