"""Keras's loss, optimizer and metrics as the options say."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

from millrace.components.errors import OptionError
from millrace.components.models.networks import RESCALED, SCORES
from millrace.components.training.objective import Objective, Task
from millrace.components.training.options import Descent, Precision
from millrace.components.training.schedule_options import CONSTANT
from millrace.components.training.schedules import learning_rate
from millrace.components.user_code import calls, pieces

_OPTIMIZERS = {
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "adagrad": keras.optimizers.Adagrad,
}
_SETTINGS = (  # of `Optimizer`, by Keras's names
    "momentum",
    "nesterov",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "weight_decay",
)
_ERRORS = {  # of one number, by the loss that is their mean
    "mean_absolute_error": keras.losses.mean_absolute_error,
    "mean_squared_error": keras.losses.mean_squared_error,
    "huber": keras.losses.huber,
    "poisson": keras.losses.poisson,
}
PADDING = 0  # an id that stands for no token
_STEPS_AT_ONCE = 16


@keras.saving.register_keras_serializable(package="millrace")
class InUnits(keras.losses.Loss):
    """A loss of numbers, their errors divided by `unit`."""

    def __init__(self, loss: str, unit: float) -> None:
        super().__init__(name=loss)
        self.loss, self.unit = loss, unit

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """The loss of each row, [batch], of labels and answers [batch, 1]."""
        return _ERRORS[self.loss](y_true / self.unit, y_pred / self.unit)

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        return {"loss": self.loss, "unit": self.unit}


@keras.saving.register_keras_serializable(package="millrace")
class OfKnown(keras.losses.Loss):
    """A loss of forecasts: the mean over those targets of a batch that are known.

    A target that is not known, NaN, teaches nothing. Its window is not left out for it: the other
    steps and targets are as true as any.
    """

    def __init__(self, loss: str) -> None:
        super().__init__(name=loss)
        self.loss = loss

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Shares of a batch, [batch, horizon, targets], whose mean is the loss."""
        ops = keras.ops
        true, predicted, known = _each_target(y_true, y_pred)
        known = ops.cast(known, y_pred.dtype)
        return _ERRORS[self.loss](true, predicted) * known / ops.maximum(ops.mean(known), 1e-12)

    def get_config(self) -> dict[str, Any]:
        """What it is made of again."""
        return {"loss": self.loss}


@keras.saving.register_keras_serializable(package="millrace")
class AbsoluteErrorOfKnown(keras.metrics.MeanAbsoluteError):
    """The mean absolute error of the targets that are known."""

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> keras.KerasTensor:
        """Count a batch, each [batch, horizon, targets]."""
        return super().update_state(*_each_target(y_true, y_pred))


@keras.saving.register_keras_serializable(package="millrace")
class SquaredErrorOfKnown(keras.metrics.MeanSquaredError):
    """The mean squared error of the targets that are known."""

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> keras.KerasTensor:
        """Count a batch, each [batch, horizon, targets]."""
        return super().update_state(*_each_target(y_true, y_pred))


