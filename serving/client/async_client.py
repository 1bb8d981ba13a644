"""The gRPC client for asyncio; its methods behave as those of `Client`."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Self

import grpc
import grpc.aio
import numpy as np

from millrace.serving import values
from millrace.serving.client import calls, channel
from millrace.serving.client.calls import (
    Answer,
    Call,
    Class,
    ExampleLike,
    Inference,
    Metadata,
    Method,
    Prediction,
    Spec,
    VersionStatus,
)
from millrace.serving.client.channel import Observe, Tls
from millrace.serving.errors import ClientError, RpcError

Inputs = Iterable[Mapping[str, values.ArrayLike]]


class AsyncClient:
    """Talks to one server; belongs to the event loop of its first call."""

    def __init__(
        self,
        target: str,
        *,
        timeout: float | None = 60.0,
        tls: Tls | None = None,
        token: str = "",
        attempts: int = 4,
        observe: Observe = channel.ignore,
    ) -> None:
        """Connect to nothing yet; may be called outside an event loop. Arguments as in `Client`."""
        self.target = channel.address(target)
        self._timeout = timeout
        self._metadata = channel.metadata(token)
        self._observe = observe
        self._tls, self._settings = tls, channel.options(attempts, tls)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: Any = None
        self._is_closed = False
        self._methods: dict[str, Any] = {}

    async def predict(
        self,
        model: str,
        inputs: Mapping[str, values.ArrayLike],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        output_filter: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Prediction:
        """Run one signature of `model`; see `Client.predict`."""
        spec = Spec(model, signature, version, label)
        return await self._send(calls.predict(spec, inputs, output_filter), timeout)

    async def predict_many(
        self,
        model: str,
        requests: Inputs | AsyncIterable[Mapping[str, values.ArrayLike]],
        *,
        in_flight: int = 16,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        output_filter: Sequence[str] = (),
        timeout: float | None = None,
    ) -> AsyncIterator[Prediction]:
        """Yield the answer to each of `requests`, in order; see `Client.predict_many`.

        `requests` may be a plain or an asynchronous iterable.
        """
        spec = Spec(model, signature, version, label)
        under_way: deque[asyncio.Task[Prediction]] = deque()
        try:
            async for inputs in _each(requests):
                call = calls.predict(spec, inputs, output_filter)
                under_way.append(asyncio.create_task(self._send(call, timeout)))
                if len(under_way) >= max(1, in_flight):
                    yield await under_way.popleft()
            while under_way:
                yield await under_way.popleft()
        finally:
            for one in under_way:
                one.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def classify(
        self,
        model: str,
        examples: Sequence[ExampleLike],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        context: ExampleLike | None = None,
        timeout: float | None = None,
    ) -> list[list[Class]]:
        """Classify each of `examples`; see `Client.classify`."""
        spec = Spec(model, signature, version, label)
        return await self._send(calls.classify(spec, examples, context), timeout)

    async def regress(
        self,
        model: str,
        examples: Sequence[ExampleLike],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        context: ExampleLike | None = None,
        timeout: float | None = None,
    ) -> np.ndarray:
        """Run regression on each of `examples`; see `Client.regress`."""
        spec = Spec(model, signature, version, label)
        return await self._send(calls.regress(spec, examples, context), timeout)

    async def multi_inference(
        self,
        model: str,
        examples: Sequence[ExampleLike],
        tasks: Mapping[str, Method],
        *,
        version: int | None = None,
        label: str | None = None,
        context: ExampleLike | None = None,
        timeout: float | None = None,
    ) -> dict[str, Inference]:
        """Run several signatures on the same `examples`; see `Client.multi_inference`."""
        spec = Spec(model, "", version, label)
        return await self._send(calls.multi_inference(spec, examples, tasks, context), timeout)

    async def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> Metadata:
        """Returns the signatures of `model`: their inputs and outputs."""
        return await self._send(calls.metadata(Spec(model, "", version, label)), timeout)

    async def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> list[VersionStatus]:
        """Returns the versions of `model` that the server knows, highest first."""
        return await self._send(calls.status(Spec(model, "", version)), timeout)

    async def healthy(self, *, service: str = "", timeout: float | None = None) -> bool:
        """Whether the server's health service reports SERVING; see `Client.healthy`."""
        return await self._send(calls.health(service), timeout)

    async def wait_until_available(self, model: str, *, timeout: float = 60.0) -> VersionStatus:
        """Wait until a version of `model` is available; see `Client.wait_until_available`."""
        deadline = time.monotonic() + timeout
        call = calls.status(Spec(model))
        last: RpcError | None = None
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                answer = await self._send(call, remaining, wait_for_ready=True)
                found, last = calls.available(model, answer), None
            except channel.NOT_YET as error:
                found, last = None, error
            if found:
                return found
            await asyncio.sleep(channel.POLL)
        raise channel.too_late(self.target, model, timeout, last)

    async def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _send(
        self, call: Call[Answer], timeout: float | None, *, wait_for_ready: bool = False
    ) -> Answer:
        allowed = self._timeout if timeout is None else timeout
        method, start = self._method(call), time.monotonic()
        try:
            raw = await method(
                call.request,
                timeout=allowed,
                wait_for_ready=wait_for_ready,
                metadata=self._metadata,
            )
        except grpc.RpcError as error:
            self._observe(channel.observed(call, time.monotonic() - start, error.code().name))
            failure = channel.failure(error, self.target, allowed)
            if call.typed is None or not calls.is_of_other_type(failure):
                raise failure from error
        else:
            self._observe(channel.observed(call, time.monotonic() - start, "OK"))
            return call.read(raw)
        described = await self._send(call.typed.describe, channel.left(allowed, start))
        return await self._send(call.typed.make(described), channel.left(allowed, start))

    def _method(self, call: Call[Answer]) -> Any:
        if self._is_closed:
            raise channel.closed(self.target)
        loop = asyncio.get_running_loop()
        if self._channel is None:
            self._loop = loop
            self._channel = (
                grpc.aio.insecure_channel(self.target, self._settings)
                if self._tls is None
                else grpc.aio.secure_channel(self.target, self._tls.credentials(), self._settings)
            )
        elif self._loop is not loop:
            raise ClientError(
                f"{self.target}: expected the event loop of the client's first call. Received: a "
                "call from another one. Create a client in each loop."
            )
        if call.path not in self._methods:
            self._methods[call.path] = self._channel.unary_unary(call.path, channel.serialize)
        return self._methods[call.path]


async def _each(
    requests: Inputs | AsyncIterable[Mapping[str, values.ArrayLike]],
) -> AsyncIterator[Mapping[str, values.ArrayLike]]:
    if isinstance(requests, AsyncIterable):
        async for inputs in requests:
            yield inputs
    else:
        for inputs in requests:
            yield inputs
