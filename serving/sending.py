"""Calls sent over one gRPC channel, from any thread: their deadlines, errors and observations."""

import dataclasses
import time
from typing import Any, Generic

import grpc

from serving import channel
from serving.calls import Answer, Call
from serving.channel import Observe, Tls


@dataclasses.dataclass(frozen=True)
class UnderWay(Generic[Answer]):
    """A call that was sent: its answer to come, when it was sent, and how long it may take."""

    call: Call[Answer]
    answer: Any  # a gRPC call, which is a future
    start: float
    timeout: float | None


class Sender:
    """The channel of a `Client`, whose arguments these are."""

    def __init__(
        self,
        target: str,
        *,
        timeout: float | None,
        tls: Tls | None,
        token: str,
        attempts: int,
        observe: Observe,
    ) -> None:
        self._target, self._timeout, self._observe = target, timeout, observe
        self._metadata = channel.metadata(token)
        channel.check_target(target)
        settings = channel.options(attempts, tls)
        self._channel = (
            grpc.insecure_channel(target, settings)
            if tls is None
            else grpc.secure_channel(target, tls.credentials(), settings)
        )
        self._methods: dict[str, Any] = {}

    def send(
        self, call: Call[Answer], timeout: float | None, *, wait_for_ready: bool = False
    ) -> Answer:
        """The answer to `call`, within `timeout` seconds, or the client's own where None.

        Raises:
            RpcError: the server refused, or did not answer.
        """
        allowed = self._timeout if timeout is None else timeout
        start = time.monotonic()
        try:
            raw = self._method(call)(
                call.request,
                timeout=allowed,
                wait_for_ready=wait_for_ready,
                metadata=self._metadata,
            )
        except grpc.RpcError as error:
            self._tell(call, start, error.code().name)
            raise channel.failure(error, self._target, allowed) from error
        self._tell(call, start, "OK")
        return call.read(raw)

    def begin(self, call: Call[Answer], timeout: float | None) -> UnderWay[Answer]:
        """Send `call` without waiting for its answer; arguments as in `send`."""
        allowed = self._timeout if timeout is None else timeout
        start = time.monotonic()
        answer = self._method(call).future(call.request, timeout=allowed, metadata=self._metadata)
        return UnderWay(call, answer, start, allowed)

    def end(self, one: UnderWay[Answer]) -> Answer:
        """Wait for the answer to a call that was begun; raises as `send` does."""
        try:
            raw = one.answer.result()
        except grpc.RpcError as error:
            self._tell(one.call, one.start, error.code().name)
            raise channel.failure(error, self._target, one.timeout) from error
        self._tell(one.call, one.start, "OK")
        return one.call.read(raw)

    def close(self) -> None:
        """Close the channel; calls that run are cancelled."""
        self._channel.close()

    def _method(self, call: Call[Answer]) -> Any:
        if call.path not in self._methods:
            self._methods[call.path] = self._channel.unary_unary(call.path, channel.serialize)
        return self._methods[call.path]

    def _tell(self, call: Call[Answer], start: float, code: str) -> None:
        self._observe(channel.observed(call, time.monotonic() - start, code))
