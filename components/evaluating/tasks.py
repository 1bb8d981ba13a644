"""How a model is judged, by its task: what scores a shard, merges the parts and writes it all."""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from etils.epath import Path

from millrace.components.errors import ModelError

Write = Callable[[Any, Path, Sequence[str]], None]


class Task(NamedTuple):
    """The functions of one task; what scoring leaves is theirs alone.

    Attributes:
        names: the metrics that thresholds may name.
        score_shard: (split, file), the models and the questions to what is kept of the rows.
        merge: the same as if all the parts' rows had been one part.
        write: it to the evaluation's files, given the folder and the splits.
    """

    names: Sequence[str]
    score_shard: Callable[..., Any]
    merge: Callable[..., Any]
    write: Write


def of(task: str, top_k: int, must_beat: Sequence[str] | None) -> Task:
    """The functions that judge a model of `task`; rivals that do not apply to it are not asked.

    Raises:
        ModelError: no model of ours has such a task.
    """
    match task:
        case "classification":
            from millrace.components.evaluating import (
                classification_files,
                classification_metrics,
                scoring,
            )

            write = functools.partial(classification_files.write, top_k=top_k, must_beat=must_beat)
            return Task(
                classification_metrics.names(top_k), scoring.score_shard, scoring.merge, write
            )
        case "regression":
            from millrace.components.evaluating import regression

            return _judged_by(regression, functools.partial(regression.write, must_beat=must_beat))
        case "forecast":
            from millrace.components.evaluating import forecast

            return _judged_by(forecast, functools.partial(forecast.write, must_beat=must_beat))
        case "language":
            from millrace.components.evaluating import language

            return _judged_by(language, language.write)
        case _:
            raise ModelError(
                "model.json, task: expected classification, regression, forecast or language. "
                f"Received: {task!r}. Export the model with `export`."
            )


def other_question(candidate: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
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


def _judged_by(module: ModuleType, write: Write) -> Task:
    return Task(module.names(), module.score_shard, module.merge, write)
