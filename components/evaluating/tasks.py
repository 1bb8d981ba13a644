"""How a model is judged, by its task: what scores a shard, merges the parts and writes it all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from etils.epath import Path

from millrace.components.errors import ModelError
from millrace.components.evaluating.scoring import EvalConfig


class EvaluationTask(NamedTuple):
    """The functions of one task; what scoring leaves is theirs alone.

    Attributes:
        metric_names: the metrics that thresholds may name.
        score_shard: (split, file), the models and the config to what is kept of the rows.
        merge: the same as if all the parts' rows had been one part.
        write: it to the evaluation's files, given the folder, the splits and the config.
    """

    metric_names: Callable[[EvalConfig], list[str]]
    score_shard: Callable[..., Any]
    merge: Callable[..., Any]
    write: Callable[[Any, Path, Sequence[str], EvalConfig], None]


def of(task: str) -> EvaluationTask:
    """The functions that judge a model of `task`.

    Raises:
        ModelError: no model of ours has such a task.
    """
    match task:
        case "classification":
            from millrace.components.evaluating import classification, classification_files

            return EvaluationTask(
                classification.metric_names,
                classification.score_shard,
                classification.ScoredClassification.merged,
                classification_files.write,
            )
        case "regression":
            from millrace.components.evaluating import regression, regression_files

            return EvaluationTask(
                regression.metric_names,
                regression.score_shard,
                regression.ScoredRegression.merged,
                regression_files.write,
            )
        case "forecast":
            from millrace.components.evaluating import forecast, forecast_files

            return EvaluationTask(
                forecast.metric_names,
                forecast.score_shard,
                forecast.ScoredForecast.merged,
                forecast_files.write,
            )
        case "language":
            from millrace.components.evaluating import language, language_files

            return EvaluationTask(
                language.metric_names,
                language.score_shard,
                language.ScoredLanguage.merged,
                language_files.write,
            )
        case _:
            raise ModelError(
                "model.json, task: expected classification, regression, forecast or language. "
                f"Received: {task!r}. Export the model with `export`."
            )


def why_not_comparable(candidate: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """What a baseline was made for, where its figures are not of the candidate's question.

    Args:
        candidate: the content of its `model.json`.
        baseline: likewise.

    Returns:
        A clause without a full stop; empty where both may answer the same question.
    """
    for field in ("task", "label", "targets", "horizon", "frequency"):
        own, other = candidate.get(field), baseline.get(field)
        if field in candidate and field in baseline and own != other:
            return f"its {field} is {other!r}, not {own!r}"
    own, other = (sorted(each.get("classes") or ()) for each in (candidate, baseline))
    return f"it knows other classes: {', '.join(other)}" if own != other else ""
