"""Training in replicas of a network, on one machine or more, along the curve of a single one.

TensorFlow's strategies copy the variables and sum between devices and machines; the loop around
them is our own. With Keras 3.15, `Model.fit` cannot reduce what the workers of a
`MultiWorkerMirroredStrategy` give. With a `MirroredStrategy` it gives each replica's mean the same
weight, however many examples, or known targets, it is the mean of, and clips gradients before they
are summed: another curve than that of one device. Here a loss is divided by what the whole batch
holds, and gradients are clipped once they are whole.
"""

import pickle
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from millrace.components.errors import ModelError, OptionError
from millrace.components.training import dataset, mixing
from millrace.components.training.compiling import PADDING, metrics, steps_at_once
from millrace.components.training.dataset import Inputs, Share
from millrace.components.training.mixing import Mixing
from millrace.components.training.plan import Split, TrainingPlan
from millrace.components.training.schedule_options import ReduceOnPlateau

_SEED_STEP = 1_000_003  # between the seeds of replicas
_SUM = tf.distribute.ReduceOp.SUM
_VERSIONS = ("tf-millrace", "tensorflow", "keras")


class Replicas:
    """The replicas of a strategy, in this process and in others.

    Attributes:
        strategy: TensorFlow's.
        count: how many there are.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        self.count: int = strategy.num_replicas_in_sync
        self._has_others = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        # One graph for all lengths; outside of a graph a sum takes far longer.
        spec = tf.TensorSpec([None], tf.int32)
        self._sum = tf.function(self._sum_of_firsts, input_signature=[spec])

    def announce(self, work: Any) -> Any:
        """What the first process calls this with, in every process.

        It is pickled: who can reach TensorFlow's ports can run code in any case.

        Raises:
            ModelError: the first process runs other versions.
        """
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in _VERSIONS)
        told = f"{versions}\n".encode() + pickle.dumps(work)
        length = int(self.from_first(np.array([len(told)], np.int64))[0])
        payload = np.frombuffer(told.ljust(length, b"\0")[:length], np.uint8)
        line, _, pickled = self.from_first(payload).tobytes().partition(b"\n")
        if line.decode() != versions:
            raise ModelError(
                "trainer.strategy: expected the versions of the first rank, "
                f"{line.decode()}. Received: {versions}. Install the same on all machines."
            )
        return pickle.loads(pickled)  # noqa: S301 - see above

    def agree(self, model: keras.Model) -> None:
        """Give each the variables of the first one; of random states, a seed of its own."""
        variables = [*model.variables, *model.optimizer.variables]
        if self._has_others:
            for variable in variables:
                variable.assign(self.from_first(variable.numpy()))
        seeds = [each for each in model.variables if each.name == "seed_generator_state"]

        @tf.function
        def spread() -> None:
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            for seed in seeds:
                apart = tf.stack([number * _SEED_STEP, 0])
                seed.assign(seed + tf.cast(apart, seed.dtype))

        if seeds:
            self.strategy.run(spread)

    def wait(self) -> None:
        """Go on once all processes have come here."""
        self.from_first(np.zeros(1, np.int32))

    def from_first(self, values: np.ndarray) -> np.ndarray:
        """The `values` of the first process in every process; all have one shape and dtype."""
        if not self._has_others:
            return values
        told = values.tobytes()
        # As whole numbers, since 0 is added, and a collective knows few types.
        numbers = np.frombuffer(told.ljust(-(-len(told) // 4) * 4, b"\0"), np.int32)
        found = self._sum(numbers).numpy()
        return np.frombuffer(found.tobytes()[: len(told)], values.dtype).reshape(values.shape)

    def _sum_of_firsts(self, numbers: tf.Tensor) -> tf.Tensor:
        def summed() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            is_first = context.replica_id_in_sync_group == 0
            return context.all_reduce(_SUM, tf.where(is_first, numbers, tf.zeros_like(numbers)))

        return self.strategy.experimental_local_results(self.strategy.run(summed))[0]


def train(
    model: keras.Model,
    plan: TrainingPlan,
    replicas: Replicas,
    *,
    done: int,
    class_weight: Mapping[int, float] | None,
    hooks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train `model`, made and compiled in the scope of the strategy, after its first epochs.

    Every process of the strategy calls this at the same time. It begins with the variables of the
    first process, and stops, and lowers the rate, when the callbacks of that process say so.

    Args:
        model: without gradient clipping, which is done here.
        plan: what is trained.
        replicas: where.
        done: epochs trained before.
        class_weight: of each class, if they do not weigh the same.
        hooks: the callbacks; those of the first process alone, in which they can write files.

    Raises:
        OptionError: a batch has fewer examples than there are replicas.
    """
    if plan.batch_size < replicas.count:
        raise OptionError(
            f"trainer.batch_size: expected an example or more for each of {replicas.count} "
            f"replicas. Received: {plan.batch_size}. Raise it: it is the batch of all together."
        )
    strategy, validation = replicas.strategy, plan.validation
    with strategy.scope():
        steps = _Steps(model, plan, strategy, class_weight)
    replicas.agree(model)
    at_once = steps_at_once(plan.steps)
    trained = iter(_training_data(plan, strategy, done))
    validated = _validation_data(plan, validation, strategy) if validation else ()
    callbacks = keras.callbacks.CallbackList(
        list(hooks), model=model, epochs=plan.epochs, steps=plan.steps, verbose=0
    )
    model.stop_training = False
    callbacks.on_train_begin()
    logs: dict[str, float] = {}
    for epoch in range(done, plan.epochs):
        callbacks.on_epoch_begin(epoch)
        steps.reset()
        for step in range(0, plan.steps, at_once):
            callbacks.on_train_batch_begin(step)
            steps.train(trained, at_once)
            callbacks.on_train_batch_end(step + at_once - 1)
        logs = steps.figures()
        if validation:
            steps.reset()
            steps.evaluate(iter(validated), dataset.evaluation_batches(validation.count))
            logs |= {f"val_{name}": value for name, value in steps.figures().items()}
        callbacks.on_epoch_end(epoch, logs)
        if _decided(model, plan, replicas):
            break
    callbacks.on_train_end(logs)


