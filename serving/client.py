"""Clients of a TensorFlow model server, this project's or the real one; no TensorFlow needed.

A client holds one channel, which it reuses: make one and keep it. Messages may be of any size,
UNAVAILABLE is tried again, and a failed call raises the RpcError of its code.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from millrace.serving import calls, channel, values
from millrace.serving.async_client import AsyncClient
from millrace.serving.calls import (
    Class,
    Inference,
    Metadata,
    Method,
    Prediction,
    Record,
    Spec,
    VersionStatus,
)
from millrace.serving.channel import Observation, Observe, Tls
from millrace.serving.errors import NotFoundError
from millrace.serving.sending import Sender, UnderWay

if TYPE_CHECKING:
    from millrace.serving.rest.client import RestClient

__all__ = [
    "AsyncClient",
    "Class",
    "Client",
    "Metadata",
    "Observation",
    "Prediction",
    "RestClient",
    "Tls",
    "VersionStatus",
]


def __getattr__(name: str) -> object:
    if name == "RestClient":
        from millrace.serving.rest.client import RestClient  # only its users wait for HTTP

        return RestClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Client:
    """Talks to one server; may be shared between threads.

    For example:

        with Client("127.0.0.1:8500") as client:
            client.wait_until_available("digits")
            answer = client.predict("digits", {"image_bytes": images(["seven.png"])})
            print(answer["class"], answer.version)

    where `images`, as `texts` and `columns`, is of `millrace.serving.inputs`.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout: float | None = 60.0,
        tls: Tls | None = None,
        token: str = "",
        attempts: int = 4,
        observe: Observe = channel.nobody,
    ) -> None:
        """Make a channel; nothing is sent yet.

        Args:
            target: `host:port`, or `unix:path`; port 8500 where it names none.
            timeout: seconds that a call may take, unless it says otherwise; None waits for ever.
            tls: e.g. `Tls.read("ca.pem")`; plain text where None.
            token: the server's, if it asks for one; send it over TLS only, or to this machine.
            attempts: how often a call is sent while the server is UNAVAILABLE, 1 to 5.
            observe: is told of each call that ended; for metrics.

        Raises:
            ClientError: the target, the token or the attempts cannot be.
        """
        self._sender = Sender(
            target, timeout=timeout, tls=tls, token=token, attempts=attempts, observe=observe
        )
        self.target = self._sender.target

    def predict(
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
        """Run one signature of `model`.

        Args:
            model: its name on the server.
            inputs: by alias; strings are `bytes` or `str`. Arrays are sent in their dtype, lists
                in what TensorFlow gives to Python's values (float32, int32, int64, bool). Where
                the model takes numbers of another width, they are sent again in that, if each is
                the same in it; that costs two more calls.
            signature: its name; `serving_default` where empty.
            version: asks for this version instead of the latest.
            label: asks for the version with this label.
            output_filter: aliases of the outputs wanted; none means all.
            timeout: seconds; the client's own where None.

        Returns:
            Arrays by alias, strings as object arrays of `bytes`; `.version` tells which answered.

        Raises:
            WireError: an input has no place in a message, or not in the model's type.
            ClientError: the client was closed.
            RpcError: the server refused, or did not answer.
        """
        spec = Spec(model, signature, version, label)
        return self._sender.send(calls.predict(spec, inputs, output_filter), timeout)

    def predict_many(
        self,
        model: str,
        requests: Iterable[Mapping[str, values.ArrayLike]],
        *,
        in_flight: int = 16,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        output_filter: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Iterator[Prediction]:
        """Answer each of `requests` in their order, `in_flight` of them under way at a time.

        Requests are taken only as answers are: any number of them needs the memory of a few. The
        first failure is raised in its turn, and cancels those under way; so does leaving the
        loop. `timeout` is for each; the rest is as in `predict`.
        """
        spec = Spec(model, signature, version, label)
        under_way: deque[UnderWay[Prediction]] = deque()
        try:
            for inputs in requests:
                under_way.append(
                    self._sender.begin(calls.predict(spec, inputs, output_filter), timeout)
                )
                if len(under_way) >= max(1, in_flight):
                    yield self._sender.end(under_way.popleft())
            while under_way:
                yield self._sender.end(under_way.popleft())
        finally:
            for one in under_way:
                one.answer.cancel()

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
        return self._sender.send(calls.classify(spec, examples, context), timeout)

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
        return self._sender.send(calls.regress(spec, examples, context), timeout)

    def multi_inference(
        self,
        model: str,
        examples: Sequence[Record],
        tasks: Mapping[str, Method],
        *,
        version: int | None = None,
        label: str | None = None,
        context: Record | None = None,
        timeout: float | None = None,
    ) -> dict[str, Inference]:
        """Ask several signatures of `model` about the same `examples`, in one run of its graph.

        `tasks` says which, and by which method: `{"scores": "regress", "labels": "classify"}`.
        Returns by signature what `regress` and `classify` give; the rest is as in those. TensorFlow
        Serving has this over gRPC alone.
        """
        spec = Spec(model, "", version, label)
        return self._sender.send(calls.multi_inference(spec, examples, tasks, context), timeout)

    def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> Metadata:
        """The signatures of `model`: what they take and give."""
        return self._sender.send(calls.metadata(Spec(model, "", version, label)), timeout)

    def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> list[VersionStatus]:
        """The versions of `model` that the server knows, the highest first."""
        return self._sender.send(calls.status(Spec(model, "", version)), timeout)

    def healthy(self, *, service: str = "", timeout: float | None = None) -> bool:
        """Whether the server's health service says SERVING.

        Raises:
            UnimplementedError: the server has no health service.
        """
        return self._sender.send(calls.health(service), timeout)

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
                found = calls.available(
                    model, self._sender.send(call, remaining, wait_for_ready=True)
                )
            except NotFoundError:
                found = None
            if found:
                return found
            time.sleep(channel.POLL)
        raise channel.too_late(self.target, model, timeout)

    def close(self) -> None:
        """Close the channel; calls that run are cancelled."""
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
