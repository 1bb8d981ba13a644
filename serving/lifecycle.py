"""A model's versions and their states, and what to do when the aspired versions change.

This module has no threads, disk or TensorFlow: the repository calls it and acts on the result.
The rules are those of tensorflow_serving/core/availability_preserving_policy.h.
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
    """A loaded model that can be unloaded."""

    def close(self) -> None: ...


class VersionState(enum.IntEnum):
    """The state of a version, numbered as in `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class RequestLogging:
    """Which fraction of a model's requests is logged, and the prefix of the log files' paths."""

    filename_prefix: str
    sampling_rate: float


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model to serve, whose version folders are in `base_path`."""

    name: str
    base_path: Path
    policy: versions.Policy = versions.LATEST
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    logging: RequestLogging | None = None


@dataclasses.dataclass(eq=False)
class Version:
    """One version: its folder, its state, and how many requests run on it (`users`).

    `aspired` is whether it should be served, `error` why it could not be loaded, `elsewhere` a
    second folder with the same number, which is not loaded.
    """

    number: int
    path: Path
    state: VersionState = VersionState.START
    aspired: bool = True
    servable: Servable | None = None
    error: RpcError | None = None
    users: int = 0
    elsewhere: Path | None = None


@dataclasses.dataclass(eq=False)
class ServedModel:
    """A model and every version of it that was ever seen.

    `listed` is whether it is in the current configuration, `config` its current or last entry,
    `beside` the labels that lie beside its versions.
    """

    config: ModelConfig
    versions: dict[int, Version] = dataclasses.field(default_factory=dict)
    listed: bool = True
    beside: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def labels(self) -> Mapping[str, int]:
        """The version that each label names; the configuration's win."""
        return {**self.beside, **self.config.labels} if self.listed else {}

    def in_state(self, *states: VersionState) -> list[Version]:
        """Returns the versions in one of `states`, highest first."""
        numbers = sorted(self.versions, reverse=True)
        return [self.versions[n] for n in numbers if self.versions[n].state in states]

    def aspire(self, aspired: Mapping[int, Path]) -> list[Version]:
        """Record which versions are aspired now; returns those to load, highest first.

        A version that failed is not retried while it stays aspired in the same folder. A version
        that is being unloaded can be loaded again only after that.
        """
        for number, version in self.versions.items():
            if number not in aspired:
                version.aspired = False
        candidates = (self._aspire(n, aspired[n]) for n in sorted(aspired, reverse=True))
        return [version for version in candidates if version]

    def _aspire(self, number: int, path: Path) -> Version | None:
        known = self.versions.get(number)
        if known is None or (
            known.state is VersionState.END and not (known.aspired and known.path == path)
        ):
            self.versions[number] = Version(number, path)
            return self.versions[number]
        if known.state is not VersionState.UNLOADING:
            known.aspired = True
        return None

    def conflicting(self, aspired: Mapping[int, Path]) -> list[Version]:
        """Returns versions loaded from other folders than the aspired ones; each folder once.

        A version is identified by its number alone, as in the real server
        (tensorflow_serving/core/aspired_versions_manager.cc), so the first folder stays.
        """
        found = []
        for number, path in aspired.items():
            known = self.versions.get(number)
            if (
                known is None or known.state is VersionState.UNLOADING
            ):  # the new folder can be loaded then
                continue
            if path not in (known.path, known.elsewhere):
                known.elsewhere = path
                found.append(known)
        return found

    def outdated(self) -> list[Version]:
        """Returns the available versions to unload: none until an aspired one is available."""
        available = self.in_state(VersionState.AVAILABLE)
        any_aspired = any(version.aspired for version in self.versions.values())
        if any_aspired and not any(version.aspired for version in available):
            return []
        return [version for version in available if not version.aspired]

    def is_settled(self) -> bool:
        """Whether some version is available, or all versions found have failed."""
        if self.in_state(VersionState.AVAILABLE):
            return True
        pending = self.in_state(VersionState.START, VersionState.LOADING, VersionState.UNLOADING)
        return bool(self.failed()) and not pending

    def failed(self) -> list[Version]:
        """Returns the aspired versions that could not be loaded."""
        return [v for v in self.in_state(VersionState.END) if v.aspired and v.error]

    def failure(self) -> str:
        """Returns a text on which aspired versions could not be loaded, and why."""
        return ", ".join(
            f"{{{{name: {self.name} version: {version.number}}} due to error: {version.error}}}"
            for version in self.failed()
        )

    def check_labels(self, labels: Mapping[str, int], *, allow_unavailable: bool = False) -> None:
        """Check that each of `labels` names an available version.

        With `allow_unavailable`, a new label may name any version.

        Raises:
            FailedPreconditionError: one does not.
        """
        available = {version.number for version in self.in_state(VersionState.AVAILABLE)}
        for label, number in labels.items():
            is_new = not self.listed or self.config.labels.get(label, number) == number
            if number not in available and not (allow_unavailable and is_new):
                raise FailedPreconditionError(
                    f"Request to assign label to version {number} of model "
                    f"{self.name}, which is not currently available for inference"
                )

    def find(self, version: int | None, label: str | None) -> Version:
        """Returns the available version with this number or label, or the highest.

        Raises:
            NotFoundError: there is none.
            InvalidArgumentError: there is no such label.
        """
        if label is not None:
            version = label_target(self.labels, label)
        if version is None:
            served = [n for n, one in self.versions.items() if one.state is VersionState.AVAILABLE]
            found = self.versions[max(served)] if served else None
        else:
            found = self.versions.get(version)
        if found is None or found.state is not VersionState.AVAILABLE:
            raise not_found(self.name, version)
        return found


def label_target(labels: Mapping[str, int], label: str) -> int:
    """Returns the version that `label` names."""
    if label not in labels:
        raise InvalidArgumentError(f"Unrecognized servable version label: {label}")
    return labels[label]


def not_found(name: str, version: int | None) -> NotFoundError:
    """Returns the error for a model or version that is not served."""
    request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return NotFoundError(f"Servable not found for request: {request}")
