"""Examples scored by one model, or by two on the very same rows; what is kept of them merges.

Plain functions from a shard of Examples to a `Scored`; Beam only calls and merges them.
"""

import dataclasses
import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import OptionError
from millrace.components.evaluating import significance
from millrace.components.evaluating.significance import Differences
from millrace.components.evaluating.tallies import Ints, Tally, cross_entropy, tally
from millrace.components.inference.saved_model import (
    Models,
    Outputs,
    Predict,
    Row,
    ahead,
    answer,
    batched,
    class_names,
    predictor,
    read_rows,
    text,
)

CANDIDATE, BASELINE = "candidate", "baseline"
MOST_SLICES = 10_000  # of one feature
MISSING = "(missing)"  # the slice of rows without the feature


@dataclasses.dataclass(frozen=True, order=True)
class Key:
    """Which rows a tally is of, and whose answers; overall, `feature` and `value` are empty."""

    split: str
    model: str
    feature: str = ""
    value: str = ""


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A row with another answer than its truth; `loss` in nats, scores in 0 ... 1."""

    split: str
    filename: str
    position: str
    truth: str
    answer: str
    score: float
    truth_score: float
    loss: float

    @property
    def rank(self) -> tuple[float, str, str]:
        """Sorts the worst first, and equals always alike."""
        return -self.loss, self.filename, self.position


@dataclasses.dataclass(frozen=True)
class Scored:
    """All that is kept of scored rows.

    Attributes:
        classes: the candidate's, in the order of its scores; empty before the first row.
        baseline_classes: the baseline's own; empty without one.
        tallies: candidate and baseline, overall and by slice.
        paired: by split, of the rows that both answered: 1 where only the candidate is right, -1
            where only the baseline is.
        mistakes: of the candidate, the worst ones of each split, worst first.
        rejected: rows set aside; in no tally.
    """

    classes: tuple[str, ...] = ()
    baseline_classes: tuple[str, ...] = ()
    tallies: Mapping[Key, Tally] = dataclasses.field(default_factory=dict)
    paired: Mapping[str, Differences] = dataclasses.field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    rejected: tuple[Rejected, ...] = ()


@dataclasses.dataclass(frozen=True)
class Questions:
    """What is asked of each row: the features that hold truth and slices, and sizes.

    `settings` is what the model says of itself, and what the evaluator's options add.
    """

    label: str
    slices: tuple[str, ...]
    batch_size: int
    mistakes: int
    top_k: int = 5
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def merge(parts: Iterable[Scored], mistakes: int) -> Scored:
    """The same as if all the parts' rows had been one part; keeps `mistakes` of each split.

    Raises:
        OptionError: a feature has too many values to slice by.
    """
    known = list(parts)
    tallies: dict[Key, Tally] = {}
    for part in known:
        for key, counted in part.tallies.items():
            tallies[key] = tallies[key] + counted if key in tallies else counted
    refuse_many_slices(tallies)
    rejected = [item for part in known for item in part.rejected]
    return Scored(
        classes=next((part.classes for part in known if part.classes), ()),
        baseline_classes=next((p.baseline_classes for p in known if p.baseline_classes), ()),
        tallies=tallies,
        paired=significance.merge(part.paired for part in known),
        mistakes=_worst([item for part in known for item in part.mistakes], mistakes),
        rejected=tuple(sorted(rejected, key=lambda item: (item.source, item.position))),
    )


def score_shard(shard: tuple[str, str], models: Models, questions: Questions) -> Scored:
    """Score the records of one file.

    Args:
        shard: the split's name, and the file's path.
        models: the candidate, and the baseline if there is one.
        questions: what is asked.
    """
    split, file = shard
    predicts = [predictor(model) for model in models.load()]
    batches = batched(read_rows(Path(file)), questions.batch_size)

    def score(batch: list[Row]) -> Scored:
        return score_batch(split, batch, predicts, questions)

    return merge(ahead(score, batches), questions.mistakes)


def score_batch(
    split: str, rows: Sequence[Row], predicts: Sequence[Predict], questions: Questions
) -> Scored:
    """Score rows that fit into memory together, by the candidate and perhaps a baseline."""
    rows, outputs, rejected = ask_all(predicts, rows)
    if not rows:
        return Scored(rejected=tuple(rejected))
    names = [class_names(each) for each in outputs]
    truth = _truth(rows, names[0], questions.label)
    known = truth >= 0
    rejected += [
        row.rejected(f"class {_label(row, questions.label)!r} is not one of the model's")
        for row in itertools.compress(rows, ~known)
    ]
    rows, truth = list(itertools.compress(rows, known)), truth[known]
    tallies: dict[Key, Tally] = {}
    right: list[Ints] = []
    slices = slices_of(rows, questions.slices)
    for model, own, each in zip((CANDIDATE, BASELINE), names, outputs, strict=False):
        if sorted(own) == sorted(names[0]) and len(rows):
            order = [own.index(name) for name in names[0]]
            scores = each["scores"][known][:, order]
            tallies |= _tallies(Key(split, model), truth, scores, slices)
            right.append((scores.argmax(axis=1) == truth).astype(np.int64))
    return Scored(
        classes=names[0],
        baseline_classes=names[1] if len(names) > 1 else (),
        tallies=tallies,
        paired={split: Differences.of((right[0] - right[1]).tolist())} if len(right) > 1 else {},
        mistakes=_mistakes(split, rows, truth, outputs[0]["scores"][known], names[0]),
        rejected=tuple(rejected),
    )


def ask_all(
    predicts: Sequence[Predict], rows: Sequence[Row]
) -> tuple[list[Row], list[Outputs], list[Rejected]]:
    """The rows that the candidate answers, each model's answers, and the rows that it does not.

    Without the baseline's answers where it does not answer all of these rows: what an earlier model
    cannot read is no fault of the rows.
    """
    own = answer(predicts[0], rows)
    outputs = [own.outputs]
    for predict in predicts[1:]:
        other = answer(predict, own.rows)
        if not other.rejected:
            outputs.append(other.outputs)
    rejected = [
        dataclasses.replace(item, reason=f"{CANDIDATE}: {item.reason}") for item in own.rejected
    ]
    return own.rows, outputs, rejected


def _label(row: Row, feature: str) -> str:
    return text(row.features.get(feature), default=MISSING)


def _truth(rows: Sequence[Row], classes: Sequence[str], feature: str) -> Ints:
    """The index of each row's class in `classes`, int64 [rows]; -1 where it is not there."""
    index = {name: number for number, name in enumerate(classes)}
    return np.array([index.get(_label(row, feature), -1) for row in rows], np.int64)


