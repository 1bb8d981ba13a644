"""Judge a model by its answers to examples that it was not trained on."""

import functools
import itertools
import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from etils.epath import Path

from millrace.components.artifacts import (
    Evaluation,
    Examples,
    Model,
    Rejected,
    Statistics,
)
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.rejected import check_rejected
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.display import numbers
from millrace.components.errors import DataError, OptionError
from millrace.components.evaluating import simple_baselines, verdict
from millrace.components.evaluating.verdict import Thresholds, Verdict
from millrace.components.options.ranges import Count, Number, Share
from millrace.serving import tensorflow_import
from millrace.serving.errors import MillraceError, few

if TYPE_CHECKING:
    from millrace.components.evaluating.scoring import EvalConfig
    from millrace.components.evaluating.tasks import EvaluationTask
    from millrace.components.inference.saved_model import Models

_log = logging.getLogger(__name__)
_NONE: dict[str, float] = {}
_PEEK = 100  # records searched for the features that are sliced by


def evaluator(
    examples: Examples,
    model: Model,
    baseline: Model | None,
    out: Path,
    *,
    run_on: BeamOptions,
    statistics: Statistics | None = None,
    label: str = "",
    slices: tuple[str, ...] | None = None,
    splits: tuple[str, ...] = (),
    at_least: dict[str, float] = _NONE,
    at_most: dict[str, float] = _NONE,
    change_at_least: dict[str, float] = _NONE,
    change_at_most: dict[str, float] = _NONE,
    must_beat: tuple[simple_baselines.Name, ...] | None = None,
    allow_inconclusive: bool = False,
    top_k: Count = 5,
    mistakes: Number = 50,
    batch_size: Count = 128,
    max_rejected: Share = 0.01,
    explain: bool = True,
) -> Evaluation:
    """Score a model on every split but train, and bless it if its figures suffice.

    The model is called as it is served, and judged by its task: a classifier by its scores, a
    regressor and a forecaster by their errors, a generator by its perplexity. The main figures,
    which the thresholds apply to, are those of the test split where there is one, else of eval,
    else of the first split scored. Where that cannot tell a good model from one
    that knows nothing, as with a single class or very few rows, no model is blessed.

    A model that is worse than the last blessed one, by more than the 95 % interval of the change
    on the very same rows, is not blessed either: by accuracy, a regressor and a forecaster by
    their mean absolute error, a generator by its loss per token. A threshold on the change of
    that figure takes the place of this rule. See `evaluating.significance`.

    Args:
        examples: raw records, of series their windows.
        model: the candidate.
        baseline: the last blessed model; answers the very same rows in the same pass.
        out: where the files of `evaluating.files` go.
        run_on: the Beam runner.
        statistics: of the splits, to warn where they are of other distributions than train.
        label: the feature with the truth, if it is not the one that the model learnt.
        slices: features; the figures are also given for each of their values. None: the
            classes, or the series.
        splits: which to score; none named means all but train, or train if it is alone.
        at_least: lower bounds by metric, such as `accuracy=0.9`.
        at_most: upper bounds by metric, such as `loss=0.5`.
        change_at_least: lower bounds on the figure less the baseline's.
        change_at_most: upper bounds on the same.
        must_beat: simple baselines to be better than on the same rows; those of other tasks do
            not count. None: every one that the rows allow. To be as good as one that is never off
            is enough.
            `constant` is one answer for all rows: a classifier's balanced accuracy has to be
            more than 1 / classes, a regressor's squared error less than that of the train split's
            mean, a forecaster's mean absolute error too. The forecasts `naive`, `seasonal_naive`
            and `moving_average` are compared by the latter as well.
        allow_inconclusive: bless on rows that cannot judge, too.
        top_k: an answer counts as right for `top_<k>_accuracy` among the `k` highest scores.
        mistakes: how many of the worst answers are listed per split.
        batch_size: rows per call of the model.
        max_rejected: share of rows that may be set aside.
        explain: write what the model goes by on a few of these rows: see `evaluating.importance`.

    Raises:
        OptionError: a threshold on an unknown metric, an unknown split or slice.
        DataError: no rows, or too many that cannot be scored.
    """
    from millrace.components.evaluating import tasks
    from millrace.components.evaluating.scoring import EvalConfig

    described = model.description
    task = tasks.of(described["task"])
    truth = label or described["label"]
    config = EvalConfig(
        label=truth,
        slices=_default_slices(described["task"], truth) if slices is None else slices,
        batch_size=batch_size,
        mistakes=mistakes,
        top_k=top_k,
        must_beat=must_beat,
        model=described,
    )
    thresholds = Thresholds(at_least, at_most, change_at_least, change_at_most)
    thresholds.check_names(task.metric_names(config), f"a {described['task']}")
    chosen = _chosen(examples, splits)
    _check_slices(examples, chosen, config.slices)
    why_not = tasks.why_not_comparable(described, baseline.description) if baseline else ""
    models = [model, baseline] if baseline and not why_not else [model]
    loaded = _score(examples, models, out, run_on, chosen, config, task)
    summary = _read_summary(out, max_rejected)
    if statistics:
        _warn_of_shift(statistics, summary, out)
    if explain:
        _explain(loaded, described, examples.files(summary["split"]), truth, out)
    if baseline and not why_not and summary["baseline"] is None:
        why_not = "it answers otherwise, or not all of these rows"
    if not summary["cannot_judge"]:  # else the rows are to blame, and no model is blessed
        thresholds.check_names(summary["metrics"], f"split {summary['split']!r}")
    found = verdict.reach(
        summary, thresholds, allow_inconclusive=allow_inconclusive, not_compared=why_not
    )
    _log_verdict(summary, found)
    return Evaluation(out).write_verdict(found.blessed, found.reasons)


