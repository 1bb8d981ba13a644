"""The REST client, with the methods of `Client`.

JSON has neither the type of a number nor the name of a single output, and a response does not say
which version answered. So the client gets a model's metadata first, keeps it for a moment, and
then calls the version that it describes. gRPC is several times as fast; this client is for places
where only HTTP gets through.
"""

import dataclasses
import math
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Self, TypeVar

import numpy as np

from millrace.serving import values
from millrace.serving.client import calls, channel, rest_messages
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
from millrace.serving.client.channel import Observation, Observe
from millrace.serving.client.http_connections import Connections, Deadline, HttpRequest
from millrace.serving.errors import (
    NotFoundError,
    RpcError,
    UnimplementedError,
)

Answer = TypeVar("Answer")
_KEPT_SECONDS = 1.0  # a server's default interval between checks for new versions


class RestClient:
    """Talks to one server; may be shared between threads."""

    def __init__(
        self,
        target: str,
        *,
        timeout: float | None = 60.0,
        context: ssl.SSLContext | None = None,
        token: str = "",
        attempts: int = 4,
        observe: Observe = channel.ignore,
    ) -> None:
        """Send nothing yet.

        Args:
            target: `http://host:port`, or the `https` address of a proxy before the server.
            timeout: seconds that a call may take by default; None for no limit.
            context: for https; Python's default if None.
            token: the server's token, if it requires one; send it over TLS or to this machine only.
            attempts: how often a call is sent while the server is UNAVAILABLE.
            observe: called with an `Observation` after each call, e.g. for metrics.

        Raises:
            ClientError: `target` is not such a URL, or the token or the attempts are invalid.
        """
        self.target = target
        self._timeout = timeout
        self._observe = observe
        self._connections = Connections(target, token=token, attempts=attempts, context=context)
        self._pinning = _Pinning(self._metadata)

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
        """Run one signature of `model`; see `Client.predict`.

        The server sends all outputs; `output_filter` is applied here.
        """
        spec = Spec(model, signature, version, label)

        def send(pinned: Spec, described: Metadata, deadline: Deadline) -> Prediction:
            body = rest_messages.predict(spec, inputs, described)
            raw = self._post(pinned, "predict", body, deadline)
            return rest_messages.prediction(raw, described, signature, output_filter)

        return self._observed("Predict", model, timeout, self._pinning.of_one_version(spec, send))

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
        """Yield the answer to each of `requests`, in order; see `Client.predict_many`."""
        under_way: deque[futures.Future[Prediction]] = deque()
        with futures.ThreadPoolExecutor(max(1, in_flight), "rest client") as pool:
            try:
                for inputs in requests:
                    under_way.append(
                        pool.submit(
                            self.predict,
                            model,
                            inputs,
                            signature=signature,
                            version=version,
                            label=label,
                            output_filter=output_filter,
                            timeout=timeout,
                        )
                    )
                    if len(under_way) >= max(1, in_flight):
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for one in under_way:
                    one.cancel()

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
        """Classify each of `examples`; see `Client.classify`."""
        spec = Spec(model, signature, version, label)
        body = rest_messages.examples(spec, examples, context)
        return self._observed(
            "Classify",
            model,
            timeout,
            lambda deadline: rest_messages.classes(self._post(spec, "classify", body, deadline)),
        )

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
        """Run regression on each of `examples`; see `Client.regress`."""
        spec = Spec(model, signature, version, label)
        body = rest_messages.examples(spec, examples, context)
        return self._observed(
            "Regress",
            model,
            timeout,
            lambda deadline: rest_messages.regressions(self._post(spec, "regress", body, deadline)),
        )

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
        """Run several signatures on the same `examples`; see `Client.multi_inference`.

        A model server offers this over gRPC only, so one version is called once per signature.
        """
        spec = Spec(model, "", version, label)
        readers = {name: rest_messages.reader(name, method) for name, method in tasks.items()}

        def send(pinned: Spec, described: Metadata, deadline: Deadline) -> dict[str, Inference]:
            del described
            found: dict[str, Inference] = {}
            for name, read in readers.items():
                body = rest_messages.examples(
                    dataclasses.replace(pinned, signature=name), examples, context
                )
                found[name] = read(self._post(pinned, tasks[name], body, deadline))
            return found

        return self._observed(
            "MultiInference", model, timeout, self._pinning.of_one_version(spec, send)
        )

    def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> Metadata:
        """Returns the signatures of `model`: their inputs and outputs."""
        spec = Spec(model, "", version, label)
        return self._observed(
            "GetModelMetadata", model, timeout, lambda deadline: self._metadata(spec, deadline)
        )

    def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> list[VersionStatus]:
        """Returns the versions of `model` that the server knows, highest first."""
        request = HttpRequest("GET", rest_messages.path(Spec(model, "", version)))
        return self._observed(
            "GetModelStatus",
            model,
            timeout,
            lambda deadline: rest_messages.statuses(self._connections.send(request, deadline)),
        )

    def healthy(self, *, service: str = "", timeout: float | None = None) -> bool:
        """Whether the server is ready for requests; see `Client.healthy`.

        Raises:
            UnimplementedError: the server has no `/v2/health/ready`, like TensorFlow Serving's; or
                a `service` is given, which HTTP does not support.
        """
        if service:
            raise UnimplementedError(
                f"{self.target}: expected no service, because HTTP reports the health of the whole "
                f"server. Received: {service!r}. Leave it out, or use gRPC."
            )
        request = HttpRequest("GET", "/v2/health/ready")
        return self._observed(
            "Check", "", timeout, lambda deadline: self._connections.is_ready(request, deadline)
        )

    def wait_until_available(self, model: str, *, timeout: float = 60.0) -> VersionStatus:
        """Wait until a version of `model` is available; see `Client.wait_until_available`."""
        deadline = time.monotonic() + timeout
        last: RpcError | None = None
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                found, last = calls.available(model, self.status(model, timeout=remaining)), None
            except channel.NOT_YET as error:
                found, last = None, error
            if found:
                return found
            time.sleep(channel.POLL)
        raise channel.too_late(self.target, model, timeout, last)

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, spec: Spec, method: str, body: bytes, deadline: Deadline) -> bytes:
        path = rest_messages.path(spec, f":{method}")
        return self._connections.send(HttpRequest("POST", path, body), deadline)

    def _metadata(self, spec: Spec, deadline: Deadline) -> Metadata:
        request = HttpRequest("GET", rest_messages.path(spec, "/metadata"))
        return rest_messages.metadata(self._connections.send(request, deadline))

    def _observed(
        self, method: str, model: str, timeout: float | None, send: Callable[[Deadline], Answer]
    ) -> Answer:
        deadline = Deadline.start(self._timeout if timeout is None else timeout)
        start, code = time.monotonic(), RpcError.code
        try:
            answer = send(deadline)
            code = "OK"
        except RpcError as error:
            code = error.code
            raise
        finally:
            self._observe(Observation(method, model, time.monotonic() - start, code))
        return answer


