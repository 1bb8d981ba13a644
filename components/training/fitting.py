"""The training itself: network, input, callbacks and state put together around `Model.fit`.

Under a strategy, `lead` trains replicas of the network in its place, and leaves what it comes to in
the folder `resume`, where a single network takes it up: what follows a training knows of no other.
"""

import dataclasses
import functools
import logging
import shlex
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from etils.epath import Path

from millrace.components.artifacts import TrainedModel
from millrace.components.errors import OptionError
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.files.folders import copy_tree
from millrace.components.models import keras_file
from millrace.components.models.build import build
from millrace.components.models.custom_options import Custom
from millrace.components.models.layer_pieces import modules_of
from millrace.components.models.networks import Networks
from millrace.components.progress import notices
from millrace.components.training import (
    adapting,
    backup,
    callbacks,
    dataset,
    ranks,
    replicas,
    solving,
    summary,
    warm_start,
    witten_bell,
)
from millrace.components.training.backup import Backup, State
from millrace.components.training.callbacks import HistoryFile, Progress, StopAt
from millrace.components.training.compiling import compile_model, layers_in
from millrace.components.training.mixing import Mixing
from millrace.components.training.plan import Split, TrainingPlan
from millrace.components.training.replicas import Replicas

logger = logging.getLogger("millrace.components.trainer")


def train(plan: TrainingPlan, out: Path, resume: Path) -> TrainedModel:
    """Carry `plan` out, from where `resume` stands.

    Raises:
        OptionError: a kernel or a pool is larger than what is left of the picture.
        ModelError: the model to start from has other layers.
    """
    keras.utils.set_random_seed(plan.seed)
    if plan.deterministic:
        tf.config.experimental.enable_op_determinism()
    networks = networks_of(plan)
    logger.info("%s: %s", plan.model.kind, summary.sizes(networks.inference))
    logger.info("%s", summary.table(networks.inference), extra=notices.FOR_THE_LOG)
    _fit(networks.training, plan, out, resume)
    trained = TrainedModel(out)
    model = plan.model
    own = [model.module] if isinstance(model, Custom) else modules_of(model)
    network, wanted = networks.inference, getattr(plan.model, "continuations", 0)
    if wanted > 1 and isinstance(plan.spec, LanguageSpec):
        network = witten_bell.added(network, plan, plan.spec, wanted)
    keras_file.save(network, trained.keras_file, own)
    summary.write(network, out / "model.json")
    return trained


def networks_of(plan: TrainingPlan) -> Networks:
    """The networks of `plan`, the one for training compiled, with their first weights."""
    objective = plan.objective
    with layers_in(plan.descent.precision):
        networks = build(
            plan.model,
            plan.augment,
            plan.spec,
            units=objective.units,
            activation=objective.activation,
        )
    compile_model(
        networks.training,
        objective,
        plan.descent,
        plan.top_k,
        steps=plan.steps,
        epochs=plan.epochs,
        others=plan.metrics,
    )
    adapting.adapt(networks.training, plan)
    if plan.warm_start:
        warm_start.take_weights(networks.inference, plan.warm_start)
    return networks


def lead(
    plan: TrainingPlan,
    strategy: tf.distribute.Strategy,
    out: Path,
    resume: Path,
    single: keras.Model | None = None,
) -> None:
    """Train replicas of the network by `strategy`, from where `resume` stands, and leave it there.

    In other processes of the strategy, `follow` takes part.

    Args:
        plan: what is trained.
        strategy: where.
        out: gets the history after each epoch.
        resume: as of `train`.
        single: the network in this process alone, with its first weights, if it was made before.

    Raises:
        OptionError, ModelError: as `train` and `follow`.
    """
    if single is None:
        keras.utils.set_random_seed(plan.seed)
        single = networks_of(plan).training
    state = backup.load(resume, plan.text, _best_by(plan))
    weights = class_weights(_label_counts(plan)) if plan.balanced else None
    all_replicas = Replicas(strategy)
    all_replicas.announce(_Work(plan, state.epochs, weights))
    model = _replica(plan, strategy)
    for variable, first in zip(model.variables, single.variables, strict=True):
        variable.assign(first)
    if state.epochs:
        with strategy.scope():
            backup.restore(model, resume, state.epochs)
    history = HistoryFile(out / "history.csv", state.rows)
    hooks = _callbacks(plan, history, state, resume)
    replicas.train(model, plan, all_replicas, done=state.epochs, class_weight=weights, hooks=hooks)


