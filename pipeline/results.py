"""What a run tells while it goes on, and what became of it."""

import dataclasses
from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

from etils.epath import Path

from millrace.components.artifacts import Artifact
from millrace.pipeline.dag import Step

ArtifactT = TypeVar("ArtifactT", bound=Artifact)
StepStatus = Literal["ran", "cached", "failed", "skipped", "running", "killed"]


@dataclasses.dataclass(frozen=True)
class StepResult:
    """What became of one step; running and killed are those of other processes."""

    step: str
    status: StepStatus
    seconds: float = 0.0
    output: Path | None = None
    reasons: tuple[str, ...] = ()
    error: str = ""
    can_resume: bool = True  # by the same command, once what it fails by is mended


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What became of a run. Status: done, failed or anomalies; see `RunRecord` for others."""

    run: str
    status: str
    steps: tuple[StepResult, ...]
    artifacts: dict[str, Artifact]  # step -> its output, of the steps that have one

    def output(self, kind: type[ArtifactT]) -> ArtifactT | None:
        """The output of type `kind` of the last step that has one."""
        found = [artifact for artifact in self.artifacts.values() if type(artifact) is kind]
        return found[-1] if found else None


class Observer(Protocol):
    """What is notified of what happens while a run goes on."""

    def started(self, step: Step, reasons: Sequence[str]) -> None:
        """A step begins to run, for these reasons."""

    def line(self, step: Step, text: str) -> None:
        """A step at work reports its progress."""

    def passing(self, step: Step, text: str) -> None:
        """How far a step at work is; the next one replaces it."""

    def ended(self, result: StepResult) -> None:
        """A step ran, failed, was reused or was skipped."""