def slices_of(rows: Sequence[Row], features: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """The rows of each value of each feature; a row with several values is in each's slice."""
    found: dict[tuple[str, str], list[int]] = {}
    for feature in features:
        for number, row in enumerate(rows):
            for value in _values(row.features.get(feature)):
                found.setdefault((feature, value), []).append(number)
    return found


def _values(value: list[bytes] | np.ndarray | None) -> set[str]:
    if value is None or not len(value):
        return {MISSING}
    if isinstance(value, list):
        return {item.decode(errors="replace") for item in value}
    return {f"{item:g}" if isinstance(item, float) else str(item) for item in value.tolist()}


def _tallies(
    overall: Key,
    truth: Ints,
    scores: np.ndarray,
    slices: Mapping[tuple[str, str], list[int]],
) -> dict[Key, Tally]:
    found = {overall: tally(truth, scores)}
    for (feature, value), numbers in slices.items():
        key = Key(overall.split, overall.model, feature, value)
        found[key] = tally(truth[numbers], scores[numbers])
    return found


def _mistakes(
    split: str, rows: Sequence[Row], truth: Ints, scores: np.ndarray, classes: Sequence[str]
) -> tuple[Mistake, ...]:
    answers = scores.argmax(axis=1)
    losses = cross_entropy(truth, scores)
    return tuple(
        Mistake(
            split=split,
            filename=rows[number].source,
            position=rows[number].position,
            truth=classes[truth[number]],
            answer=classes[answers[number]],
            score=float(scores[number, answers[number]]),
            truth_score=float(scores[number, truth[number]]),
            loss=float(losses[number]),
        )
        for number in np.flatnonzero(answers != truth).tolist()
    )


def _worst(mistakes: Sequence[Mistake], number: int) -> tuple[Mistake, ...]:
    """The `number` worst mistakes of each split, by split and worst first."""
    splits = sorted({item.split for item in mistakes})
    return tuple(
        item
        for split in splits
        for item in heapq.nsmallest(
            number, (each for each in mistakes if each.split == split), key=lambda each: each.rank
        )
    )


def is_compared(counts: Mapping[Key, int]) -> bool:
    """Whether the baseline answered every row that the candidate did, by the rows of each key."""
    asked = {key.split: rows for key, rows in counts.items() if _is_overall(key, CANDIDATE)}
    answered = {key.split: rows for key, rows in counts.items() if _is_overall(key, BASELINE)}
    return bool(answered) and asked == answered


def _is_overall(key: Key, model: str) -> bool:
    return key.model == model and not key.feature


def refuse_many_slices(keys: Iterable[Key]) -> None:
    """Check that no feature has more than `MOST_SLICES` slices.

    Raises:
        OptionError: one has.
    """
    counts = Counter((key.split, key.model, key.feature) for key in keys)
    for (split, _, feature), count in counts.items():
        if count > MOST_SLICES:
            raise OptionError(
                f"slices: expected features of at most {MOST_SLICES:,} values. Received: "
                f"{feature!r}, which has more in split {split!r}. Choose a coarser feature."
            )
