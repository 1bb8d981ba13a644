"""A model's versions and their states, and what to do when the wanted ones change.

No threads, disk or TensorFlow: the repository asks, and acts. The rules are those of
tensorflow_serving/core/availability_preserving_policy.h.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Protocol

from etils.epath import Path

from millrace.serving import versions
from millrace.serving.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    RpcError,
)
from millrace.serving.inference import Runnable


class Servable(Runnable, Protocol):
    """A model in memory that can be freed."""

    def close(self) -> None: ...


class State(enum.IntEnum):
    """Where a version stands in its life, numbered as `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class RequestLogging:
    """Which part of a model's requests is logged, into files whose names begin so."""

    filename_prefix: str
    sampling_rate: float


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model to serve: its versions lie below `base_path`."""

    name: str
    base_path: Path
    policy: versions.Policy = versions.LATEST
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    logging: RequestLogging | None = None


@dataclasses.dataclass(eq=False)
class Version:
    """One version: its folder, its state, and how many requests run on it.

    `aspired` says that it is wanted, `error` why it could not be loaded, `elsewhere` which other
    folder has the same number and is not loaded, as this one is.
    """

    number: int
    path: Path
    state: State = State.START
    aspired: bool = True
    servable: Servable | None = None
    error: RpcError | None = None
    users: int = 0
    elsewhere: Path | None = None


@dataclasses.dataclass(eq=False)
class Model:
    """A model and every version of it that was ever seen.

    `listed` says that it is in the configuration, `config` how it is there, or last was.
    """

    config: ModelConfig
    versions: dict[int, Version] = dataclasses.field(default_factory=dict)
    listed: bool = True

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def labels(self) -> Mapping[str, int]:
        """The versions that labels stand for."""
        return self.config.labels if self.listed else {}

    def in_state(self, *states: State) -> list[Version]:
        """The versions in one of `states`, the highest first."""
        numbers = sorted(self.versions, reverse=True)
        return [self.versions[n] for n in numbers if self.versions[n].state in states]

    def aspire(self, wanted: Mapping[int, Path]) -> list[Version]:
        """Take note of the versions that are wanted now; returns those to load, highest first.

        A version that failed is not tried again as long as it stays wanted, in the same folder; one
        that is being unloaded can come back only when that is done.
        """
        for number, version in self.versions.items():
            if number not in wanted:
                version.aspired = False
        candidates = (self._want(number, wanted[number]) for number in sorted(wanted, reverse=True))
        return [version for version in candidates if version]

    def _want(self, number: int, path: Path) -> Version | None:
        known = self.versions.get(number)
        if known is None or (
            known.state is State.END and not (known.aspired and known.path == path)
        ):
            self.versions[number] = Version(number, path)
            return self.versions[number]
        if known.state is not State.UNLOADING:
            known.aspired = True
        return None

    def confused(self, wanted: Mapping[int, Path]) -> list[Version]:
        """The versions that came of other folders than those wanted now; each folder once.

        A version is known by its number alone, as in the real server
        (tensorflow_serving/core/aspired_versions_manager.cc), so the first folder stays.
        """
        found = []
        for number, path in wanted.items():
            known = self.versions.get(number)
            if known is None or known.state is State.UNLOADING:  # it can come back from there
                continue
            if path not in (known.path, known.elsewhere):
                known.elsewhere = path
                found.append(known)
        return found

    def outdated(self) -> list[Version]:
        """The available versions that may go: none, until a wanted one is available."""
        available = self.in_state(State.AVAILABLE)
        wanted = any(version.aspired for version in self.versions.values())
        if wanted and not any(version.aspired for version in available):
            return []
        return [version for version in available if not version.aspired]

    def is_settled(self) -> bool:
        """Whether some version is available, or all that were found have failed."""
        if self.in_state(State.AVAILABLE):
            return True
        pending = self.in_state(State.START, State.LOADING, State.UNLOADING)
        return bool(self.failed()) and not pending

    def failed(self) -> list[Version]:
        """The wanted versions that could not be loaded."""
        return [v for v in self.in_state(State.END) if v.aspired and v.error]

    def failure(self) -> str:
        """Which wanted versions could not be loaded, and why."""
        return ", ".join(
            f"{{{{name: {self.name} version: {version.number}}} due to error: {version.error}}}"
            for version in self.failed()
        )

    def check_labels(self, wanted: Mapping[str, int], *, allow_unavailable: bool = False) -> None:
        """See that each label in `wanted` stands for an available version.

        `allow_unavailable` lets a label that is new here stand for any version.

        Raises:
            FailedPreconditionError: one does not.
        """
        available = {version.number for version in self.in_state(State.AVAILABLE)}
        for label, number in wanted.items():
            is_new = self.labels.get(label, number) == number
            if number not in available and not (allow_unavailable and is_new):
                raise FailedPreconditionError(
                    f"Request to assign label to version {number} of model "
                    f"{self.name}, which is not currently available for inference"
                )

    def find(self, version: int | None, label: str | None) -> Version:
        """The available version numbered or labelled so, or the highest.

        Raises:
            NotFoundError: there is none.
            InvalidArgumentError: there is no such label.
        """
        if label is not None:
            version = label_target(self.labels, label)
        if version is None:
            served = [n for n, one in self.versions.items() if one.state is State.AVAILABLE]
            found = self.versions[max(served)] if served else None
        else:
            found = self.versions.get(version)
        if found is None or found.state is not State.AVAILABLE:
            raise not_found(self.name, version)
        return found


def label_target(labels: Mapping[str, int], label: str) -> int:
    """The version that `label` stands for."""
    if label not in labels:
        raise InvalidArgumentError(f"Unrecognized servable version label: {label}")
    return labels[label]


def not_found(name: str, version: int | None) -> NotFoundError:
    """The refusal of a request for what is not served."""
    request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return NotFoundError(f"Servable not found for request: {request}")
