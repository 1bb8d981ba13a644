"""The files of a regressor's evaluation, from what was kept of the scored rows.

metrics.json    split, count, metrics, splits, baseline, change, rejected, and mean_predictor:
                the train split's mean, and its figures for the same rows; `comparison`,
                `cannot_judge` (see `summary`); the fields of a `rivals.Outcome`
slices.json     a list of split, feature, value, count, metrics (and baseline)
mistakes.jsonl  the rows of each split with the largest residuals, worst first
rejected.jsonl  rows set aside, each with source, position and reason
*.png           `predicted_vs_actual`, `residuals`: of the main split
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from etils.epath import Path

from millrace.components.evaluating import regression_plots, rivals, significance, summary
from millrace.components.evaluating.classification_files import slice_order
from millrace.components.evaluating.residual_rows import MEAN, Labels, Scored
from millrace.components.evaluating.residuals import figures
from millrace.components.evaluating.rivals import Outcome, Rival
from millrace.components.evaluating.scoring import BASELINE, CANDIDATE, Key, is_compared
from millrace.components.evaluating.significance import Change
from millrace.components.evaluating.summary import write_json, write_lines
from millrace.components.statistics.numbers import FLOAT_SHIFT

Figures = dict[str, dict[str, Any]]


def write(
    scored: Scored, out: Path, splits: Sequence[str], must_beat: Sequence[str] | None
) -> None:
    """Write all files to `out`.

    Args:
        scored: what was kept of all rows.
        out: an existing folder.
        splits: the names of the splits that were scored, in the order of the report.
        must_beat: of the rivals, `constant` is asked; None asks it too.
    """
    main = summary.main_split(splits)
    is_asked = must_beat is None or "constant" in must_beat
    asked = is_asked and Key(main, CANDIDATE) in scored.sums
    outcome = _against_the_mean(scored, main) if asked else Outcome()
    write_json(out / "metrics.json", _summary(scored, splits, main) | dataclasses.asdict(outcome))
    write_json(out / "slices.json", _slices(scored, splits))
    ranked = sorted(scored.worst, key=lambda row: (splits.index(row.split), row.badness))
    lines = ({**dataclasses.asdict(row), "residual": row.residual} for row in ranked)
    write_lines(out / "mistakes.jsonl", lines)
    write_lines(out / "rejected.jsonl", map(dataclasses.asdict, scored.rejected))
    drawn = [row for row in scored.sample if row.split == main]
    if drawn:
        regression_plots.draw(drawn, out)


def _summary(scored: Scored, splits: Sequence[str], main: str) -> dict[str, Any]:
    own, other, mean = (_by_split(scored, splits, who) for who in (CANDIDATE, BASELINE, MEAN))
    if not _is_compared(scored):
        other = {}
    found = summary.figures(main, own, other, len(scored.rejected))
    return {
        **found,
        "comparison": summary.comparison(_change(scored, main, found)),
        "cannot_judge": _cannot_judge(scored.labels.get(main, {})),
        "mean_predictor": {"prediction": scored.mean, "splits": mean} if mean else None,
    }


def _is_compared(scored: Scored) -> bool:
    return is_compared({key: residuals.count for key, residuals in scored.sums.items()})


def _change(scored: Scored, main: str, found: dict[str, Any]) -> Change | None:
    """The mean absolute error beside the baseline's."""
    if found["baseline"] is None:
        return None
    paired, own = scored.paired[main], scored.sums[Key(main, CANDIDATE)]
    size = math.sqrt(own.truth_squares / (own.count << 2 * FLOAT_SHIFT))
    return Change(
        metric="mae",
        better="less",
        was=found["baseline"]["metrics"]["mae"],
        now=found["metrics"]["mae"],
        rows=paired.count,
        interval=significance.of_means(paired, FLOAT_SHIFT),
        noise=significance.rounding(size),
    )


def _cannot_judge(labels: Labels) -> str:
    """Why the rows cannot, by how often each of the least labels came."""
    if len(labels) == 1:
        return f"the label of every row is {next(iter(labels)):.6g}"
    chance = significance.of_guesses(list(labels.values()))
    return significance.cannot_judge(chance, "gets all rows right") if labels else ""


def _against_the_mean(scored: Scored, main: str) -> Outcome:
    """The mean squared error beside that of the train split's mean for all rows."""
    constant = scored.sums.get(Key(main, MEAN))
    if constant is None:
        return Outcome(not_asked=("constant: not asked, for model.json has no target_mean",))
    error = figures(constant)["mse"]
    if not error:
        return Outcome(
            not_asked=("constant: not asked, for all labels are equal to the train split's mean",)
        )
    said = f"{error:.6g}, which the train split's mean {scored.mean:.6g} reaches"
    rival = Rival(error, said, rivals.improve_or_leave_out("constant"))
    return rivals.compare("mse", figures(scored.sums[Key(main, CANDIDATE)])["mse"], [rival])


def _by_split(scored: Scored, splits: Sequence[str], model: str) -> Figures:
    keys = [Key(split, model) for split in splits]
    return {
        key.split: {"count": scored.sums[key].count, "metrics": figures(scored.sums[key])}
        for key in keys
        if key in scored.sums
    }


def _slices(scored: Scored, splits: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    compared = _is_compared(scored)
    keys = [key for key in scored.sums if key.feature and key.model == CANDIDATE]
    for key in sorted(keys, key=lambda each: slice_order(each, splits)):
        own = scored.sums[key]
        entry = dataclasses.asdict(key) | {"count": own.count, "metrics": figures(own)}
        del entry["model"]
        other = scored.sums.get(dataclasses.replace(key, model=BASELINE))
        if other is not None and compared:
            entry["baseline"] = figures(other)
        found.append(entry)
    return found
