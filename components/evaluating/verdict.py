"""The verdict on a model: whether what `metrics.json` holds blesses it, and each reason."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from millrace.components.evaluating.thresholds import Thresholds, Verdict, judge


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a person asks of a model; see the options of `evaluator`."""

    thresholds: Thresholds
    allow_inconclusive: bool = False


def reach(summary: Mapping[str, Any], rules: Rules, not_compared: str = "") -> Verdict:
    """Weigh the summary of an evaluation.

    Args:
        summary: the content of `metrics.json`, of one row or more.
        rules: what is asked.
        not_compared: why there is a blessed model and no figures of it; else empty.
    """
    metrics, baseline = summary["metrics"], summary["baseline"]
    why_not = "there is no blessed model to compare with"
    if not_compared:
        why_not = f"the last blessed model cannot be compared: {not_compared}"
    held = judge(rules.thresholds, metrics, baseline and baseline["metrics"], why_not)
    doubts, allowed = _doubts(summary, rules)
    drops, changes = _changes(summary, rules.thresholds)
    objections = [*doubts, *summary["objections"], *drops]
    merits = summary["merits"]
    reasons = [
        *objections,
        *(held.reasons if rules.thresholds or not merits + objections else ()),
        *merits,
        *changes,
        *summary["not_asked"],
        *allowed,
        f"judged by {summary['count']:,} rows of split {summary['split']!r}{_targets(summary)}",
        *([why_not] if not_compared else ()),
        *([_set_aside(summary["rejected"])] if summary["rejected"] else ()),
    ]
    return Verdict(held.blessed and not objections, tuple(reasons))


def _doubts(summary: Mapping[str, Any], rules: Rules) -> tuple[list[str], list[str]]:
    """That the rows cannot judge: as an objection, or as what a person allows."""
    if not summary["cannot_judge"]:
        return [], []
    said = f"split {summary['split']!r} cannot judge a model: {summary['cannot_judge']}"
    if rules.allow_inconclusive:
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
