"""What every builder of networks returns, and the layers that most of them end in."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras

from millrace.components.models.layer_options import FullyConnected, Kernels
from millrace.components.user_code import calls, pieces

_INITIALIZER = "trainer.model.kernel_initializer"

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
            activation=None if options.batch_normalization else options.activation,
            kernel_initializer=initializer(options),
            kernel_regularizer=penalty(options),
            name=name,
        )
        yield from normalization(options, name)
        if options.dropout:
            yield keras.layers.Dropout(options.dropout, name=f"{name}_dropout")


def normalization(options: FullyConnected, name: str) -> Iterator[keras.Layer]:
    """Batch normalisation and, after it, the activation that layer `name` left out."""
    if options.batch_normalization:
        yield keras.layers.BatchNormalization(momentum=options.batch_momentum, name=f"{name}_norm")
        yield keras.layers.Activation(options.activation, name=f"{name}_{options.activation}")


def initializer(options: Kernels) -> str | keras.Initializer:
    """Of a kernel: by Keras's name, or what another one makes."""
    text = options.kernel_initializer
    if not calls.is_call(text):
        return text
    call = pieces.read(text, _INITIALIZER)
    if call.module:
        return OwnInitializer(text)
    return pieces.made(text, keras.initializers, keras.Initializer, _INITIALIZER)


@keras.saving.register_keras_serializable(package="millrace")
class OwnInitializer(keras.Initializer):
    """A person's own, found by its text when weights are made: a saved network needs it no more.

    Attributes:
        text: see `user_code.calls`.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The first weights of `shape`."""
        call = pieces.read(self.text, _INITIALIZER)
        found = pieces.find(call, keras.initializers, _INITIALIZER)
        if inspect.isfunction(found) and pieces.missing(found, call):
            pieces.check_arguments(found, call, _INITIALIZER)
            function: Any = functools.partial(found, **call.named)
        else:
            library, kind = keras.initializers, keras.Initializer
            function = pieces.made(self.text, library, kind, _INITIALIZER, or_function=True)
        named = pieces.taken(function, calls.Call(call.name), {"dtype": dtype})
        return keras.ops.cast(function(shape, **named), dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        return {"text": self.text}


def penalty(options: Kernels) -> keras.Regularizer | None:
    """The L1 and L2 penalties on a kernel, if any."""
    return keras.regularizers.L1L2(options.l1, options.l2) if options.l1 or options.l2 else None
