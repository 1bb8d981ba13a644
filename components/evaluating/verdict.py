"""The verdict on a model: whether its figures suffice, and the reasons."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from millrace.components.display import numbers
from millrace.components.errors import OptionError


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Bounds by metric; a change is the candidate's figure less the baseline's."""

    at_least: Mapping[str, float]
    at_most: Mapping[str, float]
    change_at_least: Mapping[str, float]
    change_at_most: Mapping[str, float]

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in dataclasses.fields(self))

    def bounds_change_of(self, metric: str) -> bool:
        """Whether a threshold says which changes of `metric` are good enough."""
        return metric in self.change_at_least or metric in self.change_at_most

    def check_names(self, known: Iterable[str], place: str) -> None:
        """Refuse a threshold on what `place` has no figure of.

        Raises:
            OptionError: the text lists the metrics there are.
        """
        names = sorted(known)
        for field in dataclasses.fields(self):
            for metric in getattr(self, field.name):
                if metric not in names:
                    raise OptionError(
                        f"{field.name}: expected a metric of {place}: {', '.join(names)}. "
                        f"Received: {metric!r}. Choose one of these."
                    )


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether all thresholds hold, and a line for each of them."""

    blessed: bool
    reasons: tuple[str, ...]


def check(
    thresholds: Thresholds,
    metrics: Mapping[str, float],
    baseline: Mapping[str, float] | None,
    no_baseline: str = "there is no blessed model to compare with",
) -> Verdict:
    """Compare `metrics` with the thresholds.

    Args:
        thresholds: a bound on a figure that there is not does not hold.
        metrics: the candidate's.
        baseline: the last blessed model's on the same rows; without one changes pass.
        no_baseline: why there is none.
    """
    if not thresholds:
        return Verdict(blessed=True, reasons=("no threshold is set",))
    outcomes = [
        *_bounds(metrics, thresholds.at_least, thresholds.at_most, "{}"),
        *_changes_within(thresholds, metrics, baseline, no_baseline),
    ]
    return Verdict(all(held for held, _ in outcomes), tuple(line for _, line in outcomes))


def _changes_within(
    thresholds: Thresholds,
    metrics: Mapping[str, float],
    baseline: Mapping[str, float] | None,
    no_baseline: str,
) -> list[tuple[bool, str]]:
    if not thresholds.change_at_least and not thresholds.change_at_most:
        return []
    if baseline is None:
        return [(True, f"changes are not judged: {no_baseline}")]
    changes = {name: metrics[name] - baseline[name] for name in metrics.keys() & baseline.keys()}
    return _bounds(changes, thresholds.change_at_least, thresholds.change_at_most, "change of {}")


def _bounds(
    figures: Mapping[str, float],
    lowest: Mapping[str, float],
    highest: Mapping[str, float],
    called: str,
) -> list[tuple[bool, str]]:
    """Whether each bound holds, and the line that says so. A NaN holds none."""
    found = {name: figures.get(name, math.nan) for name in (*lowest, *highest)}
    said = {name: numbers.short(value) for name, value in figures.items()}
    low = [(name, bound, "at least", found[name] >= bound) for name, bound in lowest.items()]
    high = [(name, bound, "at most", found[name] <= bound) for name, bound in highest.items()]
    return [
        (
            held,
            f"{called.format(name)}: expected {sense} {bound:g}. "
            f"Received: {said.get(name, 'no such figure of these rows')}. "
            + ("Held" if held else "Not held"),
        )
        for name, bound, sense, held in low + high
    ]


def reach(
    summary: Mapping[str, Any],
    thresholds: Thresholds,
    *,
    allow_inconclusive: bool = False,
    not_compared: str = "",
) -> Verdict:
    """Weigh the summary of an evaluation.

    Args:
        summary: the content of `metrics.json`, of one row or more.
        thresholds: the bounds on its figures.
        allow_inconclusive: bless on rows that cannot judge, too.
        not_compared: why there is a blessed model and no figures of it; else empty.
    """
    metrics, baseline = summary["metrics"], summary["baseline"]
    why_not = "there is no blessed model to compare with"
    if not_compared:
        why_not = f"the last blessed model cannot be compared: {not_compared}"
    held = check(thresholds, metrics, baseline and baseline["metrics"], why_not)
    doubts, allowed = _doubts(summary, allow_inconclusive)
    drops, changes = _changes(summary, thresholds)
    objections = [*doubts, *summary["objections"], *drops]
    merits = summary["merits"]
    reasons = [
        *objections,
        *(held.reasons if thresholds or not merits + objections else ()),
        *merits,
        *changes,
        *summary.get("warnings", ()),
        *summary["not_asked"],
        *allowed,
        f"judged by {summary['count']:,} rows of split {summary['split']!r}{_targets(summary)}",
        *([why_not] if not_compared else ()),
        *([_set_aside(summary["rejected"])] if summary["rejected"] else ()),
    ]
    return Verdict(held.blessed and not objections, tuple(reasons))


def _doubts(summary: Mapping[str, Any], allow_inconclusive: bool) -> tuple[list[str], list[str]]:
    """That the rows cannot judge: as an objection, or as what a person allows."""
    if not summary["cannot_judge"]:
        return [], []
    said = f"split {summary['split']!r} cannot judge a model: {summary['cannot_judge']}"
    if allow_inconclusive:
        return [], [f"{said}; evaluator.allow_inconclusive blesses all the same"]
    remedy = (
        "Give it more rows, and of more than one kind, or set evaluator.allow_inconclusive=true"
    )
    return [f"{said}. {remedy}"], []


def _changes(summary: Mapping[str, Any], thresholds: Thresholds) -> tuple[list[str], list[str]]:
    """The change since the last blessed model: as an objection where it is a drop, or said."""
    change = summary["comparison"]
    if change is None:
        return [], []
    if change["is_drop"] and not thresholds.bounds_change_of(change["metric"]):
        remedy = f"Improve the model, or allow the drop by {change['bound']}"
        return [f"{change['said']}. {remedy}"], []
    return [], [change["said"]]


def _targets(summary: Mapping[str, Any]) -> str:
    """How many targets of its rows a forecaster was judged by, in words; empty of another model."""
    if "judged" not in summary:
        return ""
    judged, unknown = summary["judged"], summary["unknown"]
    left = f"; {unknown:,} that are not known were not judged" if unknown else ""
    return f", {judged:,} known targets{left}"


def _set_aside(count: int) -> str:
    return f"{count} rows were set aside, see rejected.jsonl"
