"""How series become windows: what a person may ask for, and what was settled. No TensorFlow."""

import dataclasses
from typing import Literal

from millrace.components.errors import DataError
from millrace.components.features.hook_spec import Hook
from millrace.components.features.layout import Column, Layout
from millrace.components.options.ranges import Count

Scale = Literal["standard", "min_max", "none"]
Difference = Literal["none", "previous", "season"]
Calendar = Literal["hour", "weekday", "month"]
Impute = Literal["forward", "linear", "seasonal", "zero", "none"]

CALENDAR = "calendar/"  # before the name of a channel that the clock gives


@dataclasses.dataclass(frozen=True)
class SeriesOptions:
    """How series are cut into windows, and what the network does to them first.

    Attributes:
        lookback: rows that a forecast is made from. None: two seasons, or one if it is long,
            as far as the shortest split allows; 30 without a season.
        horizon: rows that are forecast.
        stride: rows between the starts of two windows.
        scale: `standard` mean 0 and variance 1 per channel, `min_max` 0..1, `none`.
        per_series: scale each window by its own mean, variance or extremes instead of those of
            the train split: series of different sizes look alike, and a served model needs to
            be told nothing but the window.
        difference: `previous` lets the network see and forecast changes from row to row,
            `season` those from a season before; undone in its answer.
        calendar: channels that the time gives, as points on a circle.
        season: rows. None: found by autocorrelation; 1 is none.
        average: rows of the moving average that forecasts are held against. None: what is best
            on the train split.
        targets, covariates, known: columns to forecast, to look at, and known ahead of time.
            Empty: as the ingest said.
        preprocess: `package.module:function`, your own TensorFlow function from the columns of
            windows by name, float32 [batch, lookback], to columns that the network sees in place
            of the covariates; see `features.hook`. The targets are not its to change.
    """

    lookback: Count | None = None
    horizon: Count = 1
    stride: Count = 1
    scale: Scale = "standard"
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
    """What stands in for a window's missing cells; see `features.series_fill`.

    Attributes:
        impute: `forward` the last value, `linear` a line from the last to the next, `seasonal` the
            value `season` rows before, else a line, `zero`.
        season: rows.
        level: per column, where a window has no value of it: the mean on the train split.
    """

    impute: Impute
    season: int
    level: tuple[float, ...]

    def of_columns(self, first: int, last: int) -> "Fill":
        """The same of the columns from `first` to before `last`."""
        return dataclasses.replace(self, level=self.level[first:last])


@dataclasses.dataclass(frozen=True)
class SeriesSpec:
    """Windows of rows in the data's own units, and the rows after them.

    Attributes:
        targets: the columns that are forecast.
        covariates: columns known up to the last row of a window.
        known: columns known for the rows to be forecast as well.
        calendar: channels that the time gives: hour 0..23, weekday 0 (Monday)..6, month 1..12,
            all of UTC or of the zone that the ingest was told.
        lookback, horizon, stride: rows.
        frequency: the time from row to row, as pandas writes it.
        season: rows; 1 where there is none.
        average: rows of the moving average that a forecast is held against.
        difference: what the network sees of the targets.
        scale, per_series: see the options.
        offset, spread: per column that the network sees (`seen`): scaled is
            `(value - offset) / spread`; from the train split.
        mean: per target, on the train split: the forecast of who knows nothing else.
        naive_error: per target, the mean absolute error on the train split of the value a season
            before, where both are known: the unit of MASE.
        zone: the time zone whose clock the calendar reads.
        hook: a person's own preprocessing of a window.
        made: the columns that it makes; the network sees them in place of the covariates.
        fill: of missing cells, NaN. None: a window or a row ahead that lacks one is left out.
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
    scale: Scale = "standard"
    per_series: bool = False
    zone: str = "UTC"
    hook: Hook | None = None
    made: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    fill: Fill | None = None
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
        """The names of a window's channels: the columns, then what the calendar gives."""
        return (*self.columns, *(f"{CALENDAR}{name}" for name in self.calendar))

    @property
    def seen(self) -> tuple[str, ...]:
        """The columns that the network sees, in the order of its first channels."""
        return (*self.targets, *(self.made if self.hook else self.covariates), *self.known)

    @property
    def lag(self) -> int:
        """Rows that differencing goes back; 0 without it."""
        return {"none": 0, "previous": 1, "season": self.season}[self.difference]

    @property
    def task(self) -> Literal["forecast"]:
        """What a model of it does."""
        return "forecast"

    @property
    def label(self) -> str:
        """A window's truth is in `future`, a class in none."""
        return ""

    @property
    def classes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def asked(self) -> tuple[Column, ...]:
        """What a served model is given: `window` [lookback, channels], perhaps `known`."""
        window = Column("window", "float32", (self.lookback, len(self.channels)))
        ahead = Column("known", "float32", (self.horizon, len(self.known)))
        return (window, ahead) if self.known else (window,)

    @property
    def layout(self) -> Layout:
        """`window` [lookback, channels], perhaps `known` [horizon, known], `future` to forecast.

        With a hook `prepared`, what that makes of the window, stands in the window's place.
        """
        window, *ahead = self.asked
        if self.hook:
            channels = len(self.seen) + len(self.calendar)
            window = Column("prepared", "float32", (self.lookback, channels))
        future = Column("future", "float32", (self.horizon, len(self.targets)))
        return Layout((window, *ahead), future)
