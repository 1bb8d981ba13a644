"""Fully connected layers, with what may come between and after them."""

from collections.abc import Iterator

import keras

from millrace.components.models.options import FullyConnected, Kernels


def fully_connected(options: FullyConnected, widths: tuple[int, ...]) -> Iterator[keras.Layer]:
    """A layer `dense<n>` of each of `widths`, [batch, any] to [batch, width]."""
    for number, units in enumerate(widths, start=1):
        name = f"dense{number}"
        yield keras.layers.Dense(
            units,
            activation=None if options.batch_normalization else options.activation,
            kernel_initializer=options.kernel_initializer,
            kernel_regularizer=penalty(options),
            name=name,
        )
        yield from normalization(options, name)
        if options.dropout:
            yield keras.layers.Dropout(options.dropout, name=f"{name}_dropout")


def normalization(options: FullyConnected, name: str) -> Iterator[keras.Layer]:
    """Batch normalisation and, after it, the activation that layer `name` left out."""
    if options.batch_normalization:
        yield keras.layers.BatchNormalization(name=f"{name}_norm")
        yield keras.layers.Activation(options.activation, name=f"{name}_{options.activation}")


def penalty(options: Kernels) -> keras.Regularizer | None:
    """The L1 and L2 penalties on a kernel, if any."""
    return keras.regularizers.L1L2(options.l1, options.l2) if options.l1 or options.l2 else None
