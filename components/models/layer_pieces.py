"""Activations and initializers of layers, by the names of Keras or those of a person's own.

A name of Keras stays a name. Any other text, see `user_code.calls`, is found and made here.
"""

import functools
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras

from millrace.components.errors import OptionError
from millrace.components.models.layer_options import FullyConnected, Kernels
from millrace.components.user_code import calls, pieces

_MODEL = "trainer.model."
_ACTIVATION = f"{_MODEL}activation"


def within(options: FullyConnected) -> str | None:
    """The activation as a layer with weights has it within itself; None for one of another name."""
    return None if calls.is_call(options.activation) else options.activation


def activated(text: str, after: str = "") -> keras.Layer:
    """The activation that `text` names, as a layer of its own, behind the layer `after`.

    Raises:
        OptionError: it cannot be found, imported or made.
    """
    start = f"{after}_" if after else ""
    if not calls.is_call(text):
        return keras.layers.Activation(text, name=f"{start}{text}")
    name = f"{start}activation"
    found = _piece(text, keras.layers, keras.Layer, _ACTIVATION, {"name": name})
    if not isinstance(found, keras.Layer):
        return OwnActivation(text, name=name)
    found.name = name  # two of one name cannot be in a network
    return found


def initializer(options: Kernels, option: str = "kernel_initializer") -> str | keras.Initializer:
    """Of the weights that `option` is for: by Keras's name, or what another one makes.

    Raises:
        OptionError: it cannot be found, imported or made.
    """
    text: str = getattr(options, option)
    if not calls.is_call(text):
        return text
    if pieces.read(text, _MODEL + option).module:
        return OwnInitializer(text, option)
    return pieces.made(text, keras.initializers, keras.Initializer, _MODEL + option)


def modules_of(options: Any) -> list[str]:
    """Of a person's own, those that a saved network of `options` cannot be loaded without."""
    text = getattr(options, "activation", "")
    if not calls.is_call(text):
        return []
    module = pieces.read(text, _ACTIVATION).module
    return [module] if module else []


def _piece(text: str, library: ModuleType, kind: type, place: str, given: Mapping[str, Any]) -> Any:
    """An object of `kind` that `text` names, or a function that takes what such an object takes."""
    call = pieces.read(text, place)
    found = pieces.find(call, library, place)
    if inspect.isfunction(found) and pieces.missing(found, call):
        pieces.check_arguments(found, call, place)
        return functools.partial(found, **call.named)
    return pieces.made(text, library, kind, place, given, or_function=True)


@keras.saving.register_keras_serializable(package="millrace")
class OwnInitializer(keras.Initializer):
    """A person's own, found by its text when weights are made: a saved network needs it no more.

    Attributes:
        text: see `user_code.calls`.
        option: that named it.
    """

    def __init__(self, text: str, option: str = "kernel_initializer") -> None:
        self.text, self.option = text, option

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The first weights of `shape`."""
        place = _MODEL + self.option
        function = _piece(self.text, keras.initializers, keras.Initializer, place, {})
        call = calls.Call(pieces.read(self.text, place).name)
        named = pieces.taken(function, call, {"dtype": dtype})
        return keras.ops.cast(function(shape, **named), dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        return {"text": self.text, "option": self.option}


@keras.saving.register_keras_serializable(package="millrace")
class OwnActivation(keras.layers.Layer):
    """A person's own function of a tensor, found by its text wherever the layer is made.

    So it need not be registered with Keras. It must keep the shape.

    Attributes:
        text: see `user_code.calls`.
    """

    def __init__(self, text: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.text = text
        self.supports_masking = True
        self._function = _piece(text, keras.layers, keras.Layer, _ACTIVATION, {})

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """What the function returns for `inputs`.

        Raises:
            OptionError: it has another shape.
        """
        found = self._function(inputs)
        shape = getattr(found, "shape", None)
        if shape is None or tuple(shape) != tuple(inputs.shape):
            raise OptionError(
                f"{_ACTIVATION}={self.text}: expected a tensor of the shape that it is given, "
                f"{tuple(inputs.shape)}. Received: {shape and tuple(shape)}. Return one for each "
                "number."
            )
        return found

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        return {**super().get_config(), "text": self.text}