class _Steps:
    """The steps of a training and of its evaluation, and the figures that they add to."""

    def __init__(
        self,
        model: keras.Model,
        plan: TrainingPlan,
        strategy: tf.distribute.Strategy,
        class_weight: Mapping[int, float] | None,
    ) -> None:
        self._model, self._strategy = model, strategy
        self._objective, self._clipping = plan.objective, plan.descent.optimizer
        self._loss = keras.metrics.Mean(name="loss")
        self._metrics = metrics(plan.objective, plan.top_k, plan.metrics)
        self._class_weight = class_weight
        model.optimizer.build(model.trainable_variables)

    def reset(self) -> None:
        """Begin the figures anew."""
        for metric in (self._loss, *self._metrics):
            metric.reset_state()

    def figures(self) -> dict[str, float]:
        """Those of all replicas together, the same in each process, as Keras orders them."""
        return {name: float(value) for name, value in sorted(self._results().items())}

    @tf.function
    def _results(self) -> dict[str, tf.Tensor]:
        return {metric.name: metric.result() for metric in (self._loss, *self._metrics)}

    @tf.function
    def train(self, batches: Any, count: int) -> None:
        """Train on the next `count` batches."""
        for _ in tf.range(count):
            self._strategy.run(self._train, args=next(batches))

    @tf.function
    def evaluate(self, batches: Any, count: int) -> None:
        """Evaluate the next `count` batches."""
        for _ in tf.range(count):
            self._strategy.run(self._evaluate, args=next(batches))

    def _train(self, inputs: Inputs, targets: tf.Tensor, own: tf.Tensor) -> None:
        """A step on a replica's part of a batch, of which `own` examples are its own."""
        model, optimizer = self._model, self._model.optimizer
        share, examples = self._share(targets, own)
        with tf.GradientTape() as tape:
            answers = model(inputs, training=True)
            loss = self._mean_loss(inputs, targets, answers, self._weights(targets))
            scaled = optimizer.scale_loss(loss * share)
        variables = model.trainable_variables
        found = zip(tape.gradient(scaled, variables), variables, strict=True)
        gradients, variables = zip(*(pair for pair in found if pair[0] is not None), strict=True)
        # Those of an embedding are rows, whose number changes with the batch; a sum's may not.
        whole = [tf.convert_to_tensor(each) for each in gradients]
        optimizer.apply(self._clipped(whole), list(variables))
        self._count(targets, answers, own, loss, examples * share)

    def _evaluate(self, inputs: Inputs, targets: tf.Tensor, own: tf.Tensor) -> None:
        share, examples = self._share(targets, own)
        answers = self._model(inputs, training=False)
        loss = self._mean_loss(inputs, targets, answers, None)
        self._count(targets, answers, own, loss, examples * share)

    def _share(self, targets: tf.Tensor, own: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The share of this part in the loss of its batch, and the batch's examples: float32 []."""
        known = tf.cast(own, tf.float32)
        if self._objective.task == "language":
            known *= tf.reduce_mean(tf.cast(targets != PADDING, tf.float32))
        elif self._objective.task == "forecast":
            known *= tf.reduce_mean(tf.cast(~tf.math.is_nan(targets), tf.float32))
        context = tf.distribute.get_replica_context()
        everywhere, examples = context.all_reduce(_SUM, [known, tf.cast(own, tf.float32)])
        return tf.math.divide_no_nan(known, everywhere), examples

    def _mean_loss(
        self, inputs: Inputs, targets: tf.Tensor, answers: tf.Tensor, weights: tf.Tensor | None
    ) -> tf.Tensor:
        """The mean over this part, and the network's penalties; Keras has divided it."""
        found = self._model.compute_loss(inputs, targets, answers, weights)
        return found * self._strategy.num_replicas_in_sync

    def _weights(self, targets: tf.Tensor) -> tf.Tensor | None:
        """Of each example, by its class: float32 [batch]."""
        if self._class_weight is None:
            return None
        objective = self._objective
        if not (objective.is_binary or objective.is_one_hot):
            targets = tf.one_hot(targets, objective.classes)
        return mixing.weights(targets, self._class_weight)

    def _clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The gradients, to be summed; those that are clipped are summed already, and divided."""
        by = self._clipping
        if not by.clips:
            return gradients
        whole = tf.distribute.get_replica_context().all_reduce(_SUM, gradients)
        if by.global_clipnorm:
            whole, _ = tf.clip_by_global_norm(whole, by.global_clipnorm)
        elif by.clipnorm:
            whole = [tf.clip_by_norm(each, by.clipnorm) for each in whole]
        elif by.clipvalue:
            whole = [tf.clip_by_value(each, -by.clipvalue, by.clipvalue) for each in whole]
        return [each / self._strategy.num_replicas_in_sync for each in whole]

    def _count(
        self,
        targets: tf.Tensor,
        answers: tf.Tensor,
        own: tf.Tensor,
        loss: tf.Tensor,
        weight: tf.Tensor,
    ) -> None:
        def counted() -> tf.Tensor:
            for metric in self._metrics:
                metric.update_state(targets, answers)
            return own

        self._loss.update_state(loss, sample_weight=weight)
        tf.cond(own > 0, counted, lambda: own)


def _training_data(plan: TrainingPlan, strategy: tf.distribute.Strategy, done: int) -> Any:
    mixes = Mixing(plan.augment) if plan.augment.mixes else None

    def here(context: tf.distribute.InputContext) -> tf.data.Dataset:
        return dataset.of_plan(plan, done, _share_of(context), mixes)

    return strategy.distribute_datasets_from_function(here)


def _validation_data(plan: TrainingPlan, split: Split, strategy: tf.distribute.Strategy) -> Any:
    layout, objective = plan.spec.layout, plan.objective

    def here(context: tf.distribute.InputContext) -> tf.data.Dataset:
        share = _share_of(context)
        return dataset.evaluation(
            split.files, layout, objective, split.count, again=True, share=share
        )

    return strategy.distribute_datasets_from_function(here)


def _share_of(context: tf.distribute.InputContext) -> Share:
    """Of the process that reads with `context`: each has as many replicas."""
    count = context.num_replicas_in_sync // context.num_input_pipelines
    return Share(context.input_pipeline_id * count, count, context.num_replicas_in_sync)


def _decided(model: keras.Model, plan: TrainingPlan, replicas: Replicas) -> bool:
    """Whether training stops here, and at which rate it goes on: as the first process says."""
    lowered = isinstance(plan.descent.schedule, ReduceOnPlateau)
    rate = float(model.optimizer.learning_rate.numpy()) if lowered else 0.0
    told = replicas.from_first(np.array([model.stop_training, rate], np.float64))
    if lowered:
        model.optimizer.learning_rate = told[1]
    return bool(told[0])
