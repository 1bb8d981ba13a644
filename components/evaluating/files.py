"""The files of an evaluation that every task writes, and the figures that every task gives.

metrics.json    split, count, metrics, splits, baseline, change, rejected; `comparison`, a
                `significance.Change` of one figure with what is said of it, or null without a
                baseline; `cannot_judge`, why the rows of the main split cannot tell a good model
                from one that knows nothing, or ""; the fields of a `BaselineResults`; and what the
                task adds; `intervals`, of each figure what it could be were other rows drawn
                (`evaluating.intervals`), in `splits` too; `warnings`, what to know of the model;
                of models with intervals `prediction_intervals`, see `coverage`
slices.json     a list of split, feature, value, count, metrics (and baseline), and `intervals` as
                above, of the thousand slices with the most rows; the others have {}
mistakes.jsonl  the worst rows of each split, worst first
rejected.jsonl  rows set aside, each with source, position and reason
"""

import dataclasses
import heapq
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.evaluating.scoring import BASELINE, CANDIDATE, Key, Scored
from millrace.components.evaluating.significance import Change

Figures = Mapping[str, Mapping[str, Any]]  # by split: `count` and `metrics`
Describe = Callable[[Any], dict[str, Any]]  # the `count` and `metrics` of a sum
Around = Callable[[Key, Mapping[str, float]], Mapping[str, Any]]  # the interval of each metric

_SURROUNDED = 1000  # slices that have intervals: one takes up to 5 ms
_FIRST = ("test", "eval")  # the splits whose figures are the main ones, best first


def write(
    out: Path,
    metrics: Mapping[str, Any],
    slices: Sequence[Mapping[str, Any]],
    mistakes: Iterable[Mapping[str, Any]],
    rejected: Iterable[Rejected],
) -> None:
    """Write the four files to `out`, an existing folder."""
    write_json(out / "metrics.json", metrics)
    write_json(out / "slices.json", slices)
    write_lines(out / "mistakes.jsonl", mistakes)
    write_lines(out / "rejected.jsonl", map(dataclasses.asdict, rejected))


def main_split(splits: Sequence[str]) -> str:
    """The split whose figures stand for the model: test, else eval, else the first."""
    return next((split for split in _FIRST if split in splits), splits[0])


def by_split(scored: Scored, splits: Sequence[str], model: str, describe: Describe) -> Figures:
    """The figures of one model for each split that has rows."""
    keys = [Key(split, model) for split in splits]
    return {key.split: describe(scored.sums[key]) for key in keys if key in scored.sums}


def figures(
    scored: Scored, splits: Sequence[str], describe: Describe, *, is_compared: bool
) -> dict[str, Any]:
    """The first keys of `metrics.json`, from sums; `splits` in the order of the report."""
    own = by_split(scored, splits, CANDIDATE, describe)
    other = by_split(scored, splits, BASELINE, describe) if is_compared else {}
    return figures_of(main_split(splits), own, other, len(scored.rejected))


def figures_of(main: str, own: Figures, other: Figures, rejected: int) -> dict[str, Any]:
    """The first keys of `metrics.json`.

    Args:
        main: the split whose figures stand for the model.
        own: the candidate's.
        other: the baseline's on the same rows; empty without one.
        rejected: rows set aside.
    """
    metrics = own[main]["metrics"] if main in own else {}
    baseline = other[main]["metrics"] if main in other else None
    return {
        "split": main,
        "count": own[main]["count"] if main in own else 0,
        "metrics": metrics,
        "splits": own,
        "baseline": None if baseline is None else {"metrics": baseline, "splits": other},
        "change": None if baseline is None else change_of(metrics, baseline),
        "rejected": rejected,
    }


def add_intervals(found: dict[str, Any], around: Around) -> None:
    """Give each split its figures' intervals, and the main one's to the whole.

    Args:
        found: what `figures` gave.
        around: the rows of a split and their metrics to the interval of each.
    """
    for split, own in found["splits"].items():
        own["intervals"] = (
            dict(around(Key(split, CANDIDATE), own["metrics"])) if own["metrics"] else {}
        )
    main = found["splits"].get(found["split"], {})
    found["intervals"] = main.get("intervals", {})


def too_small(
    found: Mapping[str, Any],
    figure: str,
    other: str,
    gain: float,
    interval: tuple[float, ...] | None,
) -> tuple[str, ...]:
    """A warning where what a model gains may be chance; none where it gains nothing at all.

    Args:
        found: what `figures` gave.
        figure: the model's, in words.
        other: what it is better than, in words.
        gain: by how much, more being better.
        interval: of the gain; None where there is none.
    """
    if gain <= 0 or interval is None or interval[0] > 0:
        return ()
    low, high = interval
    return (
        f"split {found['split']!r} is too small to tell: {figure} is better than {other} by "
        f"{gain:.3g}, and other {found['count']:,} rows might say {low:.3g} to {high:.3g}",
    )


def change_of(metrics: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """By how much each metric that both have is above the baseline's."""
    return {name: metrics[name] - baseline[name] for name in metrics if name in baseline}


def comparison(change: Change | None) -> dict[str, Any] | None:
    """A change as `metrics.json` has it."""
    if change is None:
        return None
    more = {"is_drop": change.is_drop, "said": change.said, "bound": change.bound}
    return dataclasses.asdict(change) | more


def slices(
    scored: Scored,
    splits: Sequence[str],
    describe: Describe,
    around: Around,
    *,
    is_compared: bool,
) -> list[dict[str, Any]]:
    """The content of `slices.json`, from sums: by split and feature, numbers before text."""
    found: list[dict[str, Any]] = []
    keys = [key for key in scored.sums if key.feature and key.model == CANDIDATE]
    ordered = sorted(keys, key=lambda each: _slice_order(each, splits))
    for key in ordered:
        entry = dataclasses.asdict(key) | describe(scored.sums[key])
        del entry["model"]
        other = scored.sums.get(dataclasses.replace(key, model=BASELINE))
        if other is not None and is_compared:
            entry["baseline"] = describe(other)["metrics"]
        found.append(entry)
    surround(found, lambda place: around(ordered[place], found[place]["metrics"]))
    return found


def surround(slices: Sequence[dict[str, Any]], around: Callable[[int], Mapping[str, Any]]) -> None:
    """Give the slices with the most rows their intervals, the others none.

    Args:
        slices: of all splits and features.
        around: the place of one of them to the interval of each of its metrics.
    """
    places = range(len(slices))
    largest = heapq.nlargest(_SURROUNDED, places, lambda place: slices[place]["count"])
    for place in places:
        slices[place]["intervals"] = {}
    for place in largest:
        slices[place]["intervals"] = dict(around(place))


def _slice_order(key: Key, splits: Sequence[str]) -> tuple[int, str, float, str]:
    number = float(key.value) if key.value.isdecimal() else float("inf")
    return splits.index(key.split), key.feature, number, key.value


def ranked(scored: Scored, splits: Sequence[str]) -> list[Any]:
    """The worst rows in the order of `splits`, worst first."""
    return sorted(scored.worst, key=lambda row: (splits.index(row.split), row.rank))


def write_json(file: Path, content: object) -> None:
    """Write `content`, which holds no NaN, for people and programs."""
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def write_lines(file: Path, items: Iterable[object]) -> None:
    """Write each of `items` as JSON on a line of its own."""
    file.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
