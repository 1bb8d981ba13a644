"""Tells a server of experiments what a run's steps have made, as each of them ends.

A server that is away, slow or full must not lose a run: what it refuses is warned of once, counted,
and told at the end. After an error of the connection it is asked no more.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rich.console import Console

from millrace.pipeline.dag import Step
from millrace.pipeline.results import Observer, StepResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest


class TrackedRun(Protocol):
    """One run on a server; each of these may raise anything."""

    def begin(self) -> str:
        """Find the run there, or make it; returns where a person can look at it."""

    def step(self, step: Step, result: StepResult) -> None:
        """Log what `step` was set to, how long it took, and what it made."""

    def end(self, status: str) -> None:
        """Log how the run ended, and its report."""


class Tracked:
    """Hands everything on to another observer, and tells a server of it."""

    def __init__(
        self, observer: Observer, request: RunRequest, console: Console, run: TrackedRun | None
    ) -> None:
        """Observe the run of `request`, which `run` is told of from its first step on."""
        self._observer, self._request, self._console = observer, request, console
        self._run = run
        self._told = self._lost = 0
        self._has_begun = self._is_away = False

    def end(self, status: str) -> None:
        """The run has ended, with its report written."""
        if self._run is not None and self._has_begun:
            self._try("the end", self._run.end, status)
            if self._lost:
                self._console.print(
                    f"mlflow  {self._lost} of {self._told} parts of this run are not logged there; "
                    "the run itself is whole",
                    markup=False,
                )

    def started(self, step: Step, reasons: Sequence[str]) -> None:
        """Hand it on."""
        self._begin()
        self._observer.started(step, reasons)

    def line(self, step: Step, text: str) -> None:
        """Hand it on."""
        self._observer.line(step, text)

    def passing(self, step: Step, text: str) -> None:
        """Hand it on."""
        self._observer.passing(step, text)

    def ended(self, result: StepResult) -> None:
        """Hand it on, and log the step, unless it was left out."""
        self._begin()
        self._observer.ended(result)
        if self._run is not None and result.status != "skipped":
            step = self._request.dag.steps[result.step]
            self._try(f"step {result.step}", self._run.step, step, result)

    def _begin(self) -> None:
        if self._run is None or self._has_begun:
            return
        self._has_begun = True
        if where := self._try("the run", self._run.begin):
            self._console.print(f"mlflow  {where}", markup=False)

    def _try(self, what: str, tell: Callable[..., Any], *given: Any) -> Any:
        """What `tell` returns; None where it fails, which is counted."""
        self._told += 1
        try:
            if not self._is_away:
                return tell(*given)
        except Exception as error:
            self._is_away = _is_of_the_connection(error)
            said = " ".join(str(error).split())[:300]
            self._console.print(
                f"mlflow  {what} is not logged: {type(error).__name__}: {said}", markup=False
            )
        self._lost += 1
        return None


def _is_of_the_connection(error: BaseException) -> bool:
    """Whether the server itself cannot be reached, so that asking again takes its time in vain."""
    return "API request to" in str(error) or isinstance(error, OSError)


def of_run(request: RunRequest, root: Root, run: str) -> TrackedRun | None:
    """The run of that id, as the server that `request` names shall know it; None without one."""
    if request.dag.tracking.kind == "none":
        return None
    from millrace.pipeline.tracking.mlflow_run import MLflowRun

    return MLflowRun(request, root, run)
