"""Values for the missing cells of a window, made from its other cells alone.

A window is all that a served model is given, so nothing else may be used, not even in training: no
row after it, which is to be forecast, and no row before it, which a client does not send. Written
once, in stock TensorFlow ops: the layers of `models.series_layers` call it in training and serving,
`series_hook` in front of a user's preprocessing, and the evaluator in front of the baselines. A
missing cell is NaN.
"""

import math

import tensorflow as tf

from millrace.components.features.series_spec import Fill


def filled(rows: tf.Tensor, fill: Fill) -> tf.Tensor:
    """`rows` with a value in every cell of the first columns, those that `fill` has a level for.

    `linear` and `seasonal` draw a line between two known cells. At the end, where the next one is
    not known yet, every method but `zero` repeats the last known value, and at the start the first
    one; a column without any gets its level.

    Args:
        rows: float32 [batch, rows, channels], oldest first; the calendar's channels come last and
            stay as they are.
        fill: how.
    """
    columns = len(fill.level)
    given, rest = rows[..., :columns], rows[..., columns:]
    known = _zeros(given) if fill.impute == "zero" else _from_neighbours(given, fill)
    return tf.concat([known, rest], axis=-1)


def filled_ahead(window: tf.Tensor, ahead: tf.Tensor, fill: Fill, first: int) -> tf.Tensor:
    """The columns known ahead, float32 [batch, horizon, known], with a value in every cell.

    They are known for the rows to be forecast, the only future that a forecast may look at.

    Args:
        window: float32 [batch, lookback, channels], the rows before.
        ahead: float32 [batch, horizon, known].
        fill: how; its level is of the columns known ahead.
        first: the first of these columns among the channels of `window`.
    """
    before = window[..., first : first + len(fill.level)]
    return filled(tf.concat([before, ahead], axis=1), fill)[:, window.shape[1] :]


def _zeros(given: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_nan(given), tf.zeros_like(given), given)


def _from_neighbours(given: tf.Tensor, fill: Fill) -> tf.Tensor:
    if fill.impute == "seasonal":
        given = _last_known(given, fill.season)
    place = tf.range(given.shape[1], dtype=tf.float32)[None, :, None]
    places = tf.where(tf.math.is_nan(given), given, place + tf.zeros_like(given))
    both = tf.concat([given, places], axis=-1)
    before, place_before = tf.split(_last_known(both, 1), 2, axis=-1)
    turned = _last_known(tf.reverse(both, [1]), 1)
    after, place_after = tf.split(tf.reverse(turned, [1]), 2, axis=-1)
    found = given
    if fill.impute != "forward":
        share = (place - place_before) / (place_after - place_before)
        found = _where_missing(found, before + (after - before) * share)
    found = _where_missing(_where_missing(found, before), after)
    return _where_missing(found, tf.constant(fill.level, tf.float32) + tf.zeros_like(given))


def _last_known(values: tf.Tensor, step: int) -> tf.Tensor:
    """Each cell, or the nearest known one whole `step`s before it; NaN where there is none.

    The reach doubles each time: log2(rows / step) selections.
    """
    reach = step
    while reach < values.shape[1]:
        earlier = tf.pad(values[:, :-reach], [[0, 0], [reach, 0], [0, 0]], constant_values=math.nan)
        values = _where_missing(values, earlier)
        reach *= 2
    return values


def _where_missing(values: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_nan(values), others, values)