class _Pinning:
    """Sends calls to the version whose metadata is known, which is kept for a moment."""

    def __init__(self, metadata: Callable[[Spec, Deadline], Metadata]) -> None:
        """Get metadata from the server by `metadata`."""
        self._metadata = metadata
        self._described: dict[Spec, tuple[float, Metadata]] = {}

    def of_one_version(
        self, spec: Spec, send: Callable[[Spec, Metadata, Deadline], Answer]
    ) -> Callable[[Deadline], Answer]:
        """Returns `send` for the version that `spec` means; for another if it was unloaded."""

        def call(deadline: Deadline, *, again: bool = False) -> Answer:
            described = self._describe(spec, deadline, again=again)
            pinned = Spec(spec.model, spec.signature, described.version)
            try:
                return send(pinned, described, deadline)
            except NotFoundError:
                if again or spec.version is not None:
                    raise
            return call(deadline, again=True)

        return call

    def _describe(self, spec: Spec, deadline: Deadline, *, again: bool) -> Metadata:
        """Returns the metadata of what `spec` names, at most a moment old."""
        key = dataclasses.replace(spec, signature="")
        fetched, described = self._described.get(key, (-math.inf, None))
        if described is None or again or time.monotonic() - fetched > _KEPT_SECONDS:
            described = self._metadata(key, deadline)
            self._described[key] = (time.monotonic(), described)
        return described
