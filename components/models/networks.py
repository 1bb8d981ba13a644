"""What every builder of networks returns, and the layers that most of them end in."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras

from millrace.components.models.layer_options import FullyConnected, Kernels
from millrace.components.models.layer_pieces import activated, initializer, within

SCORES = "scores"  # the name of the last layer that has weights or an activation
RESCALED = "rescaled"  # that of the layer after it, which brings a regression to the label's units

Wired = Callable[[keras.KerasTensor], keras.KerasTensor]


@dataclasses.dataclass(frozen=True)
class Networks:
    """One set of layers, wired for training and for inference.

    Attributes:
        training: with layers that only training has, such as augmentation; to be compiled.
        inference: without them, and never compiled: it is saved and exported without the
            optimizer's state, which is twice as large as the weights and of no use there.
    """

    training: keras.Model
    inference: keras.Model


def chained(layers: Iterable[Wired], inputs: keras.KerasTensor) -> keras.KerasTensor:
    """The output of `layers`, one after another."""
    return functools.reduce(lambda tensor, layer: layer(tensor), layers, inputs)


def as_taken(inputs: Mapping[str, Any]) -> Any:
    """`inputs` as a network takes them: one as it is, several in a dictionary by name."""
    return dict(inputs) if len(inputs) > 1 else next(iter(inputs.values()))


def scores(
    options: Kernels, units: int, activation: str, *, kernel_initializer: str = "glorot_uniform"
) -> keras.layers.Dense:
    """The last layer: float32 [..., units], whatever the precision of the others."""
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=penalty(options),
        name=SCORES,
        dtype="float32",
    )


def fully_connected(options: FullyConnected, widths: tuple[int, ...]) -> Iterator[keras.Layer]:
    """A layer `dense<n>` of each of `widths`, [batch, any] to [batch, width]."""
    for number, units in enumerate(widths, start=1):
        name = f"dense{number}"
        yield keras.layers.Dense(
            units,
            activation=None if options.batch_normalization else within(options),
            kernel_initializer=initializer(options),
            kernel_regularizer=penalty(options),
            name=name,
        )
        yield from left_out(options, name)
        if options.dropout:
            yield keras.layers.Dropout(options.dropout, name=f"{name}_dropout")


def left_out(options: FullyConnected, name: str) -> Iterator[keras.Layer]:
    """Batch normalisation and, after it, the activation, where layer `name` left them out."""
    if options.batch_normalization:
        yield keras.layers.BatchNormalization(momentum=options.batch_momentum, name=f"{name}_norm")
    if options.batch_normalization or within(options) is None:
        yield activated(options.activation, name)


def penalty(options: Kernels) -> keras.Regularizer | None:
    """The L1 and L2 penalties on a kernel, if any."""
    return keras.regularizers.L1L2(options.l1, options.l2) if options.l1 or options.l2 else None
