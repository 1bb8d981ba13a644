"""Recurrent language models in Keras: from token ids to the scores of each token to come next.

A network is built for whole windows, as in training; `step` runs the same layers for one token at a
time, as in generation: the state is kept between steps, so a token costs one pass through the cells
however long the text has become.
"""

from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from millrace.components.errors import ModelError
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.models.continuations import Continuations
from millrace.components.models.language_options import Generator, LanguageModel
from millrace.components.models.layer_pieces import initializer
from millrace.components.models.networks import (
    SCORES,
    Networks,
    chained,
    penalty,
    scores,
)

States = list[list[tf.Tensor]]  # per recurrent layer its state, each [batch, units]

_CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
_EMBEDDING = "embedding"


def build(options: LanguageModel, spec: LanguageSpec, *, units: int, activation: str) -> Networks:
    """The network that `options` describe, int32 [batch, length] -> float32 [batch, length, units].

    Args:
        options: width and number of the layers.
        spec: the vocabulary.
        units: of the last layer, one per id.
        activation: of the last layer, `softmax` or `linear`.

    The two networks share their layers; only the one for training drops outputs. (A recurrent
    layer that drops them itself holds a random state that `tf.saved_model.save` refuses.)
    """
    (column,) = spec.layout.inputs
    tokens = keras.Input((None,), dtype=column.dtype, name=column.name)  # any length will do
    layers = list(_layers(options, spec))
    head = scores(options, units, activation)
    dropped = _with_dropout(layers, options.dropout)
    return Networks(
        training=keras.Model(tokens, chained([*dropped, head], tokens), name=options.kind),
        inference=keras.Model(tokens, chained([*layers, head], tokens), name=options.kind),
    )


def _layers(options: Generator, spec: LanguageSpec) -> Iterator[keras.Layer]:
    # Without a mask: padding comes last, so nothing that counts is computed from it.
    yield keras.layers.Embedding(spec.tokens, options.embedding_dim, name=_EMBEDDING)
    for number, units in enumerate(options.units, start=1):
        yield _CELLS[options.cell](
            units,
            return_sequences=True,
            kernel_initializer=initializer(options),
            kernel_regularizer=penalty(options),
            name=f"{options.cell}{number}",
        )


def _with_dropout(layers: Sequence[keras.Layer], share: float) -> Iterator[keras.Layer]:
    for layer in layers:
        yield layer
        if share:
            yield keras.layers.Dropout(share, name=f"{layer.name}_dropout")


def initial(model: keras.Model, batch: tf.Tensor | int) -> States:
    """The state of `model`'s recurrent layers before the first token: zeros [batch, units].

    Raises:
        ModelError: `model` was not made by `build`.
    """
    states: States = [
        [tf.zeros([batch, size], layer.compute_dtype) for size in _sizes(layer)]
        for layer in _recurrent(model)
    ]
    if counts := _continuations(model):
        states.append([tf.zeros([batch, counts.order - 1], tf.int32)])  # the last tokens
    return states


def step(model: keras.Model, tokens: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
    """One token of each row through an inference network of `build`.

    Args:
        model: `Networks.inference`, loaded from its file or not.
        tokens: int32 [batch].
        states: of the tokens before; `initial` before the first.

    Returns:
        The scores of each token to come next as logits (up to a constant of each row), float32
        [batch, units], and the states after `tokens`.
    """
    flow = model.get_layer(_EMBEDDING)(tokens)
    after: States = []
    recurrent = _recurrent(model)
    for layer, state in zip(recurrent, states[: len(recurrent)], strict=True):
        flow, new = layer.cell(flow, state, training=False)
        after.append(list(new))
    head = model.get_layer(SCORES)
    logits = tf.matmul(tf.cast(flow, tf.float32), head.kernel) + head.bias
    if counts := _continuations(model):
        ((before,),) = states[len(recurrent) :]
        history = tf.concat([before[:, 1:], tokens[:, None]], 1)
        after.append([history])
        is_linear = counts.activation is keras.activations.linear
        mixed = counts.mixed(history, logits if is_linear else tf.nn.softmax(logits))
        return (mixed if is_linear else tf.math.log(mixed)), after
    return logits, after


def _continuations(model: keras.Model) -> Continuations | None:
    last = model.layers[-1]
    return last if isinstance(last, Continuations) else None


def _recurrent(model: keras.Model) -> list[keras.Layer]:
    """The recurrent layers of a network of `build`, in the order in which tokens pass them."""
    kinds = (
        keras.layers.InputLayer,
        keras.layers.Embedding,
        keras.layers.Dense,
        Continuations,
    )
    layers = [layer for layer in model.layers if not isinstance(layer, kinds)]
    others = [layer.name for layer in layers if not isinstance(layer, tuple(_CELLS.values()))]
    if others or not layers:
        raise ModelError(
            "Generator: expected an embedding, LSTM or GRU layers, and a dense layer, which can "
            f"run token by token. Received: {', '.join(others) or 'no recurrent layer'}. "
            "Use trainer.model=generator."
        )
    return layers


def _sizes(layer: keras.Layer) -> list[int]:
    size = layer.cell.state_size
    return list(size) if isinstance(size, list | tuple) else [size]
