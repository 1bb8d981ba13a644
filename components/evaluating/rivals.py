"""What a model must beat on the same rows to be blessed, and how an evaluation says so."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

# Of `evaluator.must_beat`. `constant` is one answer for all rows; the others are forecasts.
Name = Literal["constant", "naive", "seasonal_naive", "moving_average"]


@dataclasses.dataclass(frozen=True)
class Rival:
    """Another's figure for the rows.

    Attributes:
        figure: of the metric that is compared.
        said: the figure and whose it is, such as `naive's 1.5`.
        remedy: what to do where it is not beaten; a sentence without its full stop.
    """

    figure: float
    said: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of the comparison; the fields are keys of `metrics.json`.

    Attributes:
        objections: a line for each rival that was not beaten; with one the model is not blessed.
        merits: what was beaten, on one line; none where nothing was.
        not_asked: a line for each rival that nothing can beat on these rows, or that is not known.
    """

    objections: tuple[str, ...] = ()
    merits: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()


def compare(
    metric: str, value: float, rivals: Sequence[Rival], *, better: Literal["less", "more"] = "less"
) -> Outcome:
    """Hold a model's `value` of `metric` against each rival's; the same figure beats none."""

    def is_beaten(rival: Rival) -> bool:
        return value < rival.figure if better == "less" else value > rival.figure

    objections = tuple(
        f"{metric}: expected {better} than {rival.said} on the same rows. Received: "
        f"{value:.6g}. {rival.remedy}"
        for rival in rivals
        if not is_beaten(rival)
    )
    beaten = [rival.said for rival in rivals if is_beaten(rival)]
    merit = f"{metric} {value:.6g} beats {' and '.join(beaten)} on the same rows"
    return Outcome(objections, (merit,) if beaten else ())


def improve_or_leave_out(name: str) -> str:
    """The remedy where the rival `name` of `evaluator.must_beat` is not beaten."""
    return f"Improve the model, or leave {name} out of evaluator.must_beat"
