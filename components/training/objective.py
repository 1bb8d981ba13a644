"""What a classifier is trained towards: its loss, the form of its output, how labels are written.

Plain choices, without Keras; `compiling` turns them into Keras's objects.
"""

import dataclasses
from typing import Literal

from components.errors import OptionError

Loss = Literal[
    "auto",
    "binary_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
]
Output = Literal["probabilities", "logits"]


@dataclasses.dataclass(frozen=True)
class Objective:
    """Attributes say how the last layer and the loss fit together.

    Attributes:
        loss: Keras's name.
        units: outputs of the last layer: 1 for `binary_crossentropy`, else one per class.
        classes: how many there are.
        logits: whether the outputs are logits, the loss's `from_logits`.
        label_smoothing: share of the target spread over all classes.
    """

    loss: str
    units: int
    classes: int
    logits: bool
    label_smoothing: float = 0.0

    @property
    def is_binary(self) -> bool:
        """Whether one output tells the second class from the first."""
        return self.units == 1

    @property
    def is_one_hot(self) -> bool:
        """Whether the loss takes labels as one-hot rows rather than indices."""
        return self.loss == "categorical_crossentropy"

    @property
    def activation(self) -> str:
        """Of the last layer."""
        if self.logits:
            return "linear"
        return "sigmoid" if self.is_binary else "softmax"


def settle(classes: int, loss: Loss, output: Output, label_smoothing: float) -> Objective:
    """The objective for `classes` classes; `auto` goes by their number.

    Two classes: `binary_crossentropy`. More: `sparse_categorical_crossentropy`, or with label
    smoothing, which that has not, `categorical_crossentropy`.

    Raises:
        OptionError: the loss does not fit the number of classes or the smoothing.
    """
    name: str = loss
    if loss == "auto" and classes == 2:
        name = "binary_crossentropy"
    elif loss == "auto":
        name = "categorical_crossentropy" if label_smoothing else "sparse_categorical_crossentropy"
    if name == "binary_crossentropy" and classes != 2:
        raise OptionError(
            "trainer.loss: binary_crossentropy expected 2 classes. "
            f"Received: {classes}. Leave trainer.loss=auto."
        )
    if name == "sparse_categorical_crossentropy" and label_smoothing:
        raise OptionError(
            "trainer.label_smoothing: expected 0 with sparse_categorical_crossentropy. "
            f"Received: {label_smoothing}. Use trainer.loss=categorical_crossentropy."
        )
    units = 1 if name == "binary_crossentropy" else classes
    return Objective(name, units, classes, output == "logits", label_smoothing)
