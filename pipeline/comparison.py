"""Two runs compared: what differs in how their steps were set, and in their figures."""

import dataclasses
from collections.abc import Iterator, Mapping

from millrace.pipeline import explain
from millrace.pipeline.fingerprint import Ingredients
from millrace.pipeline.records import ExecutionRecord, RunRecord


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of two runs.

    Attributes:
        name: Keras's, as in `metrics.json`.
        before, now: None where a run has it not.
    """

    name: str
    before: float | None
    now: float | None

    @property
    def change(self) -> float | None:
        """The second less the first."""
        if self.before is None or self.now is None:
            return None
        return self.now - self.before


def differences(before: RunRecord, now: RunRecord) -> Iterator[tuple[str, str]]:
    """Each step and, in a sentence, what of its options, inputs, code or versions differs."""
    first, second = _by_step(before), _by_step(now)
    for step in dict.fromkeys((*first, *second)):
        if step not in second:
            yield step, f"only in {before.id}"
        elif step not in first:
            yield step, f"only in {now.id}"
        else:
            ingredients = Ingredients(**second[step].ingredients)
            found = explain.reasons(ingredients, first[step].ingredients, forced=False)
            yield from ((step, reason) for reason in found if reason != explain.NOTHING)


def figures(before: Mapping[str, float], now: Mapping[str, float]) -> list[Figure]:
    """Those of two runs, by their names, in the order in which they are told."""
    return [
        Figure(name, before.get(name), now.get(name)) for name in dict.fromkeys((*before, *now))
    ]


def _by_step(run: RunRecord) -> dict[str, ExecutionRecord]:
    return {execution.step: execution for execution in run.executions}
