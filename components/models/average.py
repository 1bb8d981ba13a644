"""A network that is the weighted average of others which take the same inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

AVERAGE = "average"


@keras.saving.register_keras_serializable(package="millrace")
class WeightedAverage(keras.layers.Layer):
    """The sum of its inputs, all of one shape, times `shares`.

    Attributes:
        shares: of each input; their sum is 1.
        activation: what its inputs ended in, by which those who read the answers tell
            probabilities from logits.
    """

    def __init__(self, shares: Sequence[float], activation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shares, self.activation = list(shares), keras.activations.get(activation)

    def call(self, answers: Sequence[Any]) -> Any:
        """The average, float32."""
        parts = (keras.ops.cast(answer, "float32") for answer in answers)
        return sum(share * part for share, part in zip(self.shares, parts, strict=True))

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "shares": self.shares, "activation": activation}


def averaged(models: Mapping[str, keras.Model], shares: Sequence[float]) -> keras.Model:
    """The average of `models`, by name, each within the network under that name.

    Args:
        models: which take the same inputs and answer in the same shape.
        shares: of each.
    """
    first = next(iter(models.values()))
    # Of inputs of the first: the others' have the same names and shapes.
    single = not isinstance(first.input, dict)
    inputs = {
        each.name: keras.Input(each.shape[1:], dtype=each.dtype, name=each.name)
        for each in first.inputs
    }
    taken = next(iter(inputs.values())) if single else inputs
    answers = [
        keras.Model(model.input, model.output, name=name)(taken) for name, model in models.items()
    ]
    last = first.layers[-1]
    activation = keras.activations.serialize(getattr(last, "activation", keras.activations.linear))
    average = WeightedAverage(shares, activation, name=AVERAGE, dtype="float32")
    return keras.Model(taken, average(answers), name=AVERAGE)
