"""A classifier that is as sure as it should be: its logits divided by a temperature.

Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks" (2017). The order
of the classes stays as it is. Where the network ends in a `Dense` layer, its kernel and bias are
divided: no layer is added, and plain Keras loads the file. Another network gets one more layer.
"""

from typing import Any

import keras

LEAST = 1e-30  # a probability below is taken for this one: float32 has a logarithm of it
CLOSEST = 6e-8  # likewise of what is left to 1: half of float32's epsilon


@keras.saving.register_keras_serializable(package="millrace")
class Temperature(keras.layers.Layer):
    """Its input as if the logits behind it had been divided.

    Attributes:
        temperature: by which.
        activation: what its input ended in: linear, sigmoid or softmax.
    """

    def __init__(self, temperature: float, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature, self.activation = temperature, keras.activations.get(activation)

    def call(self, answers: Any) -> Any:
        """Answers [batch, classes], or [batch, 1] of the second of two; float32."""
        return at(keras.ops.cast(answers, "float32"), self.temperature, self.activation)

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        activation = keras.activations.serialize(self.activation)
        config = {"temperature": self.temperature, "activation": activation}
        return {**super().get_config(), **config}


def at(answers: Any, temperature: float, activation: Any) -> Any:
    """`answers` at a temperature; see `Temperature`."""
    ops = keras.ops
    if activation is keras.activations.linear:
        return answers / temperature
    if answers.shape[-1] == 1:
        rest = ops.maximum(1.0 - answers, CLOSEST)
        return ops.sigmoid((ops.log(ops.maximum(answers, LEAST)) - ops.log(rest)) / temperature)
    return ops.softmax(ops.log(ops.maximum(answers, LEAST)) / temperature)


def warmed(model: keras.Model, temperature: float) -> keras.Model:
    """`model`, a classifier, at `temperature`; its own weights may change."""
    last = model.layers[-1]
    if type(last) is keras.layers.Dense:
        last.set_weights([weight / temperature for weight in last.get_weights()])
        return model
    layer = Temperature(temperature, last.activation, name="temperature", dtype="float32")
    return keras.Model(model.input, layer(model.output), name=model.name)
