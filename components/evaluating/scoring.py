"""Examples scored by one model, or by two on the very same rows, whatever the task.

Plain functions from a shard of Examples to a `Scored`; Beam only calls and merges them. What is
kept of the rows are whole numbers and the worst rows, so that any partition of the rows gives the
same figures.
"""

import dataclasses
import heapq
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Rejected
from millrace.components.errors import OptionError
from millrace.components.evaluating.significance import Differences
from millrace.components.files import columns
from millrace.components.inference.rows import Rows, read_rows, text
from millrace.components.inference.saved_model import (
    SIGNATURE,
    Models,
    Outputs,
    Predict,
    ahead,
    answer,
    predictor,
)

CANDIDATE, BASELINE = "candidate", "baseline"
MOST_SLICES = 10_000  # of one feature
MISSING = "(missing)"  # the slice of rows without the feature
_PARTS = 16  # that are kept apart before they are merged

Slices = Mapping[tuple[str, str], NDArray[np.int64]]  # rows by feature and value

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


def largest(values: NDArray[np.generic], number: int) -> NDArray[np.int64]:
    """The places of the `number` largest of `values` [rows], and of those equal to the last."""
    if len(values) <= number:
        return np.arange(len(values))
    if not number:
        return np.arange(0)
    return np.flatnonzero(values >= np.partition(values, -number)[-number])


def score_shard(
    scored: type[S],
    score_batch: Callable[[str, Rows, Sequence[Predict], EvalConfig], S],
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

    def score(rows: Rows) -> S:
        return score_batch(split, rows, predicts, config)

    parts: list[S] = []
    for part in ahead(score, read_rows(Path(file), config.batch_size)):
        parts.append(part)
        if len(parts) == _PARTS:
            parts = [scored.merged(parts, config.mistakes)]
    return scored.merged(parts, config.mistakes)


def answers_of_all(
    predicts: Sequence[Predict], rows: Rows, size: int
) -> tuple[Rows, list[Outputs], list[Rejected]]:
    """The rows that the candidate answers, each model's answers, and the rows that it does not.

    Without the baseline's answers where it does not answer all of these rows: what an earlier model
    cannot read is not the rows' fault. A model is asked about `size` rows at a time.
    """
    own = answer(predicts[0], rows, size)
    outputs = [own.outputs]
    for predict in predicts[1:]:
        other = answer(predict, own.rows, size)
        if not other.rejected:
            outputs.append(other.outputs)
    rejected = [
        dataclasses.replace(item, reason=f"{CANDIDATE}: {item.reason}") for item in own.rejected
    ]
    return own.rows, outputs, rejected


def slices_of(rows: Rows, features: Sequence[str]) -> Slices:
    """The rows of each value of each feature; a row with several values is in each's slice."""
    return {
        (feature, value): numbers
        for feature in features
        for value, numbers in _by_value(rows, feature)
    }


def _by_value(rows: Rows, feature: str) -> Iterator[tuple[str, NDArray[np.int64]]]:
    if feature not in rows.features.schema.names:
        yield MISSING, np.arange(len(rows))
        return
    flat, lengths = columns.values(rows.features.column(feature))
    numbers, found = columns.distinct(flat)
    texts = [*map(_value, found), MISSING]
    places = {each: place for place, each in enumerate(dict.fromkeys(texts))}
    of_values = np.array([places[each] for each in texts])[numbers]
    is_missing = lengths == 0
    owners = np.concatenate([np.repeat(np.arange(len(rows)), lengths), np.flatnonzero(is_missing)])
    values = np.concatenate([of_values, np.full(is_missing.sum(), places[MISSING])])
    pairs = np.unique(values * len(rows) + owners)
    values, owners = np.divmod(pairs, max(1, len(rows)))
    starts = np.searchsorted(values, np.arange(len(places) + 1)).tolist()
    for each, start, end in zip(places, starts, starts[1:], strict=False):
        if end > start:
            yield each, owners[start:end]


def _value(value: bytes | np.generic) -> str:
    return f"{value.item():g}" if isinstance(value, np.floating) else text(value)


def _refuse_many_slices(keys: Iterable[Key]) -> None:
    counts = Counter((key.split, key.model, key.feature) for key in keys)
    for (split, _, feature), count in counts.items():
        if count > MOST_SLICES:
            raise OptionError(
                f"slices: expected features of at most {MOST_SLICES:,} values. Received: "
                f"{feature!r}, which has more in split {split!r}. Choose a coarser feature."
            )
