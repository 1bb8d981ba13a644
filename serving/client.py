"""Clients of a TensorFlow model server, this project's or the real one; no TensorFlow needed.

A client holds one channel, which it reuses: make one and keep it. Messages may be of any size,
UNAVAILABLE is tried again, and a failed call raises the RpcError of its code.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import grpc
import numpy as np

from serving import calls, channel, wire
from serving.async_client import AsyncClient
from serving.calls import Answer, Call, Class, Metadata, Prediction, Record, Spec, VersionStatus
from serving.errors import NotFoundError

__all__ = ["AsyncClient", "Class", "Client", "Metadata", "Prediction", "VersionStatus"]


class Client:
    """Talks to one server; may be shared between threads."""

    def __init__(
        self,
        target: str,
        *,
        timeout: float | None = 60.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Make a channel; nothing is sent yet.

        Args:
            target: `host:port`, or `unix:path`.
            timeout: seconds that a call may take, unless it says otherwise; None waits for ever.
            credentials: for TLS, e.g. `grpc.ssl_channel_credentials(…)`; none is plain text.
        """
        self.target = target
        self._timeout = timeout
        self._channel = (
            grpc.insecure_channel(target, channel.OPTIONS)
            if credentials is None
            else grpc.secure_channel(target, credentials, channel.OPTIONS)
        )
        self._methods: dict[str, Any] = {}

    def predict(
        self,
        model: str,
        inputs: Mapping[str, wire.ArrayLike],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        output_filter: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Prediction:
        """Run one signature of `model`.

        Args:
            model: its name on the server.
            inputs: by alias; arrays keep their dtype, lists get what TensorFlow gives to
                Python's values (float32, int32, int64, bool), strings are `bytes` or `str`.
            signature: its name; `serving_default` where empty.
            version: asks for this version instead of the latest.
            label: asks for the version with this label.
            output_filter: aliases of the outputs wanted; none means all.
            timeout: seconds; the client's own where None.

        Returns:
            Arrays by alias, strings as object arrays of `bytes`; `.version` tells which answered.

        Raises:
            WireError: an input has no place in a message.
            RpcError: the server refused, or did not answer.
        """
        spec = Spec(model, signature, version, label)
        return self._send(calls.predict(spec, inputs, output_filter), timeout)

    def classify(
        self,
        model: str,
        examples: Sequence[Record],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        context: Record | None = None,
        timeout: float | None = None,
    ) -> list[list[Class]]:
        """Label each of `examples`: mappings as `serving.example.encode` takes, or bytes of one.

        `context` holds features that all examples share; the rest is as in `predict`.
        """
        spec = Spec(model, signature, version, label)
        return self._send(calls.classify(spec, examples, context), timeout)

    def regress(
        self,
        model: str,
        examples: Sequence[Record],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        context: Record | None = None,
        timeout: float | None = None,
    ) -> np.ndarray:
        """Value each of `examples`, float32 `[examples]`; arguments as in `classify`."""
        spec = Spec(model, signature, version, label)
        return self._send(calls.regress(spec, examples, context), timeout)

    def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> Metadata:
        """The signatures of `model`: what they take and give."""
        return self._send(calls.metadata(Spec(model, "", version, label)), timeout)

    def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> list[VersionStatus]:
        """The versions of `model` that the server knows, the highest first."""
        return self._send(calls.status(Spec(model, "", version)), timeout)

    def healthy(self, *, service: str = "", timeout: float | None = None) -> bool:
        """Whether the server's health service says SERVING.

        Raises:
            UnimplementedError: the server has no health service.
        """
        return self._send(calls.health(service), timeout)

    def wait_until_available(self, model: str, *, timeout: float = 60.0) -> VersionStatus:
        """Wait until a version of `model` is available; returns the highest such.

        Raises:
            FailedPreconditionError: every version failed to load.
            DeadlineExceededError: none was available within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        call = calls.status(Spec(model))
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                found = calls.available(model, self._send(call, remaining, wait_for_ready=True))
            except NotFoundError:
                found = None
            if found:
                return found
            time.sleep(channel.POLL)
        raise channel.too_late(self.target, model, timeout)

    def close(self) -> None:
        """Close the channel; calls that run are cancelled."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(
        self, call: Call[Answer], timeout: float | None, *, wait_for_ready: bool = False
    ) -> Answer:
        allowed = self._timeout if timeout is None else timeout
        if call.path not in self._methods:
            self._methods[call.path] = self._channel.unary_unary(call.path, channel.serialize)
        try:
            raw = self._methods[call.path](
                call.request, timeout=allowed, wait_for_ready=wait_for_ready
            )
        except grpc.RpcError as error:
            raise channel.failure(error, self.target, allowed) from error
        return call.read(raw)
