"""Sends calls over one gRPC channel, from any thread: deadlines, errors and observations."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Generic

import grpc

from millrace.serving.client import calls, channel
from millrace.serving.client.calls import Answer, Call
from millrace.serving.client.channel import Observe, Tls


@dataclasses.dataclass(frozen=True)
class UnderWay(Generic[Answer]):
    """A call in flight: its future answer, when it was sent, and how long it may take."""

    call: Call[Answer]
    answer: Any  # a gRPC call, which is a future
    start: float
    timeout: float | None


class Sender:
    """The channel of a `Client`, which documents the arguments."""

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
        self.target = target = channel.address(target)
        self._timeout, self._observe = timeout, observe
        self._metadata = channel.metadata(token)
        self._is_closed = False
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
        """Returns the answer to `call`, within `timeout` seconds, or the default if None.

        Raises:
            ClientError: the client was closed.
            RpcError: the server refused the call or did not answer.
        """
        allowed = self._timeout if timeout is None else timeout
        method, start = self._method(call), time.monotonic()

        def wait() -> bytes:
            raw: bytes = method(
                call.request,
                timeout=allowed,
                wait_for_ready=wait_for_ready,
                metadata=self._metadata,
            )
            return raw

        return self._answer(call, wait, start, allowed)

    def begin(self, call: Call[Answer], timeout: float | None) -> UnderWay[Answer]:
        """Send `call` without waiting for its answer; arguments as in `send`."""
        allowed = self._timeout if timeout is None else timeout
        start = time.monotonic()
        answer = self._method(call).future(call.request, timeout=allowed, metadata=self._metadata)
        return UnderWay(call, answer, start, allowed)

    def end(self, one: UnderWay[Answer]) -> Answer:
        """Wait for the answer to a call in flight; raises as `send` does."""
        return self._answer(one.call, one.answer.result, one.start, one.timeout)

    def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        self._is_closed = True
        self._channel.close()

    def _method(self, call: Call[Answer]) -> Any:
        if self._is_closed:
            raise channel.closed(self.target)
        if call.path not in self._methods:
            self._methods[call.path] = self._channel.unary_unary(call.path, channel.serialize)
        return self._methods[call.path]

    def _answer(
        self, call: Call[Answer], wait: Callable[[], bytes], start: float, allowed: float | None
    ) -> Answer:
        try:
            raw = wait()
        except grpc.RpcError as error:
            self._report(call, start, error.code().name)
            failure = channel.failure(error, self.target, allowed)
            if call.typed is None or not calls.is_of_other_type(failure):
                raise failure from error
        else:
            self._report(call, start, "OK")
            return call.read(raw)
        described = self.send(call.typed.describe, channel.left(allowed, start))
        return self.send(call.typed.make(described), channel.left(allowed, start))

    def _report(self, call: Call[Answer], start: float, code: str) -> None:
        self._observe(channel.observed(call, time.monotonic() - start, code))
