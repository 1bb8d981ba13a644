"""The training itself: network, input, callbacks and state put together around `Model.fit`."""

import logging
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from etils.epath import Path

from components.artifacts import TrainedModel
from components.folders import copy_tree
from components.models.image import Networks, build
from components.training import backup, callbacks, dataset, summary, warm_start
from components.training.backup import Backup, State
from components.training.callbacks import HistoryFile, Progress, StopAt
from components.training.compiling import compile_model
from components.training.plan import Plan

logger = logging.getLogger("components.trainer")


def train(plan: Plan, out: Path, resume: Path) -> TrainedModel:
    """Carry `plan` out, from where `resume` stands.

    Raises:
        OptionError: a kernel or a pool is larger than what is left of the picture.
        ModelError: the model to start from has other layers.
    """
    keras.utils.set_random_seed(plan.seed)
    if plan.deterministic:
        tf.config.experimental.enable_op_determinism()
    networks = _networks(plan)
    logger.info("%s\n%s", plan.model, summary.table(networks.inference))
    _fit(networks.training, plan, out, resume)
    trained = TrainedModel(out)
    trained.keras_file.parent.mkdir(parents=True)
    networks.inference.save(trained.keras_file)
    summary.write(networks.inference, out / "model.json")
    return trained


def _networks(plan: Plan) -> Networks:
    objective = plan.objective
    networks = build(
        plan.model,
        plan.augment,
        plan.spec,
        units=objective.units,
        activation=objective.activation,
    )
    compile_model(networks.training, objective, plan.descent, plan.top_k, plan.steps)
    if plan.warm_start:
        warm_start.take_weights(networks.inference, plan.warm_start)
    return networks


def _fit(model: keras.Model, plan: Plan, out: Path, resume: Path) -> None:
    state = backup.load(resume, plan.text)
    if state.epochs:
        logger.info("resuming after epoch %d of %d", state.epochs, plan.epochs)
        backup.restore(model, resume, state.epochs)
    history = HistoryFile(out / "history.csv", state.rows)
    if state.epochs < plan.epochs and not state.stopped:
        _run(model, plan, _callbacks(plan, history, state, resume), state.epochs)
    else:
        history.on_train_begin()
    watching = plan.watching
    if watching.tensorboard:
        copy_tree(Path(resume / "logs"), Path(out / "logs"))
    if watching.keep == "best":
        best = callbacks.best_epoch(history.rows, watching.monitor)
        logger.info("keeping the weights of epoch %d, the best by %s", best, watching.monitor)
        backup.restore(model, resume, best)


def _run(model: keras.Model, plan: Plan, hooks: list[keras.callbacks.Callback], done: int) -> None:
    files, spec, objective = plan.train.files, plan.spec, plan.objective
    buffer = plan.buffer or dataset.default_buffer(spec, plan.train.count)
    order = dataset.Order(plan.seed, done, plan.epochs, buffer)
    validation = plan.validation and dataset.evaluation(
        plan.validation.files, spec, objective, plan.validation.count
    )
    model.fit(
        dataset.training(files, spec, objective, order, plan.batch_size),
        initial_epoch=done,
        epochs=plan.epochs,
        steps_per_epoch=plan.steps,
        validation_data=validation,
        class_weight=class_weights(_label_counts(plan)) if plan.balanced else None,
        callbacks=hooks,
        shuffle=False,  # the dataset does it
        verbose=0,
    )


def _callbacks(
    plan: Plan, history: HistoryFile, state: State, resume: Path
) -> list[keras.callbacks.Callback]:
    watching = plan.watching
    patient = callbacks.patient(watching)
    hooks: list[keras.callbacks.Callback] = list(patient.values())
    if watching.stop_at:
        hooks.append(StopAt(watching.stop_at))
    if watching.tensorboard:
        hooks.append(keras.callbacks.TensorBoard(str(resume / "logs")))
    hooks += [history, Progress(plan.epochs, plan.steps, plan.train.count)]
    best_by = watching.monitor if watching.keep == "best" else None
    return [*hooks, Backup(resume, state, history, patient, best_by)]


def class_weights(counts: Sequence[int]) -> dict[int, float]:
    """Each class's weight: examples / (classes * examples of the class); 0 where it has none.

    scikit-learn's `class_weight="balanced"` (King, Zeng, 2001).
    """
    total = sum(counts)
    return {
        label: total / (len(counts) * count) if count else 0.0 for label, count in enumerate(counts)
    }


def _label_counts(plan: Plan) -> list[int]:
    counts = np.zeros(len(plan.spec.classes), np.int64)
    for batch in dataset.labels(plan.train.files):
        counts += np.bincount(batch.numpy(), minlength=len(counts))
    return counts.tolist()
