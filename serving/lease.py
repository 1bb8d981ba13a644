"""A loaded version that stays loaded while a request runs on it."""

import dataclasses
from typing import Protocol

from millrace.serving.inference import Runnable
from millrace.serving.lifecycle import RequestLogging, Version


@dataclasses.dataclass(frozen=True)
class Lease:
    """A loaded version that stays loaded while the lease is held."""

    name: str
    version: int
    model: Runnable
    logging: RequestLogging | None = None


class _Holder(Protocol):
    """Who has the versions."""

    def acquire(
        self, name: str, version: int | None, label: str | None
    ) -> tuple[Version, Lease]: ...

    def release(self, held: Version) -> None: ...


class Holding:
    """A version held for the length of a block; a generator would cost each request more."""

    __slots__ = ("_held", "_repository", "_wanted")

    def __init__(
        self, repository: _Holder, name: str, version: int | None, label: str | None
    ) -> None:
        self._repository, self._wanted = repository, (name, version, label)

    def __enter__(self) -> Lease:
        self._held, lease = self._repository.acquire(*self._wanted)
        return lease

    def __exit__(self, *_: object) -> None:
        self._repository.release(self._held)
