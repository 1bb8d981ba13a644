"""From texts to the token ids and letters that a model sees: written once, in TensorFlow ops.

`transform` runs these in Beam and `export` puts them in front of the model.
"""

import tensorflow as tf

from millrace.components.features import hook, letters, record, text_limit, tokens
from millrace.components.features.text_spec import TextSpec

TEXTS = tf.TensorSpec([None], tf.string)


def inputs(text: tf.Tensor, spec: TextSpec) -> dict[str, tf.Tensor]:
    """What a network takes of texts (string [batch], UTF-8), by the names of `spec.layout`."""
    text = hook.apply(spec.hook, text, TEXTS)
    if spec.strip_html:
        text = tokens.without_tags(text)
    found = {record.TOKENS: _ids(text, spec)}
    if spec.letters:
        found[record.LETTERS] = _letters(text, spec.letters, cased=spec.cased)
    return found


def _ids(text: tf.Tensor, spec: TextSpec) -> tf.Tensor:
    """The ids of texts without tags: int32 [batch, sequence_length], padded with 0."""
    standard = tokens.standardize(text_limit.shortened(text, spec), spec.standardize)
    most = spec.sequence_length if spec.oov_token and spec.truncating == "post" else None
    pieces = tokens.split(standard, spec.level, spec.vocabulary, most=most)
    ids = tokens.lookup(pieces, spec.vocabulary, drop_unknown=spec.oov_token is None)
    return tokens.pad(ids, spec.sequence_length, spec.padding, spec.truncating)


def _letters(text: tf.Tensor, size: int, *, cased: bool) -> tf.Tensor:
    """The letters of texts without tags, as `features.letters` has them: uint8 [batch, size]."""
    beginning = tf.strings.substr(text, 0, letters.LOOKED_AT * size, "UTF8_CHAR")
    words = tf.strings.split(tokens.standardize(beginning, "none" if cased else "lower"))
    joined = tf.strings.reduce_join(words, axis=1, separator=" ")
    whole = tf.strings.join([" ", joined, " "])
    return tf.ensure_shape(tf.io.decode_raw(whole, tf.uint8, fixed_length=size), [None, size])
