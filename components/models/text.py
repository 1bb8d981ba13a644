"""Text classifiers in Keras: from token ids to the scores of classes.

Every network takes `tokens`, int32 [batch, length], where 0 is padding, and where the spec has
letters these too, uint8 [batch, letters], even if it looks at one of them alone. Dropout has layers
of its own and none inside recurrent cells, which would prevent the export of the model. Layers have
fixed names, by which a later training finds the weights of an earlier one.
"""

import functools
import logging
from collections.abc import Iterator
from typing import assert_never

import keras
from etils.epath import Path

from millrace.components.errors import OptionError
from millrace.components.features.text_spec import TextSpec
from millrace.components.models import hub, saved_model_layer, word_vectors
from millrace.components.models.layer_pieces import activated, initializer, within
from millrace.components.models.networks import (
    SCORES,
    Networks,
    as_taken,
    chained,
    fully_connected,
    penalty,
    scores,
)
from millrace.components.models.ngram_layer import ScoresOfNgrams
from millrace.components.models.text_layers import AverageOfTokens, BagOfTokens, inverse_frequencies
from millrace.components.models.text_options import (
    Bag,
    Descended,
    Embedded,
    Embedding,
    Head,
    Letters,
    Ngrams,
    TextConv,
    TextModel,
    TextRnn,
    TextTransfer,
)

logger = logging.getLogger("millrace.components.trainer")

_DIMENSIONS = 16
_BYTES, _SPACE = 256, 32
_CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
_POOLINGS = {
    "average": AverageOfTokens,
    "max": keras.layers.GlobalMaxPooling1D,
    "flatten": keras.layers.Flatten,
}


def build(options: TextModel, spec: TextSpec, *, units: int, activation: str) -> Networks:
    """The network that `options` describe, its last layer of `units` with `activation`.

    Raises:
        OptionError: a convolution sees more tokens than there are, `embedding_dim` is not that of
            the pretrained vectors, or there are no letters.
        DataError: the pretrained vectors cannot be read.
    """
    inputs = {
        column.name: keras.Input(column.shape, dtype=column.dtype, name=column.name)
        for column in spec.layout.inputs
    }
    match options:
        case Ngrams():
            most = options.most if options.longest > 1 else 0
            layer = ScoresOfNgrams(spec.size, options.longest, most, units, activation, name=SCORES)
            outputs = layer(inputs["tokens"])
        case Letters():
            _check_letters(options, spec)
            sizes = (_BYTES, options.longest, options.most, units)
            layer = ScoresOfNgrams(*sizes, activation, border=_SPACE, name=SCORES)
            outputs = layer(inputs["letters"])
        case TextTransfer():
            _check_letters(options, spec)
            layers = [_pretrained(options), *_head(options), scores(options, units, activation)]
            outputs = chained(layers, inputs["letters"])
        case _:
            layers = [*_hidden(options, spec), *_head(options), scores(options, units, activation)]
            outputs = chained(layers, inputs["tokens"])
    taken = as_taken(inputs)
    model = keras.Model(taken, outputs, name=options.kind)
    _load(model, options, spec)
    return Networks(training=model, inference=keras.Model(taken, outputs, name=options.kind))


def _hidden(options: Descended, spec: TextSpec) -> Iterator[keras.Layer]:
    match options:
        case Bag():
            yield BagOfTokens(spec.size, options.weigh, name="bag")
        case Embedding():
            yield from _embedding(options, spec, mask=options.pooling == "average")
            yield _POOLINGS[options.pooling](name=options.pooling)
        case TextConv():
            _check_kernel(options, spec)
            yield from _embedding(options, spec, mask=False)
            yield from _convolutions(options)
            yield _POOLINGS[options.pooling](name=f"global_{options.pooling}")
        case TextRnn():
            yield from _embedding(options, spec, mask=options.pooling != "max")
            yield from _recurrent(options)
        case _:
            assert_never(options)


def _pretrained(options: TextTransfer) -> keras.Layer:
    """A vector for the letters of each text, [batch, size]."""
    if not options.weights:
        raise OptionError(
            "trainer.model.weights: expected the folder or the address of a SavedModel with "
            "text_transfer. Received: none. Set it."
        )
    folder = hub.local(options.weights, "trainer.model.weights")
    return saved_model_layer.of_texts(folder, options.endpoint, options.cut, "backbone")


