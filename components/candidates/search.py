"""The search: each candidate trained, asked about the validation split, and the best kept.

A candidate that is done stays done if the process is killed: its folder in `resume` holds the
model and its answers, and `outcome.json`, renamed into place, says that they are whole.
"""

import csv
import dataclasses
import json
import logging
import math
import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from etils.epath import Path

from millrace.components.artifacts import TrainedModel
from millrace.components.candidates import selection
from millrace.components.candidates.candidate import Candidate
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files.folders import copy_tree
from millrace.components.models import average, build, keras_file
from millrace.components.models.auto_options import Auto
from millrace.components.progress import notices
from millrace.components.training import dataset, fitting, measures, summary
from millrace.components.training.compiling import PADDING
from millrace.components.training.measures import Measure
from millrace.components.training.plan import Split, TrainingPlan
from millrace.components.training.solving import LeftOut

logger = logging.getLogger("millrace.components.trainer")

_REFUSED = (DataError, ModelError, OptionError)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a candidate.

    Attributes:
        candidate: which.
        trained: its folder; None if it could not be trained.
        score: how wrong it is on the validation split; less is better.
        epochs: that it was trained.
        parameters: of its network.
        answers: on the validation split, one per row; None for generated text, whose answers
            are too many to keep: there is no average of these.
        error: why it could not be trained; else empty.
        left_out: what it answers on rows of the train split without having seen them, if known.
    """

    candidate: Candidate
    trained: TrainedModel | None
    score: float = float("inf")
    epochs: int = 0
    parameters: int = 0
    answers: np.ndarray | None = None
    error: str = ""
    left_out: LeftOut | None = None


def run(
    plan: TrainingPlan, candidates: Sequence[Candidate], auto: Auto, out: Path, resume: Path
) -> TrainedModel:
    """Train `candidates` by `plan`, and leave the best, or an average, in `out`.

    Args:
        plan: what the trainer's options say; its network is that of the first candidate.
        candidates: one or more.
        auto: how many may answer together, and which options hold for all.
        out: gets the model, `candidates.csv`, and the history of the member with the largest
            share.
        resume: survives a kill.

    Raises:
        OptionError, ModelError, DataError: as `fitting.train`, where that is so of all.
    """
    if plan.validation is None:
        logger.info(
            "no validation split to choose by: trainer.model=auto takes the first network, %s",
            candidates[0].name,
        )
        candidates = candidates[:1]
    candidates = [each.yielding(plan, auto.held) for each in candidates]
    if auto.held:
        logger.info("as you set them, for every network: %s", ", ".join(auto.held))
    if len(candidates) == 1:
        return fitting.train(candidates[0].applied(plan), out, resume)
    measure = _measure(plan)
    outcomes = []
    begun = time.monotonic()
    for number, candidate in enumerate(candidates, start=1):
        place = f"candidate {number} of {len(candidates)}, {candidate.name}"
        with notices.all_passing(logger):
            logger.info("%s: %s", place, candidate.settings)
            found = _outcome(candidate, plan, measure, resume / str(number))
        outcomes.append(found)
        spent = time.monotonic() - begun
        left = spent / number * (len(candidates) - number)
        said = found.error or f"{_named(plan)} {found.score:.5g}"
        until = f", {notices.to_go(left)}" if left else ""
        logger.info("%s: %s; %.0f s so far%s", place, said, spent, until)
    return _chosen(plan, outcomes, measure, auto.averaged, out)


def _outcome(
    candidate: Candidate, plan: TrainingPlan, measure: Measure | None, folder: Path
) -> Outcome:
    own = candidate.applied(plan)
    made, file = TrainedModel(folder / "model"), folder / "outcome.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    if found.get("plan") != own.text:
        made.path.mkdir(parents=True, exist_ok=True)
        try:
            fitting.train(own, made.path, folder)
        except _REFUSED as error:
            return Outcome(candidate, None, error=str(error))
        found = {"plan": own.text}
        if (loss := _ask(made, own, measure, folder)) is not None:
            found["loss"] = loss
        partial = folder / "outcome.json.partial"
        partial.write_text(json.dumps(found))
        partial.replace(file)
    return _read(candidate, made, own, measure, folder, found.get("loss"))


def _ask(
    made: TrainedModel, plan: TrainingPlan, measure: Measure | None, folder: Path
) -> float | None:
    """Write what the model answers on the validation split; of generated text, its loss there.

    That is of what is saved: the counts that a network is mixed with have no part in its history.
    """
    if plan.validation is None:
        return None
    asked = dataset.evaluation(
        plan.validation.files, plan.spec.layout, plan.objective, plan.validation.count
    )
    model = build.load(made.keras_file, plan.spec)
    if measure is None:
        return token_loss(model, asked, logits=plan.objective.logits)
    with (folder / "answers.npy").open("wb") as file:
        np.save(file, model.predict(asked, verbose=0))
    return None


def _read(
    candidate: Candidate,
    made: TrainedModel,
    plan: TrainingPlan,
    measure: Measure | None,
    folder: Path,
    loss: float | None,
) -> Outcome:
    with made.history_file.open() as text:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(text)]
    answers = None
    score = math.inf if loss is None else loss
    if measure is not None:
        with (folder / "answers.npy").open("rb") as file:
            answers = np.load(file)
        score = measure(answers)
    parameters = json.loads((made.path / "model.json").read_text())["parameters"]
    left_out = LeftOut.read(folder)
    return Outcome(candidate, made, score, len(rows), parameters, answers, left_out=left_out)


def token_loss(model: keras.Model, windows: tf.data.Dataset, *, logits: bool) -> float:
    """The mean cross-entropy of the tokens of `windows`, padding aside, in nats.

    Args:
        model: int32 [batch, length] -> float32 [batch, length, tokens].
        windows: batches of tokens, and of those that follow each.
        logits: whether `model` gives logits.
    """

    @tf.function(reduce_retracing=True)
    def of_batch(ids: tf.Tensor, following: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        each = keras.losses.sparse_categorical_crossentropy(
            following, model(ids, training=False), from_logits=logits
        )
        known = tf.cast(following != PADDING, each.dtype)
        return tf.reduce_sum(each * known), tf.reduce_sum(known)

    sums = np.sum([[part.numpy() for part in of_batch(*each)] for each in windows], axis=0)
    return float(sums[0] / sums[1])


def _measure(plan: TrainingPlan) -> Measure | None:
    """How wrong answers on the validation split are; None for generated text."""
    objective, validation = plan.objective, plan.validation
    if validation is None or objective.task == "language":
        return None
    return _measure_by(_truth(validation, plan), plan)


def _truth(split: Split, plan: TrainingPlan) -> np.ndarray:
    batches = dataset.targets(split.files, plan.spec.layout)
    return np.concatenate([batch.numpy() for batch in batches])


def _measure_by(truth: np.ndarray, plan: TrainingPlan) -> Measure:
    """How wrong answers to rows of this `truth` are."""
    objective = plan.objective
    if objective.classes:
        of_probabilities = measures.cross_entropy(truth.reshape(-1).astype(np.int64))
        return lambda answers: of_probabilities(_probabilities(answers, logits=objective.logits))
    squared = objective.loss == "mean_squared_error"
    if isinstance(plan.spec, SeriesSpec):
        errors = np.array(plan.spec.naive_error)
        return measures.error_of_numbers(truth, np.where(errors > 0, errors, 1.0), squared=squared)
    unit = np.array(getattr(plan.spec, "target_deviation", 0.0) or 1.0)
    return measures.error_of_numbers(truth.reshape(-1, 1), unit, squared=squared)


def _probabilities(answers: np.ndarray, *, logits: bool) -> np.ndarray:
    """Of every class, [rows, classes]; of one output, that is the second of two."""
    found = answers.astype(np.float64)
    if found.shape[-1] == 1:
        second = 1.0 / (1.0 + np.exp(-found)) if logits else found
        return np.concatenate([1.0 - second, second], axis=1)
    if logits:
        found = np.exp(found - found.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


def _named(plan: TrainingPlan) -> str:
    return "log loss" if plan.objective.classes else "error"


def _chosen(
    plan: TrainingPlan,
    outcomes: Sequence[Outcome],
    measure: Measure | None,
    averaged: int,
    out: Path,
) -> TrainedModel:
    done = [(each, each.trained) for each in outcomes if each.trained]
    if not done:
        raise ModelError(
            "trainer.model=auto: expected a candidate that can be trained. Received: "
            f"{len(outcomes)} that cannot: {'; '.join(each.error for each in outcomes)} "
            "Name a network by trainer.model."
        )
    if measure is None:
        shares = {min(range(len(done)), key=lambda place: done[place][0].score): 1.0}
    else:
        shares = _shares([each for each, _ in done], plan, measure, averaged)
    names = {place: done[place][0].candidate.name for place in shares}
    said = ", ".join(f"{names[place]} {share:.0%}" for place, share in shares.items())
    logger.info("trainer.model=auto: chosen %s; set trainer.model to train one alone", said)
    _write_table(outcomes, {names[place]: share for place, share in shares.items()}, out)
    first = max(shares, key=lambda place: (shares[place], -place))
    copy_tree(done[first][1].path, out)
    trained = TrainedModel(out)
    if len(shares) > 1:
        models = {
            names[place]: build.load(done[place][1].keras_file, plan.spec) for place in shares
        }
        model: keras.Model = average.averaged(models, list(shares.values()))
        keras_file.save(model, trained.keras_file)
        summary.write(model, out / "model.json")
    return trained


def _shares(
    done: Sequence[Outcome], plan: TrainingPlan, measure: Measure, averaged: int
) -> dict[int, float]:
    """The share of each candidate in the answer, by its place.

    By the validation split, of classes more evenly the fewer rows it has; also by the rows of the
    train split that were left out, where every candidate has answers to these.
    """
    left = [each.left_out for each in done if each.left_out]
    if len(left) < len(done) or plan.validation is None:
        answers = [each.answers for each in done if each.answers is not None]
        found = selection.weights(answers, measure, averaged)
        if plan.validation is None or not plan.objective.classes or averaged == 1:
            return found
        labels = _truth(plan.validation, plan).reshape(-1).astype(np.int64)
        return selection.evened(found, [each.score for each in done], labels, averaged)
    truth = np.concatenate([left[0].truth, _truth(plan.validation, plan)])
    of_both = _measure_by(truth, plan)
    joined = [
        np.concatenate([out.answers, each.answers])
        for out, each in zip(left, done, strict=True)
        if each.answers is not None
    ]
    scores = [of_both(each) for each in joined]
    logger.info(
        "with %d rows of the train split, each left out: %s",
        *(len(left[0].truth), _listed(done, scores)),
    )
    by_score = selection.shares_by_score(scores, len(truth), averaged)
    greedy = selection.weights(joined, of_both, averaged)
    return selection.drawn(greedy, by_score, len(truth), averaged)


def _listed(done: Sequence[Outcome], scores: Sequence[float]) -> str:
    return ", ".join(
        f"{each.candidate.name} {score:.5g}" for each, score in zip(done, scores, strict=True)
    )


def _write_table(outcomes: Sequence[Outcome], shares: dict[str, float], out: Path) -> None:
    """`candidates.csv`: a row for each, in the order in which they were tried."""
    with (out / "candidates.csv").open("w") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("name", "score", "share", "epochs", "parameters", "settings", "error"))
        for each in outcomes:
            name = each.candidate.name
            score = f"{each.score:.6g}" if each.trained else ""
            row = (name, score, f"{shares.get(name, 0):g}", each.epochs, each.parameters)
            writer.writerow((*row, each.candidate.settings, each.error))