def _default_slices(task: str, label: str) -> tuple[str, ...]:
    return {"classification": (label,), "forecast": ("series",)}.get(task, ())


def _chosen(examples: Examples, splits: tuple[str, ...]) -> list[str]:
    there = examples.splits
    unknown = [split for split in splits if split not in there]
    if unknown or not there:
        raise OptionError(
            f"splits: expected some of {', '.join(there) or 'at least one'}. "
            f"Received: {', '.join(unknown) or 'examples without any split'}. Choose among these."
        )
    untrained = [split for split in there if split != "train"]
    return list(splits) or untrained or there


def _check_slices(examples: Examples, splits: list[str], slices: tuple[str, ...]) -> None:
    """Refuse to slice by a feature that none of the first records has."""
    from millrace.components.files.tfrecord import read_records
    from millrace.serving.example import decode

    files = [file for split in splits for file in examples.files(split)]
    records = itertools.chain.from_iterable(map(read_records, files))
    there = {name for record in itertools.islice(records, _PEEK) for name in decode(record)}
    for feature in slices:
        if there and feature not in there:
            raise OptionError(
                f"slices: expected features of the examples: {few(sorted(there))}. "
                f"Received: {feature!r}. Choose among these."
            )


def _score(
    examples: Examples,
    models: Sequence[Model],
    out: Path,
    run_on: BeamOptions,
    splits: list[str],
    config: "EvalConfig",
    task: "EvaluationTask",
) -> "Models":
    """One pass over the splits, from shards to the files of the evaluation; the models asked."""
    tensorflow_import.load()
    from millrace.components.inference.saved_model import Models

    loaded = Models(*(each.saved_model for each in models))
    shards = [(split, str(file)) for split in splits for file in examples.files(split)]
    score = functools.partial(task.score_shard, models=loaded, config=config)
    _log.info("scoring %s in %d shards", ", ".join(splits), len(shards))
    scored = shard_pass("Score", shards, score, out, run_on)
    task.write(task.merge(scored, config.mistakes), out, splits, config)
    return loaded


def _explain(
    loaded: "Models", described: dict[str, Any], files: Sequence[Path], label: str, out: Path
) -> None:
    """What the candidate goes by; that it cannot be told is no reason against it."""
    from millrace.components.evaluating import importance

    try:
        importance.explain(loaded.load()[0], described, files, label, out)
    except (MillraceError, OSError, ValueError) as error:
        _log.info("not explained: %s", error)


def _read_summary(out: Path, max_rejected: float) -> dict[str, Any]:
    """The content of `metrics.json`, if enough rows could be scored."""
    summary: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    lines = (out / "rejected.jsonl").read_text().splitlines()
    rejected = [Rejected(**json.loads(line)) for line in lines]
    scored = sum(split["count"] for split in summary["splits"].values())
    check_rejected("evaluator", rejected, scored + len(rejected), max_rejected, what="rows")
    if not summary["count"]:
        raise DataError(
            f"Split {summary['split']!r}: expected one row or more to judge the model by. "
            "Received: none. Give the split some rows, or choose others by `splits`."
        )
    return summary


def _warn_of_shift(statistics: Statistics, summary: dict[str, Any], out: Path) -> None:
    """Add a warning to `summary` and to its file, if the rows judged by are unlike the train's."""
    split = summary["split"]
    if split == "train" or not {split, "train"} <= {*statistics.splits}:
        return
    from millrace.components.evaluating import files
    from millrace.components.statistics.reading import read
    from millrace.components.validation import shift

    found = shift.find(read(statistics, split), read(statistics, "train"))
    if found:
        summary["warnings"] = [*summary["warnings"], shift.said(found, split)]
        files.write_json(out / "metrics.json", summary)


def _shown(value: float) -> str:
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.001 else f"{value:.3g}"


def _interval(summary: dict[str, Any], name: str) -> str:
    """What the figure could be were other rows drawn, in brackets."""
    found = summary["intervals"].get(name)
    return f" ({numbers.between(*found)})" if found else ""


def _log_verdict(summary: dict[str, Any], found: Verdict) -> None:
    """Log the main figures, beside the last blessed model's, and the verdict."""
    was = summary["baseline"]["metrics"] if summary["baseline"] else {}
    figures = ", ".join(
        f"{name} {_shown(value)}{_interval(summary, name)}"
        + (f" (was {_shown(was[name])})" if name in was else "")
        for name, value in summary["metrics"].items()
    )
    _log.info("%s split: %s", summary["split"], figures)
    if described := summary.get("prediction_intervals"):
        from millrace.components.evaluating import coverage  # numpy

        _log.info("%s", coverage.said(described))
    for warning in summary["warnings"]:
        _log.warning("%s", warning)
    if summary["metrics"].get("mae") == 0:
        _log.warning(
            "mae is exactly 0: expected some error of rows that the model has not seen. Are all "
            "labels one number, is one of the features the label, or does float32 flatten them?"
        )
    _log.info("%s: %s", "blessed" if found.blessed else "not blessed", "; ".join(found.reasons))
