"""A user's preprocessing of windows: once, in the graph, for training and for serving.

A window is float32 [batch, lookback, channels] in the data's own units, its missing cells filled
as the network would fill them (`series_fill`). From its columns the function makes new ones, which
the network sees in place of the covariates: first the targets, then the new columns, then those
known ahead and the calendar. All but the new ones stay as they are. So a forecast remains in the
units of the targets, and scaling and differencing are undone as usual.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from millrace.components.errors import OptionError
from millrace.components.features import hook as hooks
from millrace.components.features import series_fill
from millrace.components.features.hook_spec import PLACE
from millrace.components.features.series_spec import SeriesSpec
from millrace.serving.errors import few

Floats = NDArray[np.float32]

_BATCH = 1024  # windows prepared at once


def prepared(window: tf.Tensor, spec: SeriesSpec) -> tf.Tensor:
    """What a network sees of windows, float32 [batch, lookback, seen and calendar].

    Without a hook the windows themselves.

    Raises:
        DataError, OptionError: see `made`.
    """
    if spec.hook is None:
        return window
    window = _filled(window, spec)
    columns = _made(window, spec)
    own = tf.stack([columns[name] for name in spec.made], axis=-1)
    first, last = len(spec.targets), len(spec.targets) + len(spec.covariates)
    seen = tf.concat([window[..., :first], own, window[..., last:]], axis=-1)
    return tf.ensure_shape(seen, [None, *spec.layout.inputs[0].shape])


def made(window: tf.Tensor, spec: SeriesSpec) -> dict[str, tf.Tensor]:
    """The columns that the hook of `spec` makes of windows, float32 [batch, lookback] each.

    Raises:
        DataError: the function's code has changed since the analysis.
        OptionError: it cannot be served, see `hook.apply`; or it returns something else, or a
            column that it must not change.
    """
    return _made(_filled(window, spec), spec)


def _filled(window: tf.Tensor, spec: SeriesSpec) -> tf.Tensor:
    return series_fill.filled(window, spec.fill) if spec.fill else window


def _made(window: tf.Tensor, spec: SeriesSpec) -> dict[str, tf.Tensor]:
    bases = spec.bases.get("window") or [0.0] * len(spec.channels)  # rounded to float32 here
    given = {
        name: window[..., place] + bases[place] if bases[place] else window[..., place]
        for place, name in enumerate(spec.channels)
    }
    columns = hooks.columns(spec.hook, given, [tf.TensorSpec([None, spec.lookback], tf.float32)])
    kept = [name for name in spec.channels if name in columns and name not in spec.covariates]
    if kept:
        raise OptionError(
            f"{PLACE}: expected {spec.hook and spec.hook.function} to add columns to "
            f"{few(name for name in spec.channels if name not in spec.covariates)}, which "
            f"stay as they are. Received: {few(kept)} among its own. Return only new "
            "columns, under other names."
        )
    return columns


def prepared_windows(windows: Floats, spec: SeriesSpec) -> Iterator[tuple[slice, Floats]]:
    """`prepared` for windows [windows, lookback, channels], some at a time, each with its place."""
    return _in_parts(windows, _prepare(spec))


def made_windows(windows: Floats, spec: SeriesSpec) -> Iterator[tuple[tuple[str, ...], Floats]]:
    """`made` for windows, some at a time: sorted names, float32 [windows, lookback, columns]."""
    names: tuple[str, ...] = tuple(sorted(made(tf.constant(windows[:1]), spec)))
    for _, columns in _in_parts(windows, _make(spec)):
        yield names, columns


def _in_parts(
    windows: Floats, function: Callable[[tf.Tensor], tf.Tensor]
) -> Iterator[tuple[slice, Floats]]:
    for start in range(0, len(windows), _BATCH):
        part = slice(start, start + _BATCH)
        yield part, function(tf.constant(np.ascontiguousarray(windows[part]))).numpy()


@functools.lru_cache(maxsize=4)
def _prepare(spec: SeriesSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    return _graph(lambda window: prepared(window, spec), spec)


@functools.lru_cache(maxsize=4)
def _make(spec: SeriesSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    def stacked(window: tf.Tensor) -> tf.Tensor:
        columns = made(window, spec)
        return tf.stack([columns[name] for name in sorted(columns)], axis=-1)

    return _graph(stacked, spec)


def _graph(
    function: Callable[[tf.Tensor], tf.Tensor], spec: SeriesSpec
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Traced once for any number of windows; its errors pass unchanged."""
    signature = [tf.TensorSpec([None, *spec.served_inputs[0].shape], tf.float32)]
    traced: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        function, input_signature=signature, autograph=False
    )
    return traced
