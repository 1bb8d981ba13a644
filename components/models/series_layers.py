"""Keras layers between a series' own units and the values that a network works with.

A window is float32 [batch, lookback, channels], the targets its first channels; a forecast
float32 [batch, horizon, targets]. None of the layers has weights to train.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from millrace.components.features import baselines, series_fill
from millrace.components.features.series_spec import Fill, Impute

_PACKAGE = "millrace"
_FLAT = 1e-6  # a spread below this, relative to the values' size, means a constant


def _registered(layer: type[keras.Layer]) -> type[keras.Layer]:
    return keras.saving.register_keras_serializable(package=_PACKAGE)(layer)


class _Filling(keras.layers.Layer):
    """Has a `Fill`; see `features.series_fill`."""

    def __init__(self, impute: Impute, season: int, level: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fill = Fill(impute, season, tuple(level))

    def get_config(self) -> dict[str, Any]:
        fill = {**dataclasses.asdict(self.fill), "level": list(self.fill.level)}
        return {**super().get_config(), **fill}


@_registered
class Filled(_Filling):
    """A window's missing cells filled from its other cells: float32 [batch, lookback, channels]."""

    def call(self, window: Any) -> Any:
        return series_fill.filled(window, self.fill)


@_registered
class FilledAhead(_Filling):
    """The columns known ahead, filled: of [known, window], where channel `first` is their first."""

    def __init__(self, first: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = first

    def call(self, inputs: Any) -> Any:
        known, window = inputs
        return series_fill.filled_ahead(window, known, self.fill, self.first)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "first": self.first}