def follow(strategy: tf.distribute.Strategy) -> None:
    """Take part in a training that another process of `strategy` leads; nothing is written.

    Raises:
        ModelError: that process runs other versions.
    """
    all_replicas = Replicas(strategy)
    work: _Work = all_replicas.announce(None)
    model = _replica(work.plan, strategy)
    logger.info("training with others, from epoch %d of %d on", work.done + 1, work.plan.epochs)
    replicas.train(
        model, work.plan, all_replicas, done=work.done, class_weight=work.class_weight, hooks=()
    )


@dataclasses.dataclass(frozen=True)
class _Work:
    """What the processes of a training have to know.

    Attributes:
        plan: what is trained.
        done: epochs trained before.
        class_weight: of each class, if they do not weigh the same.
    """

    plan: TrainingPlan
    done: int
    class_weight: dict[int, float] | None


def _replica(plan: TrainingPlan, strategy: tf.distribute.Strategy) -> keras.Model:
    """The network of `plan`, its variables in every replica, compiled without clipping."""
    keras.utils.set_random_seed(plan.seed)
    if plan.deterministic:
        tf.config.experimental.enable_op_determinism()
    optimizer = plan.descent.optimizer.without_clipping()
    descent = dataclasses.replace(plan.descent, optimizer=optimizer)
    with strategy.scope():
        # The first weights come from the process that leads.
        model = networks_of(dataclasses.replace(plan, descent=descent, warm_start=None)).training
    _normalise_over_replicas(model)
    return model


