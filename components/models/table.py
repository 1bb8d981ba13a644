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
from millrace.components.models.layer_options import Dense
from millrace.components.models.networks import (
    RESCALED,
    SCORES,
    Networks,
    as_taken,
    chained,
    fully_connected,
    scores,
)
from millrace.components.models.table_layers import BoostedTrees
from millrace.components.models.table_options import TableModel, Trees, WideDeep


def build(options: Dense | TableModel, spec: TableSpec, *, units: int, activation: str) -> Networks:
    """The network that `options` describe, its last layer of `units` with `activation`.

    It takes the inputs of `spec.layout`, several as a dictionary by name, and returns float32
    [batch, units], a regression in the label's units: before its last layer, about 0 and 1 apart.
    """
    inputs = {
        column.name: keras.Input(column.shape, dtype=column.dtype, name=column.name)
        for column in spec.layout.inputs
    }
    if isinstance(options, Trees):
        outputs = _trees(options, spec, inputs, units, activation)
    else:
        joined = _side_by_side(list(_parts(options, spec, inputs)), "all")
        outputs = scores(options, units, activation)(joined)
    if spec.target_deviation:
        mean = 0.0 if isinstance(options, Trees) and options.link == "log" else spec.target_mean
        outputs = keras.layers.Rescaling(
            spec.target_deviation, mean, name=RESCALED, dtype="float32"
        )(outputs)
    model = keras.Model(as_taken(inputs), outputs, name=options.kind)
    return Networks(training=model, inference=model)


def _trees(
    options: Trees,
    spec: TableSpec,
    inputs: dict[str, keras.KerasTensor],
    units: int,
    activation: str,
) -> keras.KerasTensor:
    """What trees answer, [batch, units], before a regression is brought to the label's units.

    Raises:
        OptionError: there is a logarithm to add up to, and none of the label.
    """
    if options.link == "log":
        if spec.problem != "regression":
            raise OptionError(
                f"trainer.model.link: expected identity for a {spec.problem}. Received: log. Only "
                "a regression of numbers that are never negative has such a logarithm."
            )
        activation = "exponential"
    summed = BoostedTrees(units, name="trees", dtype="float32")(inputs)
    return keras.layers.Activation(activation, name=SCORES, dtype="float32")(summed)


def _parts(
    options: Dense | WideDeep, spec: TableSpec, inputs: dict[str, keras.KerasTensor]
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
        case _:
            assert_never(options)


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