@_registered
class Scaled(keras.layers.Layer):
    """A window's columns from `first` on less `offset`, divided by `spread`, each [columns].

    Channels beyond the columns are left out.
    """

    def __init__(
        self, offset: Sequence[float], spread: Sequence[float], first: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.offset, self.spread, self.first = list(offset), list(spread), first

    def call(self, window: Any) -> Any:
        columns = window[..., self.first : self.first + len(self.offset)]
        return (columns - ops.array(self.offset, "float32")) / ops.array(self.spread, "float32")

    def get_config(self) -> dict[str, Any]:
        own = {"offset": self.offset, "spread": self.spread, "first": self.first}
        return {**super().get_config(), **own}


@_registered
class Unscaled(keras.layers.Layer):
    """A forecast times `spread` plus `offset`, each [targets]: the inverse of `Scaled`."""

    def __init__(self, offset: Sequence[float], spread: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offset, self.spread = list(offset), list(spread)

    def call(self, forecast: Any) -> Any:
        spread = ops.array(self.spread, "float32")
        return ops.cast(forecast, "float32") * spread + ops.array(self.offset, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "offset": self.offset, "spread": self.spread}


def _of_window(columns: Any, scale: str) -> tuple[Any, Any]:
    """Offset and spread of each window, each [batch, 1, columns]."""
    if scale == "min_max":
        offset = ops.min(columns, axis=1, keepdims=True)
        spread = ops.max(columns, axis=1, keepdims=True) - offset
    else:
        offset = ops.mean(columns, axis=1, keepdims=True)
        variance = ops.mean(ops.square(columns - offset), axis=1, keepdims=True)
        spread = ops.sqrt(variance)
    is_flat = spread <= _FLAT * (1.0 + ops.abs(offset))
    return offset, ops.where(is_flat, ops.ones_like(spread), spread)


class _OfWindow(keras.layers.Layer):
    """Offset and spread of each window by itself.

    Kim et al., "Reversible Instance Normalization for Accurate Time-Series Forecasting against
    Distribution Shift" (2022).
    """

    def __init__(self, columns: int, scale: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.columns, self.scale = columns, scale

    def offset_and_spread(self, window: Any) -> tuple[Any, Any]:
        """Each [batch, 1, columns]; the spread of a constant column is 1."""
        return _of_window(window[..., : self.columns], self.scale)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "columns": self.columns, "scale": self.scale}


@_registered
class ScaledByWindow(_OfWindow):
    """A window's columns by its own mean and deviation (`standard`) or extremes (`min_max`)."""

    def call(self, window: Any) -> Any:
        offset, spread = self.offset_and_spread(window)
        return (window[..., : self.columns] - offset) / spread


@_registered
class UnscaledByWindow(_OfWindow):
    """A forecast in the units of the window it was made from: [forecast, window]."""

    def call(self, inputs: Any) -> Any:
        forecast, window = inputs
        offset, spread = self.offset_and_spread(window)
        targets = forecast.shape[-1]
        return ops.cast(forecast, "float32") * spread[..., :targets] + offset[..., :targets]


@_registered
class Differenced(keras.layers.Layer):
    """The targets' changes over `lag` rows beside the other columns: [batch, lookback - lag, n]."""

    def __init__(self, lag: int, targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lag, self.targets = lag, targets

    def call(self, window: Any) -> Any:
        targets = window[..., : self.targets]
        changes = targets[:, self.lag :] - targets[:, : -self.lag]
        return ops.concatenate([changes, window[:, self.lag :, self.targets :]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lag": self.lag, "targets": self.targets}


@_registered
class Undifferenced(keras.layers.Layer):
    """Changes over `lag` rows added up onto the window's last rows: [changes, window].

    The value `lag` rows before a step lies in the window or is itself forecast.
    """

    def __init__(self, lag: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lag = lag

    def call(self, inputs: Any) -> Any:
        changes, window = inputs
        horizon, targets = changes.shape[1:]
        rounds = -(-horizon // self.lag)
        padding = [[0, 0], [0, rounds * self.lag - horizon], [0, 0]]
        by_round = ops.reshape(ops.pad(changes, padding), (-1, rounds, self.lag, targets))
        bases = ops.expand_dims(window[:, -self.lag :, :targets], 1)
        values = ops.cumsum(by_round, axis=1) + bases
        return ops.reshape(values, (-1, rounds * self.lag, targets))[:, :horizon]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "lag": self.lag}


@_registered
class Cyclic(keras.layers.Layer):
    """A window's last channels as points on circles: sine and cosine of `value / period` turns.

    [batch, lookback, channels] to [batch, lookback - skipped, 2 * periods]; the first
    `skipped` rows, which differencing uses up, are left out.
    """

    def __init__(self, periods: Sequence[float], skipped: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.periods, self.skipped = list(periods), skipped

    def call(self, window: Any) -> Any:
        values = window[:, self.skipped :, -len(self.periods) :]
        angles = values * ops.array([2 * np.pi / each for each in self.periods], "float32")
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "periods": self.periods, "skipped": self.skipped}


class _Logarithmic(keras.layers.Layer):
    """May take the targets' logarithms; none if `least`, [targets], is empty.

    Below `least`, a straight line goes on where the logarithm's curve ends, so that a value there,
    even a negative one, is told from others and can be the answer.
    """

    def __init__(self, least: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = list(least)

    def logarithm(self, values: Any) -> Any:
        """Of `values` [..., targets]."""
        if not self.least:
            return values
        least = ops.array(self.least, "float32")
        below = ops.minimum(values - least, 0.0) / least
        return ops.log(ops.maximum(values, least)) + below

    def exponential(self, values: Any) -> Any:
        """That of which `values` [..., targets] are the logarithm."""
        if not self.least:
            return values
        least = ops.array(self.least, "float32")
        above = values - ops.log(least)
        return least * (ops.exp(ops.maximum(above, 0.0)) + ops.minimum(above, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "least": self.least}


@_registered
class OwnUnits(_Logarithmic):
    """What counts as 0 and as 1 of each target in each window: [batch, 2, targets].

    Args:
        offset, spread: of the train split, [targets]: the 0 and the 1, unless a window has its own.
        own_level: whether a window's 0 is its last value.
        scale: by which a window has its own; empty is none. See `ScaledByWindow`.
    """

    def __init__(
        self,
        offset: Sequence[float],
        spread: Sequence[float],
        own_level: bool,
        scale: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.offset, self.spread = list(offset), list(spread)
        self.own_level, self.scale = own_level, scale

    def call(self, window: Any) -> Any:
        values = self.logarithm(window[..., : len(self.offset)])
        like = ops.zeros_like(values[:, :1])
        offset = like + ops.array(self.offset, "float32")
        spread = like + ops.array(self.spread, "float32")
        if self.scale:
            offset, spread = _of_window(values, self.scale)
        if self.own_level:
            offset = values[:, -1:]
        return ops.concatenate([offset, spread], axis=1)

    def get_config(self) -> dict[str, Any]:
        own = {"offset": self.offset, "spread": self.spread}
        return {**super().get_config(), **own, "own_level": self.own_level, "scale": self.scale}


@_registered
class InOwnUnits(_Logarithmic):
    """A window's targets in units of its own, [batch, lookback, targets]: of [window, units]."""

    def call(self, inputs: Any) -> Any:
        window, units = inputs
        values = self.logarithm(window[..., : units.shape[-1]])
        return (values - units[:, :1]) / units[:, 1:]


@_registered
class FromOwnUnits(_Logarithmic):
    """A forecast in the data's units, [batch, horizon, targets]: of [forecast, units]."""

    def call(self, inputs: Any) -> Any:
        forecast, units = inputs
        values = ops.cast(forecast, "float32") * units[:, 1:] + units[:, :1]
        return self.exponential(values)

    def inverse(self, values: Any, units: Any) -> Any:
        """The forecast that is `values` [batch, horizon, targets] in the data's units."""
        return (self.logarithm(values) - units[:, :1]) / units[:, 1:]


@_registered
class Baseline(keras.layers.Layer):
    """A forecast by one of the maps of `features.baselines`, of the window's first targets.

    Args:
        method: the map's name.
        horizon, targets: how much is forecast.
        settings: further arguments of the map, by name.
    """

    def __init__(
        self, method: str, horizon: int, targets: int, settings: dict[str, int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.method, self.horizon, self.targets = method, horizon, targets
        self.settings = dict(settings)

    def call(self, window: Any) -> Any:
        weights = getattr(baselines, self.method)(window.shape[1], self.horizon, **self.settings)
        values = window[..., : self.targets]
        return ops.einsum("hl,blt->bht", ops.array(weights, "float32"), values)

    def get_config(self) -> dict[str, Any]:
        own = {"method": self.method, "horizon": self.horizon, "targets": self.targets}
        return {**super().get_config(), **own, "settings": self.settings}
