"""Questions to the version of a model whose metadata is known, which is kept for a moment.

An answer over REST does not say which version gave it, nor of which types its numbers are.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import TypeVar

from millrace.serving.calls import Metadata, Spec
from millrace.serving.errors import NotFoundError
from millrace.serving.rest.connections import Clock

Answer = TypeVar("Answer")
_KEPT_SECONDS = 1.0  # as long as a server takes to look for new versions


class Pinning:
    """Of one client; may be shared between threads."""

    def __init__(self, metadata: Callable[[Spec, Clock], Metadata]) -> None:
        """Ask a server by `metadata`."""
        self._metadata = metadata
        self._described: dict[Spec, tuple[float, Metadata]] = {}

    def of_one_version(
        self, spec: Spec, ask: Callable[[Spec, Metadata, Clock], Answer]
    ) -> Callable[[Clock], Answer]:
        """`ask` about the one version that `spec` stands for; another one where that has gone."""

        def asked(clock: Clock, *, again: bool = False) -> Answer:
            described = self._describe(spec, clock, again=again)
            pinned = Spec(spec.model, spec.signature, described.version)
            try:
                return ask(pinned, described, clock)
            except NotFoundError:
                if again or spec.version is not None:
                    raise
            return asked(clock, again=True)

        return asked

    def _describe(self, spec: Spec, clock: Clock, *, again: bool) -> Metadata:
        """The metadata of what `spec` names, a moment old at most."""
        key = dataclasses.replace(spec, signature="")
        asked, described = self._described.get(key, (-math.inf, None))
        if described is None or again or time.monotonic() - asked > _KEPT_SECONDS:
            described = self._metadata(key, clock)
            self._described[key] = (time.monotonic(), described)
        return described
