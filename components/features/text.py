"""From texts to the token ids that a model sees: written once, in TensorFlow ops.

`transform` runs these in Beam and `export` puts them in front of the model.
"""

import tensorflow as tf

from millrace.components.features import hook, text_limit, tokens
from millrace.components.features.text_spec import TextSpec

TEXTS = tf.TensorSpec([None], tf.string)


def preprocess(text: tf.Tensor, spec: TextSpec) -> tf.Tensor:
    """The ids of texts (string [batch], UTF-8): int32 [batch, sequence_length], padded with 0."""
    text = hook.apply(spec.hook, text, TEXTS)
    if spec.strip_html:
        text = tokens.without_tags(text)
    standard = tokens.standardize(text_limit.shortened(text, spec), spec.standardize)
    most = spec.sequence_length if spec.oov_token and spec.truncating == "post" else None
    pieces = tokens.split(standard, spec.level, spec.vocabulary, most=most)
    ids = tokens.lookup(pieces, spec.vocabulary, drop_unknown=spec.oov_token is None)
    return tokens.pad(ids, spec.sequence_length, spec.padding, spec.truncating)
