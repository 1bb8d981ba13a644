"""Windows that were forecast, as columns; and what `model.json` says of them."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from millrace.components.features.series import FOLD, FUTURE, SERIES, TIME, WINDOW
from millrace.components.features.series_spec import Fill
from millrace.components.files import columns
from millrace.components.inference.rows import text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class WindowSpec:
    """What a forecaster's `model.json` says of its windows.

    Attributes:
        naive_error: per target, the unit of MASE: see `analysis.series_shape.naive_error`.
        stride: rows between the starts of two windows.
        mean: per target, on the train split; none of a model of an earlier version.
        fill: of missing cells; None where the model needs whole windows.
        base: per target, what the records' values, `mean` and `fill` are less; none for 0.
    """

    targets: tuple[str, ...]
    channels: int
    lookback: int
    horizon: int
    season: int
    average: int
    naive_error: tuple[float, ...]
    frequency: str
    stride: int = 1
    mean: tuple[float, ...] = ()
    fill: Fill | None = None
    base: tuple[float, ...] = ()

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Self:
        """From the content of `model.json`."""
        columns = ("targets", "covariates", "known", "calendar")
        return cls(
            targets=tuple(described["targets"]),
            channels=sum(len(described[name]) for name in columns),
            lookback=described["lookback"],
            horizon=described["horizon"],
            season=described["season"],
            average=described["average"],
            naive_error=tuple(described["naive_error"]),
            frequency=described["frequency"],
            stride=described.get("stride", 1),
            mean=tuple(described.get("mean", ())),
            fill=_fill(described.get("fill")),
            base=tuple(described.get("base", ()))[: len(described["targets"])],
        )

    @property
    def bases(self) -> Floats:
        """Of each target, float64 [targets]."""
        return np.array(self.base or [0.0] * len(self.targets))

    @property
    def overlap(self) -> int:
        """How many windows of one series in a row forecast a common step; 1 where none do."""
        return math.ceil(self.horizon / self.stride)

    def are_whole(self, rows: pa.RecordBatch) -> NDArray[np.bool_]:
        """Which records have a window and a future of these sizes, [rows]."""
        sizes = {WINDOW: self.lookback * self.channels, FUTURE: self.horizon * len(self.targets)}
        if not sizes.keys() <= set(rows.schema.names):
            return np.zeros(rows.num_rows, bool)
        lengths = {name: columns.values(rows.column(name))[1] for name in sizes}
        found: NDArray[np.bool_] = np.all([lengths[each] == sizes[each] for each in sizes], axis=0)
        return found

    def arrays(self, rows: pa.RecordBatch) -> tuple[NDArray[np.float32], Floats]:
        """Windows float32 [rows, lookback, channels], futures float64 [rows, horizon, targets].

        Both have NaN where a cell is missing; futures have their base, windows do not.
        """
        windows, futures = (columns.values(rows.column(each))[0] for each in (WINDOW, FUTURE))
        window = windows.to_numpy(zero_copy_only=False).astype(np.float32)
        future = futures.to_numpy(zero_copy_only=False).astype(np.float64)
        return (
            window.reshape(-1, self.lookback, self.channels),
            future.reshape(-1, self.horizon, len(self.targets)) + self.bases,
        )


@dataclasses.dataclass(frozen=True)
class ForecastRows:
    """Windows that were forecast.

    Attributes:
        split, series: names, objects [rows].
        time: of the first forecast step, Unix time, int64 [rows].
        fold: of it, int64 [rows].
        actual: float64 [rows, horizon, targets], NaN where it is not known.
        forecasts: by who made them, alike.
        lower: of the model's intervals, [rows, horizon, targets, levels]; None without.
        upper: likewise.
    """

    split: NDArray[np.object_]
    series: NDArray[np.object_]
    time: Ints
    fold: Ints
    actual: Floats
    forecasts: Mapping[str, Floats]
    lower: Floats | None = None
    upper: Floats | None = None

    @classmethod
    def of(
        cls,
        split: str,
        rows: pa.RecordBatch,
        actual: Floats,
        forecasts: Mapping[str, Floats],
        ends: tuple[NDArray[np.floating], NDArray[np.floating]] | None = None,
    ) -> Self:
        """Rows of one split, from their records."""
        return cls(
            split=np.full(rows.num_rows, split, object),
            series=_texts(rows, SERIES),
            time=_numbers(rows, TIME),
            fold=_numbers(rows, FOLD),
            actual=actual,
            forecasts=forecasts,
            lower=None if ends is None else ends[0].astype(np.float64),
            upper=None if ends is None else ends[1].astype(np.float64),
        )

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """All rows, by split, series and time; a forecast that a part lacks is left out."""
        known = list(parts)
        names = set.intersection(*(set(part.forecasts) for part in known))
        whole = cls(
            split=np.concatenate([part.split for part in known]),
            series=np.concatenate([part.series for part in known]),
            time=np.concatenate([part.time for part in known]),
            fold=np.concatenate([part.fold for part in known]),
            actual=np.concatenate([part.actual for part in known]),
            forecasts={
                name: np.concatenate([part.forecasts[name] for part in known])
                for name in sorted(names)
            },
            lower=_all_or_none([part.lower for part in known]),
            upper=_all_or_none([part.upper for part in known]),
        )
        keys = zip(whole.split, whole.series, whole.time.tolist(), strict=True)
        order = np.array([i for _, i in sorted((key, i) for i, key in enumerate(keys))], np.int64)
        return whole.take(order)

    def take(self, which: NDArray[Any]) -> Self:
        """The rows at some places, or where a mask [rows] is true."""
        return dataclasses.replace(
            self,
            split=self.split[which],
            series=self.series[which],
            time=self.time[which],
            fold=self.fold[which],
            actual=self.actual[which],
            forecasts={name: array[which] for name, array in self.forecasts.items()},
            lower=None if self.lower is None else self.lower[which],
            upper=None if self.upper is None else self.upper[which],
        )

    def __len__(self) -> int:
        return len(self.time)


def _all_or_none(parts: Sequence[Floats | None]) -> Floats | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def _fill(settings: Mapping[str, Any] | None) -> Fill | None:
    return Fill(**{**settings, "level": tuple(settings["level"])}) if settings else None


def _texts(rows: pa.RecordBatch, name: str) -> NDArray[np.object_]:
    """The first value of each record's feature, "" without one."""
    cells = columns.first(rows, name)
    if cells is None or not pa.types.is_binary(cells.type):
        return np.full(rows.num_rows, "", object)
    numbers, found = columns.distinct(cells)
    texts: NDArray[np.object_] = np.array([*map(text, found), ""], object)
    return texts[numbers]


def _numbers(rows: pa.RecordBatch, name: str) -> Ints:
    """The first value of each record's feature, 0 without one."""
    cells = columns.first(rows, name)
    if cells is None or pa.types.is_binary(cells.type):
        return np.zeros(rows.num_rows, np.int64)
    found: Ints = cells.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
