"""The simple baselines that a model must beat on the same rows to be blessed."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from millrace.components.display import numbers

# Of `evaluator.must_beat`. `constant` is one answer for all rows; the others are forecasts.
Name = Literal["constant", "naive", "seasonal_naive", "moving_average"]


@dataclasses.dataclass(frozen=True)
class SimpleBaseline:
    """The figure of a baseline that learns next to nothing.

    Attributes:
        figure: of the metric that is compared.
        said: the figure and whose it is, such as `naive's 1.5`.
        remedy: what to do where it is not beaten; a sentence without its full stop.
    """

    figure: float
    said: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class BaselineResults:
    """A model beside simple baselines; the fields are keys of `metrics.json`.

    Attributes:
        objections: a line for each baseline that was not beaten; with one no blessing.
        merits: what was beaten, on one line, and what was never off and was equalled, on another.
        not_asked: a line for each baseline nothing can beat on these rows, or that is not known.
    """

    objections: tuple[str, ...] = ()
    merits: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()


def compare(
    metric: str,
    value: float,
    baselines: Sequence[SimpleBaseline],
    *,
    better: Literal["less", "more"] = "less",
    noise: float = 0.0,
) -> BaselineResults:
    """Compare a model's `value` of `metric` with each baseline's; the same figure beats none.

    A baseline that is never off cannot be beaten: to be as good is enough.

    Args:
        metric: its name.
        value: the model's figure of it.
        baselines: whose figures are of the same metric.
        better: whether less or more of it is better.
        noise: of a metric of which less is better, what rounding may add: figures that are closer
            are the same, and one no greater is 0.
    """
    beaten: list[str] = []
    equalled: list[str] = []
    objections: list[str] = []
    for baseline in baselines:
        is_perfect = better == "less" and baseline.figure <= noise
        if is_perfect and value <= noise:
            equalled.append(baseline.said)
        elif value < baseline.figure - noise if better == "less" else value > baseline.figure:
            beaten.append(baseline.said)
        else:
            expected = f"{'no more' if is_perfect else better} than {baseline.said}"
            is_close = noise > 0 and (is_perfect or value < baseline.figure)
            aside = f", rounding of {noise:.2g} aside" if is_close else ""
            objections.append(
                f"{metric}: expected {expected} on the same rows{aside}. Received: "
                f"{numbers.short(value)}. {baseline.remedy}"
            )
    merits = [
        f"{metric} {numbers.short(value)} {verb} {' and '.join(said)} on the same rows"
        for verb, said in (("beats", beaten), ("is as good as", equalled))
        if said
    ]
    return BaselineResults(tuple(objections), tuple(merits))


def improve_or_leave_out(name: str) -> str:
    """The remedy where the baseline `name` of `evaluator.must_beat` is not beaten."""
    return f"Improve the model, or leave {name} out of evaluator.must_beat"
