"""Training in two stages: a pretrained network frozen, then its upper layers as well.

Each stage is a training of its own with its own state, so that a kill in either loses no more
than an epoch; the model of the first lies beside them, whole or not at all.
"""

import csv
import dataclasses
import hashlib
import logging

from etils.epath import Path

from millrace.components.artifacts import TrainedModel
from millrace.components.errors import OptionError
from millrace.components.files.folders import copy_tree, sync, sync_tree
from millrace.components.models.image_options import FROM_THE_FIRST, Transfer
from millrace.components.training import fitting
from millrace.components.training.callbacks import HistoryFile, Row, best_epoch
from millrace.components.training.options import FineTune
from millrace.components.training.plan import TrainingPlan
from millrace.components.training.schedule_options import CONSTANT, ReduceOnPlateau

logger = logging.getLogger("millrace.components.trainer")


def train(plan: TrainingPlan, fine_tune: FineTune, out: Path, resume: Path) -> TrainedModel:
    """Carry `plan` out, then `fine_tune` on what it gave, from where `resume` stands.

    The history counts the epochs of both; with `keep=best` the best of all of them is kept.

    Raises:
        OptionError: the network has nothing frozen, or no layer of that name.
        ModelError: the weights to start from cannot be had.
    """
    second_stage(plan, fine_tune, resume)  # refused before the first stage, not after
    frozen = _first_stage(plan, resume)
    (resume / "tuned").mkdir(exist_ok=True)
    logger.info("fine-tuning from %s on", fine_tune.from_layer or "the first layer")
    tuned = fitting.train(second_stage(plan, fine_tune, frozen.keras_file), out, resume / "tuned")
    _join(plan, frozen, tuned)
    return tuned


def second_stage(plan: TrainingPlan, fine_tune: FineTune, frozen: Path) -> TrainingPlan:
    """The plan of the stage after `plan`, which left the weights in the file `frozen`.

    Raises:
        OptionError: the network has nothing frozen that could be trained.
    """
    model = plan.model
    if not (isinstance(model, Transfer) and model.is_pretrained):
        raise OptionError(
            "trainer.fine_tune.epochs: expected a pretrained network that was frozen first. "
            f"Received: trainer.model={model.kind} without weights to be trained. Set "
            "trainer.model=transfer and its weights, or leave trainer.fine_tune.epochs=0."
        )
    tuned = dataclasses.replace(model, trainable_from=fine_tune.from_layer or FROM_THE_FIRST)
    # Other schedules are over with the epochs of the first stage.
    schedule = plan.descent.schedule
    schedule = schedule if isinstance(schedule, ReduceOnPlateau) else CONSTANT
    return dataclasses.replace(
        plan,
        model=tuned,
        descent=dataclasses.replace(
            plan.descent, learning_rate=fine_tune.learning_rate, schedule=schedule
        ),
        warm_start=frozen,
        epochs=fine_tune.epochs,
    )


def _first_stage(plan: TrainingPlan, resume: Path) -> TrainedModel:
    """The model of the first stage, trained unless `resume` holds it."""
    name = hashlib.sha256(plan.text.encode()).hexdigest()[:16]
    done, draft = resume / name, resume / f"{name}.draft"
    if not done.exists():
        if draft.exists():
            draft.rmtree()
        draft.mkdir(parents=True)
        (resume / "frozen").mkdir(parents=True, exist_ok=True)
        fitting.train(plan, draft, resume / "frozen")
        sync_tree(draft)
        draft.rename(done)
        sync(resume)
    return TrainedModel(done)


def _join(plan: TrainingPlan, frozen: TrainedModel, tuned: TrainedModel) -> None:
    """Put the first stage's history before the second's; keep its model if that is better."""
    first, second = _rows(frozen), _rows(tuned)
    rows = [*first, *({**row, "epoch": len(first) + row["epoch"]} for row in second)]
    HistoryFile(tuned.history_file, rows).on_train_begin()
    watching = plan.watching
    if watching.tensorboard:
        copy_tree(frozen.path / "logs", tuned.path / "logs" / "frozen")
    if watching.keep == "best" and best_epoch(rows, watching.monitor) <= len(first):
        logger.info("fine-tuning made it no better by %s: undone", watching.monitor)
        frozen.keras_file.copy(tuned.keras_file, overwrite=True)


def _rows(trained: TrainedModel) -> list[Row]:
    with trained.history_file.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
