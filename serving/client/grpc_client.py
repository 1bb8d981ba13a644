"""The synchronous gRPC client.

A client reuses one channel: create one and keep it. Messages may be of any size, UNAVAILABLE is
retried, and a failed call raises the RpcError of its status code.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

import numpy as np

from millrace.serving import values
from millrace.serving.client import calls, channel
from millrace.serving.client.calls import (
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
from millrace.serving.client.sending import Sender, UnderWay
from millrace.serving.errors import RpcError


class Client:
    """Talks to one server; may be shared between threads.

    For example:

        with Client("127.0.0.1:8500") as client:
            client.wait_until_available("digits")
            answer = client.predict("digits", {"image_bytes": images(["seven.png"])})
            print(answer["class"], answer.version)

    where `images`, like `texts` and `columns`, comes from `millrace.serving.inputs`.
    """

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
        """Create a channel; nothing is sent yet.

        Args:
            target: `host:port` or `unix:path`; the port defaults to 8500.
            timeout: seconds that a call may take by default; None for no limit.
            tls: e.g. `Tls.read("ca.pem")`; plain text if None.
            token: the server's token, if it requires one; send it over TLS or to this machine only.
            attempts: how often a call is sent while the server is UNAVAILABLE, 1 to 5.
            observe: called with an `Observation` after each call, e.g. for metrics.

        Raises:
            ClientError: the target, the token or the number of attempts is invalid.
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
            inputs: by alias; strings are `bytes` or `str`. Arrays are sent in their own dtype,
                lists in the one that TensorFlow gives Python's values (float32, int32, int64,
                bool).
                If the model takes another dtype, the inputs are converted and sent again,
                provided that no value changes; that costs two more calls.
            signature: its name; `serving_default` if empty.
            version: the version to call instead of the latest.
            label: the label of the version to call.
            output_filter: aliases of the outputs to return; all if empty.
            timeout: seconds; the client's default if None.

        Returns:
            Arrays by alias, strings as object arrays of `bytes`; `.version` is the version that
            answered.

        Raises:
            WireError: an input cannot be encoded, or not in the model's dtype.
            ClientError: the client was closed.
            RpcError: the server refused the call or did not answer.
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
        """Yield the answer to each of `requests`, in order, with `in_flight` of them at a time.

        Requests are consumed as answers are, so any number of them needs the memory of a few. The
        first failure is raised in its turn and cancels the calls in flight; so does leaving the
        loop. `timeout` applies to each request; other arguments are as in `predict`.
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
        examples: Sequence[ExampleLike],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        context: ExampleLike | None = None,
        timeout: float | None = None,
    ) -> list[list[Class]]:
        """Classify each of `examples`: mappings for `serving.example.encode`, or encoded Examples.

        `context` holds features that all examples share; other arguments are as in `predict`.
        """
        spec = Spec(model, signature, version, label)
        return self._sender.send(calls.classify(spec, examples, context), timeout)

    def regress(
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
        """Run regression on each of `examples`; arguments as in `classify`.

        Returns float32 `[examples]`.
        """
        spec = Spec(model, signature, version, label)
        return self._sender.send(calls.regress(spec, examples, context), timeout)

    def multi_inference(
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
        """Run several signatures of `model` on the same `examples`, in one run of its graph.

        `tasks` maps signatures to methods, e.g. `{"scores": "regress", "labels": "classify"}`.
        Returns, by signature, what `regress` and `classify` return; other arguments are as there.
        TensorFlow Serving offers this over gRPC only.
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
        """Returns the signatures of `model`: their inputs and outputs."""
        return self._sender.send(calls.metadata(Spec(model, "", version, label)), timeout)

    def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> list[VersionStatus]:
        """Returns the versions of `model` that the server knows, highest first."""
        return self._sender.send(calls.status(Spec(model, "", version)), timeout)

    def healthy(self, *, service: str = "", timeout: float | None = None) -> bool:
        """Whether the server's health service reports SERVING.

        Raises:
            UnimplementedError: the server has no health service.
        """
        return self._sender.send(calls.health(service), timeout)

    def wait_until_available(self, model: str, *, timeout: float = 60.0) -> VersionStatus:
        """Wait until a version of `model` is available; returns the highest one.

        Raises:
            FailedPreconditionError: every version failed to load.
            DeadlineExceededError: none was available within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        call = calls.status(Spec(model))
        last: RpcError | None = None
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                answer = self._sender.send(call, remaining, wait_for_ready=True)
                found, last = calls.available(model, answer), None
            except channel.NOT_YET as error:
                found, last = None, error
            if found:
                return found
            time.sleep(channel.POLL)
        raise channel.too_late(self.target, model, timeout, last)

    def close(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
