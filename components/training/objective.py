"""What a network is trained towards: its loss, the form of its output, how targets are written.

Plain choices, without Keras; `compiling` turns them into Keras's objects.
"""

import dataclasses
import math
from typing import Literal

from millrace.components.errors import OptionError
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.spec import Spec
from millrace.components.options.ranges import ShareBelowOne

LossName = Literal[
    "auto",
    "binary_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "mean_absolute_error",
    "mean_squared_error",
    "huber",
]
Output = Literal["probabilities", "logits"]
Task = Literal["classification", "regression", "forecast", "language"]

_OF_NUMBERS = ("mean_absolute_error", "mean_squared_error", "huber")
_OF_CLASSES = (
    "binary_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
)
_FITTING: dict[Task, tuple[str, ...]] = {
    "classification": _OF_CLASSES,
    "regression": _OF_NUMBERS,
    "forecast": _OF_NUMBERS,
    "language": ("sparse_categorical_crossentropy",),
}
_AUTO: dict[Task, str] = {
    "regression": "mean_squared_error",
    "forecast": "mean_absolute_error",
    "language": "sparse_categorical_crossentropy",
}


@dataclasses.dataclass(frozen=True)
class Loss:
    """What training makes small.

    Attributes:
        kind: Keras's name; `auto` goes by the task and the number of classes.
        label_smoothing: share of the target spread over all classes.
    """

    kind: LossName = "auto"
    label_smoothing: ShareBelowOne = 0.0


AUTO = Loss()


@dataclasses.dataclass(frozen=True)
class Objective:
    """Attributes say how the last layer and the loss fit together.

    Attributes:
        loss: Keras's name.
        units: outputs of the last layer: 1 for `binary_crossentropy` and for a regression, one
            per class or token, one per step and target of a forecast.
        classes: how many there are, or tokens; 0 if the targets are numbers.
        logits: whether the outputs are logits, the loss's `from_logits`.
        label_smoothing: share of the target spread over all classes.
        task: what the network does.
    """

    loss: str
    units: int
    classes: int
    logits: bool
    label_smoothing: float = 0.0
    task: Task = "classification"

    @property
    def is_binary(self) -> bool:
        """Whether one output tells the second class from the first."""
        return self.loss == "binary_crossentropy"

    @property
    def is_one_hot(self) -> bool:
        """Whether the loss takes labels as one-hot rows rather than indices."""
        return self.loss == "categorical_crossentropy"

    @property
    def activation(self) -> str:
        """Of the last layer."""
        if self.logits or not self.classes:
            return "linear"
        return "sigmoid" if self.is_binary else "softmax"


def of(spec: Spec, loss: Loss, output: Output) -> Objective:
    """The objective for the task of `spec`; `auto` goes by the task, and the number of classes.

    Regression: `mean_squared_error`. Forecasts: `mean_absolute_error`. Language:
    `sparse_categorical_crossentropy` of each token. Classification: see `settle`.

    Raises:
        OptionError: the loss does not fit the task or the number of classes.
    """
    task = spec.task
    if loss.kind != "auto" and loss.kind not in _FITTING[task]:
        raise OptionError(
            f"trainer.loss: expected a loss for a {task}: {', '.join(_FITTING[task])}. "
            f"Received: {loss.kind}. Choose one of these, or leave it at auto."
        )
    if task == "classification":
        return settle(len(spec.classes), loss, output)
    if loss.label_smoothing:
        raise OptionError(
            f"trainer.loss.label_smoothing: expected 0 for a {task}. Received: "
            f"{loss.label_smoothing}. Only a classification has labels to smooth."
        )
    name = _AUTO[task] if loss.kind == "auto" else loss.kind
    if isinstance(spec, LanguageSpec):
        return Objective(name, spec.tokens, spec.tokens, output == "logits", task=task)
    return Objective(name, math.prod(spec.layout.target.shape), 0, logits=False, task=task)


def settle(classes: int, loss: Loss, output: Output) -> Objective:
    """The objective for `classes` classes; `auto` goes by their number.

    Two classes: `binary_crossentropy`. More: `sparse_categorical_crossentropy`, or with label
    smoothing, which that has not, `categorical_crossentropy`.

    Raises:
        OptionError: the loss does not fit the number of classes or the smoothing.
    """
    name: str = loss.kind
    smoothing = loss.label_smoothing
    if name == "auto" and classes == 2:
        name = "binary_crossentropy"
    elif name == "auto":
        name = "categorical_crossentropy" if smoothing else "sparse_categorical_crossentropy"
    if name == "binary_crossentropy" and classes != 2:
        raise OptionError(
            "trainer.loss: binary_crossentropy expected 2 classes. "
            f"Received: {classes}. Leave trainer.loss=auto."
        )
    if name == "sparse_categorical_crossentropy" and smoothing:
        raise OptionError(
            "trainer.loss.label_smoothing: expected 0 with sparse_categorical_crossentropy. "
            f"Received: {smoothing}. Use trainer.loss=categorical_crossentropy."
        )
    units = 1 if name == "binary_crossentropy" else classes
    return Objective(name, units, classes, output == "logits", smoothing)
