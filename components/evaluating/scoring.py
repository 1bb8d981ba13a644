"""Examples scored by one model, or by two on the very same rows, whatever the task.

Plain functions from a shard of Examples to a `Scored`; Beam only calls and merges them. What is
kept of the rows are whole numbers and the worst rows, so that any partition of the rows gives the
same figures.
"""

import dataclasses
import heapq
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import OptionError
from millrace.components.evaluating.significance import Differences
from millrace.components.inference.saved_model import (
    SIGNATURE,
    InputRow,
    Models,
    Outputs,
    Predict,
    ahead,
    answer,
    batched,
    predictor,
    read_rows,
)

CANDIDATE, BASELINE = "candidate", "baseline"
MOST_SLICES = 10_000  # of one feature
MISSING = "(missing)"  # the slice of rows without the feature

Item = TypeVar("Item")
K = TypeVar("K")
S = TypeVar("S", bound="Scored")


@dataclasses.dataclass(frozen=True, order=True)
class Key:
    """Which rows a sum is of, and whose answers; overall, `feature` and `value` are empty."""

    split: str
    model: str
    feature: str = ""
    value: str = ""


@dataclasses.dataclass(frozen=True)
class EvalConfig:
    """How rows are scored and judged; see the options of `evaluator`.

    Attributes:
        label: the feature with the truth.
        slices: features by whose values figures are given.
        mistakes: how many of the worst rows of a split are kept.
        must_beat: the simple baselines to beat; None for every one that the rows allow.
        model: the content of the candidate's `model.json`.
    """

    label: str
    slices: tuple[str, ...]
    batch_size: int
    mistakes: int
    top_k: int = 5
    must_beat: tuple[str, ...] | None = None
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Scored:
    """What is kept of scored rows; each task adds what it needs beside.

    Attributes:
        sums: of candidate and baseline, overall and by slice; of a type that can be added.
        paired: by split, the candidate's numbers less the baseline's.
        worst: of the candidate, the worst rows of each split, worst first; each has a `split` and
            a `rank`, which sorts the worst first and equals always alike.
        rejected: rows set aside; in no sum.
    """

    sums: Mapping[Key, Any] = dataclasses.field(default_factory=dict)
    paired: Mapping[str, Differences] = dataclasses.field(default_factory=dict)
    worst: tuple[Any, ...] = ()
    rejected: tuple[Rejected, ...] = ()

    @classmethod
    def merged(cls, parts: Iterable[Self], mistakes: int) -> Self:
        """The same as if all the parts' rows had been one part; keeps `mistakes` of each split.

        Raises:
            OptionError: a feature has too many values to slice by.
        """
        known = list(parts)
        sums = added(part.sums for part in known)
        _refuse_many_slices(sums)
        rejected = [item for part in known for item in part.rejected]
        return cls(
            sums=sums,
            paired=added(part.paired for part in known),
            worst=first_of_each_split((row for part in known for row in part.worst), mistakes),
            rejected=tuple(sorted(rejected, key=lambda item: (item.source, item.position))),
            **cls.merged_fields(known),
        )

    @classmethod
    def merged_fields(cls, parts: Sequence[Self]) -> dict[str, Any]:
        """The fields that a task adds, merged."""
        return {}

    @property
    def is_compared(self) -> bool:
        """Whether the baseline answered every row that the candidate did."""
        rows = {
            model: {
                key.split: each.count
                for key, each in self.sums.items()
                if key.model == model and not key.feature
            }
            for model in (CANDIDATE, BASELINE)
        }
        return bool(rows[BASELINE]) and rows[CANDIDATE] == rows[BASELINE]


def added(parts: Iterable[Mapping[K, Any]]) -> dict[K, Any]:
    """The sum of the values of each key."""
    found: dict[K, Any] = {}
    for part in parts:
        for key, value in part.items():
            found[key] = found[key] + value if key in found else value
    return found


def first_of_each_split(rows: Iterable[Item], number: int, key: str = "rank") -> tuple[Item, ...]:
    """The `number` rows of each split that come first by the attribute `key`, in that order."""
    by_split: dict[str, list[Item]] = {}
    for row in rows:
        by_split.setdefault(row.split, []).append(row)  # type: ignore[attr-defined]
    return tuple(
        row
        for split in sorted(by_split)
        for row in heapq.nsmallest(number, by_split[split], operator.attrgetter(key))
    )


def score_shard(
    scored: type[S],
    score_batch: Callable[[str, Sequence[InputRow], Sequence[Predict], EvalConfig], S],
    shard: tuple[str, str],
    models: Models,
    config: EvalConfig,
    signature: str = SIGNATURE,
) -> S:
    """Score the records of one file.

    Args:
        scored: the type of what the task keeps.
        score_batch: of the split's name, rows that fit into memory together, and the models.
        shard: the split's name, and the file's path.
        models: the candidate, and the baseline if there is one.
        config: the sizes of batches and of what is kept.
        signature: what is called. A baseline that has no signature but the default one is left out.
    """
    split, file = shard
    candidate, *others = models.load()
    predicts = [predictor(candidate, signature)]
    predicts += [
        predictor(each, signature)
        for each in others
        if signature == SIGNATURE or signature in each.signatures
    ]

    def score(batch: list[InputRow]) -> S:
        return score_batch(split, batch, predicts, config)

    batches = batched(read_rows(Path(file)), config.batch_size)
    return scored.merged(ahead(score, batches), config.mistakes)


def answers_of_all(
    predicts: Sequence[Predict], rows: Sequence[InputRow]
) -> tuple[list[InputRow], list[Outputs], list[Rejected]]:
    """The rows that the candidate answers, each model's answers, and the rows that it does not.

    Without the baseline's answers where it does not answer all of these rows: what an earlier model
    cannot read is not the rows' fault.
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


def slices_of(
    rows: Sequence[InputRow], features: Sequence[str]
) -> dict[tuple[str, str], list[int]]:
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


def _refuse_many_slices(keys: Iterable[Key]) -> None:
    counts = Counter((key.split, key.model, key.feature) for key in keys)
    for (split, _, feature), count in counts.items():
        if count > MOST_SLICES:
            raise OptionError(
                f"slices: expected features of at most {MOST_SLICES:,} values. Received: "
                f"{feature!r}, which has more in split {split!r}. Choose a coarser feature."
            )
