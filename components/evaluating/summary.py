"""What every evaluation says, whatever its task: the main figures, and how files are written.

Beside the figures, `metrics.json` has `comparison`, a `significance.Change` of one of them with
what is said of it, or null without a baseline; and `cannot_judge`, why the rows of the main split
cannot tell a good model from one that knows nothing, or "".
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.evaluating.significance import Change

Figures = Mapping[str, Mapping[str, Any]]  # by split: `count` and `metrics`

_FIRST = ("test", "eval")  # the splits whose figures are the main ones, best first


def main_split(splits: Sequence[str]) -> str:
    """The split whose figures stand for the model: test, else eval, else the first."""
    return next((split for split in _FIRST if split in splits), splits[0])


def figures(main: str, own: Figures, other: Figures, rejected: int) -> dict[str, Any]:
    """The keys that `metrics.json` has for every task.

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


def change_of(metrics: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """By how much each metric that both have is above the baseline's."""
    return {name: metrics[name] - baseline[name] for name in metrics if name in baseline}


def comparison(change: Change | None) -> dict[str, Any] | None:
    """A change as `metrics.json` has it."""
    if change is None:
        return None
    more = {"is_drop": change.is_drop, "said": change.said, "bound": change.bound}
    return dataclasses.asdict(change) | more


def write_json(file: Path, content: object) -> None:
    """Write `content`, which holds no NaN, for people and programs."""
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def write_lines(file: Path, items: Iterable[object]) -> None:
    """Write JSON lines."""
    file.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))