def _each_target(y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
    """Truths and forecasts as [batch, horizon, targets, 1], and which truths are known.

    One that is not counts as forecast right, so that no NaN comes of it.
    """
    ops = keras.ops
    known = ~ops.isnan(y_true)
    return ops.where(known, y_true, y_pred)[..., None], y_pred[..., None], known


class AnotherLoss(keras.losses.Loss):
    """A loss that is none of those above: of Keras, or a person's own.

    It gets labels as `Objective` says, and the network's answers. Targets of a forecast that are
    not known count as forecast right; tokens of padding do not count where it tells the loss of
    each token, [batch, length].
    """

    def __init__(self, values: Callable[..., Any], task: Task, name: str) -> None:
        super().__init__(name=name)
        self._values, self._task = values, task

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """What the mean of is the loss: of a shape that the loss chooses."""
        ops = keras.ops
        if self._task == "forecast":
            y_true = ops.where(ops.isnan(y_true), y_pred, y_true)
        values = ops.convert_to_tensor(self._values(y_true, y_pred))
        if self._task != "language" or len(values.shape) != 2:
            return values
        known = ops.cast(ops.not_equal(y_true, PADDING), values.dtype)
        return values * known / ops.maximum(ops.mean(known), 1e-12)


class AnotherMetric(keras.metrics.Metric):
    """A metric beside those of the task, under the name that the options give it.

    It gets labels and answers as the loss does: no target that is not known, no padding. Of a
    label that is shares of two classes it gets the class with more.
    """

    def __init__(self, metric: keras.Metric, objective: Objective, name: str) -> None:
        super().__init__(name=name)
        self.metric, self._objective = metric, objective

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        ops, objective = keras.ops, self._objective
        if objective.task == "forecast":
            y_true = ops.where(ops.isnan(y_true), y_pred, y_true)
        elif objective.mixed and objective.is_binary:
            y_true = ops.round(y_true)
        elif objective.mixed:
            y_true = ops.one_hot(ops.argmax(y_true, -1), objective.classes)
        elif objective.task == "language":
            sample_weight = ops.not_equal(y_true, PADDING)
        if sample_weight is None:
            self.metric.update_state(y_true, y_pred)
        else:
            self.metric.update_state(y_true, y_pred, sample_weight)

    def result(self) -> Any:
        """The figure.

        Raises:
            OptionError: it is more than one number.
        """
        found = self.metric.result()
        shape = getattr(found, "shape", ())
        if isinstance(found, dict) or len(shape):
            raise OptionError(
                f"trainer.metrics, {self.name}: expected one number. Received: "
                f"{'several by name' if isinstance(found, dict) else f'the shape {shape}'}. Set "
                "its average, or write one of your own."
            )
        return found

    def reset_state(self) -> None:
        """Begin anew."""
        self.metric.reset_state()


class TokenAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """The share of tokens that the highest score is right about; padding does not count."""

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> keras.KerasTensor:
        """Count a batch: int32 [batch, length] and float32 [batch, length, tokens]."""
        return super().update_state(y_true, y_pred, keras.ops.not_equal(y_true, PADDING))


def compile_model(
    model: keras.Model,
    objective: Objective,
    descent: Descent,
    top_k: int,
    *,
    steps: int,
    epochs: int,
    others: Sequence[str] = (),
) -> None:
    """Compile `model` for `epochs` of `steps`; metrics are named as Keras names them.

    Under mixed precision of 16-bit floats, Keras scales the loss and the gradients by itself.

    Args:
        model: as it was built.
        objective: what it is trained towards.
        descent: how.
        top_k: of the metric `top_<k>_accuracy`; 0 for none.
        steps: of an epoch.
        epochs: of the training.
        others: metrics beside those of the task, see `metrics`.

    Raises:
        OptionError: a piece of a person's own cannot be found, imported or made.
    """
    model.compile(
        optimizer=_optimizer(descent, steps, epochs),
        loss=_loss(objective, _unit(model), is_log=_is_log(model)),
        metrics=metrics(objective, top_k, others),
        steps_per_execution=steps_at_once(steps),
    )


@contextlib.contextmanager
def layers_in(precision: Precision) -> Iterator[None]:
    """Let the layers made within compute in `precision`; their weights are float32 throughout."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def steps_at_once(steps: int) -> int:
    """How many of an epoch's `steps` to run without coming back to Python, at most 16.

    It divides `steps`: else the last run of an epoch would take batches of the next one.
    """
    return next(count for count in range(_STEPS_AT_ONCE, 0, -1) if steps % count == 0)


def _optimizer(descent: Descent, steps: int, epochs: int) -> keras.Optimizer:
    settings: dict[str, Any] = {
        name: value for name in _SETTINGS if (value := getattr(descent.optimizer, name))
    }
    if descent.optimizer.is_piece:
        return _another_optimizer(descent, settings, steps, epochs)
    optimizer = _OPTIMIZERS[descent.optimizer.kind]
    rate = descent.learning_rate or float(optimizer().learning_rate.numpy())
    return optimizer(learning_rate=learning_rate(descent.schedule, rate, steps, epochs), **settings)


def _another_optimizer(
    descent: Descent, settings: dict[str, Any], steps: int, epochs: int
) -> keras.Optimizer:
    """An optimizer of Keras, or of a person's own, that is not listed.

    Its own rate, or schedule, is left where the options name none.
    """
    text, place = descent.optimizer.kind, "trainer.optimizer"
    plain = pieces.made(text, keras.optimizers, keras.Optimizer, place, settings)
    lost = [name for name, value in settings.items() if getattr(plain, name, value) != value]
    if lost:
        raise OptionError(
            f"{place}.{lost[0]}: expected an optimizer that takes it. Received: {text}, which "
            "does not. Let it take **settings for keras.Optimizer, or set it there."
        )
    if descent.learning_rate is None and descent.schedule == CONSTANT:
        return plain
    config = plain.get_config()
    given = config["learning_rate"]
    if descent.learning_rate is None and not isinstance(given, int | float):
        raise OptionError(
            f"trainer.learning_rate: expected the first rate of trainer.schedule, since {text} "
            "brings a schedule of its own. Received: none. Set it, or leave the schedule out."
        )
    rate = descent.learning_rate or float(given)
    config["learning_rate"] = learning_rate(descent.schedule, rate, steps, epochs)
    return type(plain).from_config(config)


def _unit(model: keras.Model) -> float:
    """What errors count as 1 in the loss: the scale of a layer that brings answers to labels.

    So the gradients, and the learning rate that suits, do not depend on the label's unit.
    """
    return next((float(each.scale) for each in model.layers if each.name == RESCALED), 1.0)


def _is_log(model: keras.Model) -> bool:
    """Whether it learns the logarithm of a number; the Poisson deviance is for these."""
    exponential = keras.activations.exponential
    return any(
        each.name == SCORES and getattr(each, "activation", None) is exponential
        for each in model.layers
    )


def _loss(objective: Objective, unit: float, *, is_log: bool = False) -> keras.Loss:
    losses = keras.losses
    if objective.piece:
        return _another_loss(objective)
    if objective.task == "forecast":
        return OfKnown(objective.loss)
    if not objective.classes:
        return InUnits("poisson" if is_log else objective.loss, unit)
    logits, smoothing = objective.logits, objective.label_smoothing
    if objective.is_binary:
        return losses.BinaryCrossentropy(from_logits=logits, label_smoothing=smoothing)
    if objective.is_one_hot:
        return losses.CategoricalCrossentropy(from_logits=logits, label_smoothing=smoothing)
    ignored = PADDING if objective.task == "language" else None
    return losses.SparseCategoricalCrossentropy(from_logits=logits, ignore_class=ignored)


def _another_loss(objective: Objective) -> keras.Loss:
    place = "trainer.loss"
    call = pieces.read(objective.piece, place)
    found = pieces.find(call, keras.losses, place)
    values: Callable[..., Any]
    if _takes_batches(found, call):
        pieces.check_arguments(found, call, place)
        values = functools.partial(found, **call.named)
    else:
        given = {"from_logits": objective.logits}
        made = pieces.made(
            objective.piece, keras.losses, keras.Loss, place, given, or_function=True
        )
        values = made.call if isinstance(made, keras.Loss) else made
    return AnotherLoss(values, objective.task, call.label)


def _another_metric(text: str, objective: Objective) -> keras.Metric:
    place = "trainer.metrics"
    call = pieces.read(text, place)
    found = pieces.find(call, keras.metrics, place)
    if _takes_batches(found, call):
        pieces.check_arguments(found, call, place)
        metric = keras.metrics.MeanMetricWrapper(found, call.label, **call.named)
    else:
        metric = pieces.made(text, keras.metrics, keras.Metric, place, or_function=True)
        if not isinstance(metric, keras.Metric):
            metric = keras.metrics.MeanMetricWrapper(metric, call.label)
    return AnotherMetric(metric, objective, call.label)


def _takes_batches(found: Any, call: calls.Call) -> bool:
    """Whether it is a function of labels and answers, rather than one that makes such a piece."""
    return inspect.isfunction(found) and len(pieces.missing(found, call)) >= 2


def metrics(objective: Objective, top_k: int, others: Sequence[str] = ()) -> list[keras.Metric]:
    """What is said of an epoch besides its loss: the task's figures, then `others`.

    These are classes of Keras, or classes, functions of labels and answers, or functions that make
    such, of a person's own; see `user_code.calls`.

    Raises:
        OptionError: one of `others` cannot be found, imported or made.
    """
    found = _of_task(objective, top_k)
    if objective.mixed:
        found = [AnotherMetric(each, objective, each.name) for each in found]
    return [*found, *(_another_metric(one, objective) for one in others)]


def _of_task(objective: Objective, top_k: int) -> list[keras.Metric]:
    named = keras.metrics
    if objective.task == "forecast":
        return [AbsoluteErrorOfKnown(name="mae"), SquaredErrorOfKnown(name="mse")]
    if not objective.classes:
        return [named.MeanAbsoluteError(name="mae"), named.MeanSquaredError(name="mse")]
    if objective.task == "language":
        return [TokenAccuracy(name="accuracy")]
    if objective.is_binary:
        threshold = 0.0 if objective.logits else 0.5
        found = [named.BinaryAccuracy(name="accuracy", threshold=threshold)]
    elif objective.is_one_hot:
        found = [named.CategoricalAccuracy(name="accuracy")]
    else:
        found = [named.SparseCategoricalAccuracy(name="accuracy")]
    if top_k:
        among = (
            named.TopKCategoricalAccuracy
            if objective.is_one_hot
            else named.SparseTopKCategoricalAccuracy
        )
        found.append(among(top_k, name=f"top_{top_k}_accuracy"))
    return found
