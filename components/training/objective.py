"""What a network is trained towards: its loss, the form of its output, how targets are written.

Plain choices, without Keras; `compiling` turns them into Keras's objects.
"""

import dataclasses
import math
from typing import Literal

from millrace.components.errors import OptionError
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.spec import Spec
from millrace.components.options.pieces import Piece
from millrace.components.options.ranges import ShareBelowOne
from millrace.components.user_code import calls

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
        kind: Keras's name; `auto` goes by the task and the number of classes. Or another loss of
            Keras, or a function, a class, or a function that makes one, of your own:
            `BinaryFocalCrossentropy(gamma=2)`, `mine.losses:focal(gamma=2)`.
        label_smoothing: share of the target spread over all classes.
        labels: what such another loss gets: `one_hot` rows, or `indices`, of two classes 0 or 1,
            [batch, 1]; `auto` is `one_hot` for those of Keras whose names begin with Categorical.
    """

    kind: LossName | Piece = "auto"
    label_smoothing: ShareBelowOne = 0.0
    labels: Literal["auto", "indices", "one_hot"] = "auto"

    @classmethod
    def of_piece(cls, text: str, current: "Loss | None") -> "Loss":
        """The loss that `text` names, set as `current` is where that is one."""
        return dataclasses.replace(current or cls(), kind=text)

    @property
    def piece(self) -> str:
        """The loss, where it is none of those that are listed; else empty."""
        return self.kind if calls.is_call(self.kind) else ""

    @property
    def is_one_hot(self) -> bool:
        """Whether another loss gets its labels as one-hot rows."""
        named = calls.parse(self.piece)
        told = not named.module and named.name.startswith("Categorical")
        return self.labels == "one_hot" or (self.labels == "auto" and told)


AUTO = Loss()


@dataclasses.dataclass(frozen=True)
class Objective:
    """Attributes say how the last layer and the loss fit together.

    Attributes:
        loss: Keras's name; where `piece` takes its place, one that takes labels in the same form.
        units: outputs of the last layer: 1 for `binary_crossentropy` and for a regression, one
            per class or token, one per step and target of a forecast.
        classes: how many there are, or tokens; 0 if the targets are numbers.
        logits: whether the outputs are logits, the loss's `from_logits`.
        label_smoothing: share of the target spread over all classes.
        task: what the network does.
        piece: another loss of Keras's, or a person's own, as `Loss.kind` says.
        mixed: whether labels in training are shares of two classes, see `mixing`.
    """

    loss: str
    units: int
    classes: int
    logits: bool
    label_smoothing: float = 0.0
    task: Task = "classification"
    piece: str = ""
    mixed: bool = False

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


def of(spec: Spec, loss: Loss, output: Output, *, mixed: bool = False) -> Objective:
    """The objective for the task of `spec`; `auto` goes by the task, and the number of classes.

    Regression: `mean_squared_error`. Forecasts: `mean_absolute_error`. Language:
    `sparse_categorical_crossentropy` of each token. Classification: see `settle`.

    Args:
        spec: of the data.
        loss: as the options say.
        output: of the last layer.
        mixed: whether labels in training are shares of two classes.

    Raises:
        OptionError: the loss does not fit the task, the number of classes or such labels.
    """
    if not mixed:
        return _of(spec, loss, output)
    if loss.kind == "auto" and len(spec.classes) > 2:
        loss = dataclasses.replace(loss, kind="categorical_crossentropy")
    found = _of(spec, loss, output)
    if not (found.is_binary or found.is_one_hot):
        fix = "trainer.loss.labels=one_hot" if loss.piece else "trainer.loss=auto"
        raise OptionError(
            "trainer.loss: expected one that takes shares of classes, with trainer.augment.mixup "
            f"or cutmix. Received: {loss.kind}, which gets indices. Set {fix}, or leave these out."
        )
    return dataclasses.replace(found, mixed=True)


def _of(spec: Spec, loss: Loss, output: Output) -> Objective:
    task = spec.task
    if loss.piece:
        return _with_piece(spec, loss, output)
    if loss.labels != "auto":
        raise OptionError(
            f"trainer.loss.labels: expected auto with {loss.kind}, which settles them. Received: "
            f"{loss.labels}. Choose trainer.loss=categorical_crossentropy for rows."
        )
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


def _with_piece(spec: Spec, loss: Loss, output: Output) -> Objective:
    """The objective of a loss that is not listed: labels and outputs are as those of `auto`."""
    if loss.label_smoothing:
        raise OptionError(
            f"trainer.loss.label_smoothing: expected 0 with {loss.piece}. Received: "
            f"{loss.label_smoothing}. Write it into the brackets, if that takes one."
        )
    one_hot = spec.task == "classification" and loss.is_one_hot
    like = Loss("categorical_crossentropy") if one_hot else AUTO
    return dataclasses.replace(_of(spec, like, output), piece=loss.piece)


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
