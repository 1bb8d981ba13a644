"""From the columns of a table to what a network sees: written once, in TensorFlow ops.

`transform` runs these in Beam and `export` puts them in front of the model. Stock ops without
tables or variables: a vocabulary is looked up by a binary search over the hashes of its values, and
the value found is compared with the one sought, so no two are ever mixed up.
"""

import numpy as np
import tensorflow as tf

from millrace.components.features import hook
from millrace.components.features.table_spec import (
    FIRST,
    MISSING,
    UNKNOWN,
    Buckets,
    Category,
    Cross,
    Discrete,
    RawColumn,
    TableSpec,
)

Tensors = dict[str, tf.Tensor]

_HASHES = 2**62  # buckets of the fingerprint, as many as int64 holds evenly


def preprocess(columns: Tensors, spec: TableSpec) -> Tensors:
    """The inputs of a network for rows of a table.

    Args:
        columns: by the name of each of `spec.raw`: string [batch], missing ones empty; or
            float32 [batch], missing ones NaN.
        spec: how they become inputs.

    Returns:
        `numeric` float32 [batch, numbers] and `categorical` int32 [batch, inputs], each where
        `spec.layout` has it.
    """
    columns = hook.columns(spec.hook, columns)
    inputs: Tensors = {}
    if spec.numbers:
        inputs["numeric"] = _numeric(columns, spec)
    if spec.discrete:
        ids = {each.name: _ids(columns[each.name], each) for each in spec.discrete}
        sizes = {each.name: each.size for each in spec.discrete}
        every = [*ids.values(), *(_crossed(ids, sizes, cross) for cross in spec.crosses)]
        places = tf.stack(every, axis=1) + tf.constant(spec.offsets, tf.int64)
        inputs["categorical"] = tf.cast(places, tf.int32)
    return inputs


def parse(examples: tf.Tensor, spec: TableSpec) -> Tensors:
    """The columns in serialised Examples, string [batch], as `preprocess` takes them.

    A feature that is absent or empty is missing; of several values the first counts.
    """
    dtypes = {"bytes": tf.string, "int64": tf.int64, "float32": tf.float32}
    wanted = {raw.name: tf.io.RaggedFeature(dtypes[raw.dtype]) for raw in spec.raw}
    parsed = tf.io.parse_example(examples, wanted)
    return {raw.name: _first(parsed[raw.name], raw) for raw in spec.raw}


def _first(values: tf.RaggedTensor, raw: RawColumn) -> tf.Tensor:
    if raw.dtype != "bytes":
        values = tf.cast(values, tf.float32)
    default = "" if raw.dtype == "bytes" else np.nan
    return values.to_tensor(default, shape=[None, 1])[:, 0]


def _numeric(columns: Tensors, spec: TableSpec) -> tf.Tensor:
    values = tf.stack([columns[each.name] for each in spec.numbers], axis=1)
    is_missing = tf.math.is_nan(values)
    filled = tf.where(is_missing, _row([each.default for each in spec.numbers]), values)
    centers = _row([each.center for each in spec.numbers])
    scaled = (filled - centers) / _row([each.scale for each in spec.numbers])
    indicated = [place for place, each in enumerate(spec.numbers) if each.indicator]
    if not indicated:
        return scaled
    indicators = tf.gather(tf.cast(is_missing, tf.float32), indicated, axis=1)
    return tf.concat([scaled, indicators], axis=1)


def _row(numbers: list[float]) -> tf.Tensor:
    return tf.constant([numbers], tf.float32)


def _ids(values: tf.Tensor, discrete: Discrete) -> tf.Tensor:
    """The id of each value, int64 [batch], before the offset."""
    if isinstance(discrete, Buckets):
        return _bucket_ids(values, discrete)
    if values.dtype != tf.string:
        values = _as_text(values)
    return _vocabulary_ids(values, discrete)


def _bucket_ids(values: tf.Tensor, buckets: Buckets) -> tf.Tensor:
    boundaries = tf.constant(buckets.boundaries, tf.float32)
    found = FIRST + tf.searchsorted(boundaries, values, side="right", out_type=tf.int64)
    return tf.where(tf.math.is_nan(values), tf.constant(MISSING, tf.int64), found)


def _as_text(values: tf.Tensor) -> tf.Tensor:
    """Whole numbers as the vocabulary writes them; NaN becomes "", any other number is unknown."""
    is_whole = tf.equal(values, tf.round(values))
    whole = tf.strings.as_string(tf.cast(tf.where(is_whole, values, 0.0), tf.int64))
    text = tf.where(is_whole, whole, tf.strings.as_string(values))
    return tf.where(tf.math.is_nan(values), tf.constant(""), text)


def _vocabulary_ids(values: tf.Tensor, category: Category) -> tf.Tensor:
    with tf.init_scope():  # while the graph is made, not when it runs
        hashes = tf.strings.to_hash_bucket_fast(tf.constant(category.vocabulary), _HASHES).numpy()
    order = np.argsort(hashes, kind="stable")
    words = tf.constant([category.vocabulary[place] for place in order])
    wanted = tf.strings.to_hash_bucket_fast(values, _HASHES)
    places = tf.searchsorted(tf.constant(hashes[order]), wanted)
    places = tf.minimum(places, len(order) - 1)
    is_known = tf.equal(tf.gather(words, places), values)
    ids = tf.where(is_known, FIRST + tf.gather(tf.constant(order), places), UNKNOWN)
    return tf.where(tf.equal(values, ""), tf.constant(MISSING, tf.int64), ids)


def _crossed(ids: Tensors, sizes: dict[str, int], cross: Cross) -> tf.Tensor:
    """The id of each combination: its number if all fit, else a hash of it."""
    combined = tf.zeros_like(ids[cross.columns[0]])
    combinations = 1
    for name in cross.columns:
        combined = combined * sizes[name] + ids[name]
        combinations *= sizes[name]
    if combinations <= cross.size:
        return combined
    return tf.strings.to_hash_bucket_fast(tf.strings.as_string(combined), cross.size)
