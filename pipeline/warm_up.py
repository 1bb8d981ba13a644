"""Begins the process that later steps fork theirs from once a run has work to do.

It imports TensorFlow beside the steps that read data, which do not need it. A run that finds
everything in the cache begins none.
"""

import contextlib
from collections.abc import Iterator, Sequence

from millrace.components.export import export
from millrace.components.infra_validator import infra_validator
from millrace.pipeline.dag import Step
from millrace.pipeline.results import Observer, StepResult
from millrace.pipeline.run_request import RunRequest
from millrace.serving import warm

_MODEL = "millrace.serving.model"  # imported by the others as they load one
_JOINING = "millrace.components.beam.joining"  # what earlier steps fork, where there is one anyway
_MODULES = {  # what a step runs in a process of its own
    export: ("millrace.components.exporting.answers", _MODEL, _JOINING),
    infra_validator: ("millrace.serving.server", _MODEL, _JOINING),
}


class WarmUp:
    """Hands everything on to another observer."""

    def __init__(self, observer: Observer, request: RunRequest) -> None:
        """Begin the process at the first step of `request` that runs, if it wants one."""
        self._observer, self._request = observer, request
        self._is_due = request.warm

    def started(self, step: Step, reasons: Sequence[str]) -> None:
        """A step begins to run: what it and the later ones need is imported meanwhile."""
        if self._is_due:
            self._is_due = False
            steps = list(self._request.dag.steps.values())
            chosen = self._request.selection.chosen(self._request.dag)
            later = [each for each in steps[steps.index(step) :] if each.name in chosen]
            warm.begin({name for each in later for name in _MODULES.get(each.component, ())})
        self._observer.started(step, reasons)

    def line(self, step: Step, text: str) -> None:
        """Hand it on."""
        self._observer.line(step, text)

    def passing(self, step: Step, text: str) -> None:
        """Hand it on."""
        self._observer.passing(step, text)

    def ended(self, result: StepResult) -> None:
        """Hand it on."""
        self._observer.ended(result)


@contextlib.contextmanager
def warmed_up(observer: Observer, request: RunRequest) -> Iterator[Observer]:
    """An observer of the run of `request`; the process ends with the block."""
    try:
        yield WarmUp(observer, request)
    finally:
        warm.end()
