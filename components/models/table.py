"""Networks for tables in Keras: from scaled numbers and ids of categories to scores or a number.

Ids of all categories share one range (`features.table_spec`), so one layer turns a row's ids into
the one-hot vectors of its categories, side by side, and one embedding holds a vector for each id.
Layers have fixed names, by which a later training finds the weights of an earlier one.
"""

from collections.abc import Iterator
from typing import assert_never

import keras

from millrace.components.errors import OptionError
from millrace.components.features.table_spec import TableSpec
from millrace.components.models.layer_options import Dense, Kernels
from millrace.components.models.layer_pieces import activated, initializer
from millrace.components.models.networks import (
    RESCALED,
    SCORES,
    Networks,
    as_taken,
    chained,
    fully_connected,
    penalty,
    scores,
)
from millrace.components.models.table_layers import BoostedTrees, PiecewiseLinear
from millrace.components.models.table_options import (
    Resnet,
    TableLinear,
    TableModel,
    Trees,
    WideDeep,
)


def build(options: Dense | TableModel, spec: TableSpec, *, units: int, activation: str) -> Networks:
    """The network that `options` describe, its last layer of `units` with `activation`.

    It takes the inputs of `spec.layout`, several as a dictionary by name, and returns float32
    [batch, units], a regression in the label's units: before its last layer, about 0 and 1 apart.
    """
    inputs = {
        column.name: keras.Input(column.shape, dtype=column.dtype, name=column.name)
        for column in spec.layout.inputs
    }
    is_log = isinstance(options, Resnet | Trees) and options.link == "log"
    if is_log:
        _check_log(spec)
        activation = "exponential"
    if isinstance(options, Trees):
        summed = BoostedTrees(units, name="trees", dtype="float32")(inputs)
        outputs = keras.layers.Activation(activation, name=SCORES, dtype="float32")(summed)
    else:
        joined = _side_by_side(list(_parts(options, spec, inputs)), "all")
        outputs = scores(_kernels(options), units, activation)(joined)
    if spec.target_deviation:
        mean = 0.0 if is_log else spec.target_mean
        outputs = keras.layers.Rescaling(
            spec.target_deviation, mean, name=RESCALED, dtype="float32"
        )(outputs)
    model = keras.Model(as_taken(inputs), outputs, name=options.kind)
    return Networks(training=model, inference=model)


def _kernels(options: Dense | WideDeep | Resnet | TableLinear) -> Kernels:
    return Kernels() if isinstance(options, TableLinear) else options


def _check_log(spec: TableSpec) -> None:
    """Refuse a network that gives a label's logarithm where the label has none.

    Raises:
        OptionError: it is no regression, or of numbers some of which are negative.
    """
    if spec.problem != "regression" or (spec.target_low or 0.0) < 0:
        received = f"{spec.target_low:g}" if spec.problem == "regression" else spec.problem
        raise OptionError(
            "trainer.model.link: log expected a regression of numbers that are never negative. "
            f"Received: {received}. Leave it at identity."
        )


def _parts(
    options: Dense | WideDeep | Resnet | TableLinear,
    spec: TableSpec,
    inputs: dict[str, keras.KerasTensor],
) -> Iterator[keras.KerasTensor]:
    """The inputs of the last layer, each [batch, any]."""
    numeric = [inputs["numeric"]] if "numeric" in inputs else []
    ids = inputs.get("categorical")
    match options:
        case Dense():
            named = [] if ids is None else [_one_hot(ids, spec)]
            yield _deep(options, [*numeric, *named])
        case WideDeep():
            if ids is None:
                yield from numeric  # the wide part of a table without categories
                yield _deep(options, numeric)
            else:
                yield _one_hot(ids, spec)
                yield _deep(options, [*numeric, _embedded(ids, spec, options.embedding_dim)])
        case TableLinear():
            yield from numeric
            if ids is not None:
                yield _one_hot(ids, spec)
        case Resnet():
            yield _residual(options, list(_vectors(options, spec, inputs)))
        case _:
            assert_never(options)


def _vectors(
    options: Resnet, spec: TableSpec, inputs: dict[str, keras.KerasTensor]
) -> Iterator[keras.KerasTensor]:
    """What the first layer of a residual network sees, each [batch, any]."""
    if "numeric" in inputs:
        yield inputs["numeric"]
        if options.bins:
            pieces = PiecewiseLinear(options.bins, options.bin_dim, name="pieces")
            yield keras.layers.Flatten(name="numbers")(pieces(inputs["numeric"]))
    if "categorical" in inputs:
        yield _embedded(inputs["categorical"], spec, options.embedding_dim)


def _residual(options: Resnet, parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    """Blocks of layer normalisation and two layers, each added to what it was given."""
    layers = keras.layers

    def dense(name: str) -> keras.layers.Dense:
        return layers.Dense(
            options.units,
            kernel_initializer=initializer(options),
            kernel_regularizer=penalty(options),
            name=name,
        )

    joined = dense("first")(_side_by_side(parts, "columns"))
    for number in range(1, options.blocks + 1):
        name = f"block{number}"
        block = [
            layers.LayerNormalization(name=f"{name}_norm"),
            dense(f"{name}_in"),
            activated(options.activation, name),
            layers.Dropout(options.dropout, name=f"{name}_dropout"),
            dense(f"{name}_out"),
        ]
        joined = layers.Add(name=name)([joined, chained(block, joined)])
    normal = layers.LayerNormalization(name="norm")(joined)
    return activated(options.activation)(normal)


def _one_hot(ids: keras.KerasTensor, spec: TableSpec) -> keras.KerasTensor:
    """int32 [batch, inputs] to float32 [batch, all ids], one 1 per input."""
    return keras.layers.CategoryEncoding(sum(spec.sizes), "multi_hot", name="one_hot")(ids)


def _embedded(ids: keras.KerasTensor, spec: TableSpec, dim: int) -> keras.KerasTensor:
    """int32 [batch, inputs] to float32 [batch, inputs * dim]."""
    vectors = keras.layers.Embedding(sum(spec.sizes), dim, name="embedding")(ids)
    return keras.layers.Flatten(name="vectors")(vectors)


def _deep(options: Dense | WideDeep, parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    return chained(fully_connected(options, options.units), _side_by_side(parts, "columns"))


def _side_by_side(parts: list[keras.KerasTensor], name: str) -> keras.KerasTensor:
    return keras.layers.Concatenate(name=name)(parts) if len(parts) > 1 else parts[0]