def _normalise_over_replicas(model: keras.Model) -> None:
    """Let batch normalisation see whole batches."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
        elif isinstance(layer, keras.Model):
            _normalise_over_replicas(layer)


def _best_by(plan: TrainingPlan) -> str | None:
    return plan.watching.monitor if plan.watching.keep == "best" else None


def _fit(model: keras.Model, plan: TrainingPlan, out: Path, resume: Path) -> None:
    if solving.solves(plan.model):
        _refuse_pieces(plan)
        solving.solve(model, plan, resume)
        _look(model, plan, HistoryFile(out / "history.csv"))
        return
    watching, best_by = plan.watching, _best_by(plan)
    state = backup.load(resume, plan.text, best_by)
    if state.epochs:
        logger.info("resuming after epoch %d of %d", state.epochs, plan.epochs)
        backup.restore(model, resume, state.epochs)
    history = HistoryFile(out / "history.csv", state.rows)
    if not model.trainable_variables:
        logger.info("the network has nothing to learn: evaluated once")
        _look(model, plan, history)
    elif state.epochs < plan.epochs and not state.stopped:
        if _trained_in_replicas(model, plan, out, resume):
            state = backup.load(resume, plan.text, best_by)
            backup.restore(model, resume, state.epochs)
            history.rows = state.rows
        else:
            _run(model, plan, _callbacks(plan, history, state, resume), state.epochs)
    else:
        history.on_train_begin()
    if watching.tensorboard and model.trainable_variables:
        copy_tree(Path(resume / "logs"), Path(out / "logs"))
    if best_by and model.trainable_variables:
        best = callbacks.best_epoch(history.rows, best_by)
        logger.info("keeping the weights of epoch %d, the best by %s", best, best_by)
        backup.restore(model, resume, best)


def _refuse_pieces(plan: TrainingPlan) -> None:
    """Refuse what changes a descent where weights are computed instead."""
    for option, received in (
        ("trainer.callbacks", ", ".join(plan.callbacks)),
        ("trainer.loss", plan.objective.piece),
    ):
        if received:
            raise OptionError(
                f"{option}: expected none with trainer.model={plan.model.kind}, whose weights are "
                f"computed, not trained. Received: {received}. Leave it out, or name another "
                "network."
            )


def _trained_in_replicas(model: keras.Model, plan: TrainingPlan, out: Path, resume: Path) -> bool:
    """Train by the strategy of `plan` into `resume`; False if there is none, or one device."""
    if plan.strategy == "multi_worker":
        ranks.lead(plan, out, resume)
        return True
    if plan.strategy == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if len(devices) > 1:
            logger.info("training on %d devices", len(devices))
            names = tuple(device.name for device in devices)
            lead(plan, _mirrored(names), out, resume, model)
            return True
        logger.info(
            "trainer.strategy=mirrored: there is one device here, %s, which trains as it does "
            "without a strategy",
            devices[0].name,
        )
    return False


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """One for the life of the process: another would number its sums from the start again."""
    return tf.distribute.MirroredStrategy(devices)


def _run(
    model: keras.Model, plan: TrainingPlan, hooks: list[keras.callbacks.Callback], done: int
) -> None:
    again = plan.epochs - done > 1
    validation = _evaluated(plan, plan.validation, again=again) if plan.validation else None
    weights = class_weights(_label_counts(plan)) if plan.balanced else None
    mixing = Mixing(plan.augment, weights) if plan.augment.mixes else None
    model.fit(
        dataset.of_plan(plan, done, mixing=mixing),
        initial_epoch=done,
        epochs=plan.epochs,
        steps_per_epoch=plan.steps,
        validation_data=validation,
        class_weight=None if mixing else weights,  # Keras's goes by the class with the most
        callbacks=hooks,
        shuffle=False,  # the dataset does it
        verbose=0,
    )


def _look(model: keras.Model, plan: TrainingPlan, history: HistoryFile) -> None:
    """The history of a network that is not trained by epochs, such as a naive forecast."""
    figures = model.evaluate(_evaluated(plan, plan.train), verbose=0, return_dict=True)
    if plan.validation:
        found = model.evaluate(_evaluated(plan, plan.validation), verbose=0, return_dict=True)
        figures |= {f"val_{name}": value for name, value in found.items()}
    history.on_epoch_end(0, figures)


def _evaluated(plan: TrainingPlan, split: Split, *, again: bool = False) -> tf.data.Dataset:
    layout, objective = plan.spec.layout, plan.objective
    return dataset.evaluation(split.files, layout, objective, split.count, again=again)


def _callbacks(
    plan: TrainingPlan, history: HistoryFile, state: State, resume: Path
) -> list[keras.callbacks.Callback]:
    watching = plan.watching
    patient = callbacks.patient(watching, plan.descent.schedule) | callbacks.own(plan.callbacks)
    hooks: list[keras.callbacks.Callback] = list(patient.values())
    if state.epochs and plan.callbacks:
        logger.info(
            "trainer.callbacks: %s begin anew; only what their `resumed` lists was kept",
            ", ".join(plan.callbacks),
        )
    if watching.stop_at:
        hooks.append(StopAt(watching.stop_at))
    if watching.tensorboard:
        logs = str(resume / "logs")
        logger.info("for TensorBoard meanwhile: tensorboard --logdir %s", shlex.quote(logs))
        hooks.append(keras.callbacks.TensorBoard(logs))
    hooks += [history, Progress(plan.epochs, plan.steps, plan.train.count)]
    return [*hooks, Backup(resume, state, history, patient, _best_by(plan))]


def class_weights(counts: Sequence[int]) -> dict[int, float]:
    """Each class's weight: examples / (classes * examples of the class); 0 where it has none.

    scikit-learn's `class_weight="balanced"` (King, Zeng, 2001).
    """
    total = sum(counts)
    return {
        label: total / (len(counts) * count) if count else 0.0 for label, count in enumerate(counts)
    }


def _label_counts(plan: TrainingPlan) -> list[int]:
    counts = np.zeros(len(plan.spec.classes), np.int64)
    for batch in dataset.targets(plan.train.files, plan.spec.layout):
        counts += np.bincount(batch.numpy(), minlength=len(counts))
    return counts.tolist()
