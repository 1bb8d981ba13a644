"""Whether figures are good enough, alone and beside those of the last blessed model."""

import dataclasses
import math
from collections.abc import Iterable, Mapping

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
        """Whether a person said which changes of `metric` are good enough."""
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


def judge(
    thresholds: Thresholds,
    metrics: Mapping[str, float],
    baseline: Mapping[str, float] | None,
    no_baseline: str = "there is no blessed model to compare with",
) -> Verdict:
    """Hold `metrics` against the thresholds.

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
        *_changes(thresholds, metrics, baseline, no_baseline),
    ]
    return Verdict(all(held for held, _ in outcomes), tuple(line for _, line in outcomes))


def _changes(
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
    said = {name: f"{value:.6g}" for name, value in figures.items()}
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