def _embedding(options: Embedded, spec: TextSpec, *, mask: bool) -> Iterator[keras.Layer]:
    """A vector for each id, [batch, length, embedding_dim]; with `mask`, padding is skipped."""
    yield keras.layers.Embedding(
        spec.size,
        _vectors(options, spec).matrix.shape[1] if options.vectors else _dimensions(options),
        embeddings_initializer=initializer(options, "embeddings_initializer"),
        embeddings_regularizer=keras.regularizers.L2(options.embedding_l2)
        if options.embedding_l2
        else None,
        mask_zero=mask,
        trainable=not options.vectors or options.train_vectors,
        name="embedding",
    )
    if options.embedding_dropout:
        yield keras.layers.SpatialDropout1D(options.embedding_dropout, name="embedding_dropout")
    if options.token_dropout:
        each = (None, spec.sequence_length, 1)  # one draw for all numbers of a token's vector
        yield keras.layers.Dropout(options.token_dropout, noise_shape=each, name="token_dropout")


def _dimensions(options: Embedded) -> int:
    return options.embedding_dim or _DIMENSIONS


def _convolutions(options: TextConv) -> Iterator[keras.Layer]:
    for number, filters in enumerate(options.filters, start=1):
        yield keras.layers.Conv1D(
            filters,
            options.kernel_size,
            strides=options.strides,
            padding=options.padding,
            activation=within(options),
            kernel_initializer=initializer(options),
            kernel_regularizer=penalty(options),
            name=f"conv{number}",
        )
        if within(options) is None:
            yield activated(options.activation, f"conv{number}")


def _recurrent(options: TextRnn) -> Iterator[keras.Layer]:
    for number, units in enumerate(options.units, start=1):
        is_last = number == len(options.units) and options.pooling == "last"
        layer = _CELLS[options.cell](
            units,
            return_sequences=not is_last,
            kernel_initializer=initializer(options),
            recurrent_initializer=initializer(options, "recurrent_initializer"),
            kernel_regularizer=penalty(options),
            name=f"{options.cell}{number}",
        )
        is_both = options.bidirectional
        yield keras.layers.Bidirectional(layer, name=f"both{number}") if is_both else layer
    if options.pooling != "last":
        yield _POOLINGS[options.pooling](name=f"global_{options.pooling}")


def _head(options: Head) -> Iterator[keras.Layer]:
    if options.dropout:
        yield keras.layers.Dropout(options.dropout, name="dropout")
    yield from fully_connected(options, options.dense)


def _load(model: keras.Model, options: TextModel, spec: TextSpec) -> None:
    """Set the weights that are known before training."""
    if isinstance(options, Bag):
        if options.weigh == "tf_idf":
            weights = inverse_frequencies(spec.document_frequencies, spec.documents)
            model.get_layer("bag").weigh(weights)
    elif isinstance(options, Embedded) and options.vectors:
        model.get_layer("embedding").set_weights([_vectors(options, spec).matrix])


@functools.lru_cache(maxsize=1)
def _vectors(options: Embedded, spec: TextSpec) -> word_vectors.WordVectors:
    """The pretrained vectors of the vocabulary.

    Raises:
        OptionError: they have another number of dimensions than requested.
    """
    found = word_vectors.read(Path(options.vectors).expanduser(), spec.names)
    dimensions = found.matrix.shape[1]
    if options.embedding_dim not in (None, dimensions):
        raise OptionError(
            f"trainer.model.embedding_dim: expected {dimensions}, as in {options.vectors}. "
            f"Received: {options.embedding_dim}. Leave it out."
        )
    logger.info(
        "%d of %d tokens have a vector of %d numbers in %s; the others start at random",
        *(found.found, len(spec.vocabulary), dimensions, options.vectors),
    )
    return found


def _check_letters(options: Letters | TextTransfer, spec: TextSpec) -> None:
    if not spec.letters:
        raise OptionError(
            f"trainer.model={options.kind}: expected texts with their letters. Received: tokens "
            "alone. Set analyze.features.letters=true, or choose another network, such as ngrams."
        )


def _check_kernel(options: TextConv, spec: TextSpec) -> None:
    length = spec.sequence_length
    for number in range(1, len(options.filters) + 1):
        if options.padding == "valid" and length < options.kernel_size:
            raise OptionError(
                f"trainer.model.kernel_size, convolution {number} of texts of "
                f"{spec.sequence_length} tokens: expected at least {options.kernel_size} left. "
                f"Received: {length}. Use padding=same, fewer convolutions or a larger "
                "analyze.features.sequence_length."
            )
        left = length - options.kernel_size + 1 if options.padding == "valid" else length
        length = -(-left // options.strides)
