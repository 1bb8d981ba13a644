"""The client over REST, by the interface of `millrace.serving.client.Client`; no TensorFlow needed.

JSON says neither the type of a number nor the name of an only output, and an answer does not say
which version gave it. So the client asks for a model's metadata first, keeps it for a moment, and
then asks the version that it describes. gRPC is several times as fast: this is for where only
HTTP gets through.
"""

import dataclasses
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Self, TypeVar

import numpy as np

from millrace.serving import calls, channel, values
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
from millrace.serving.channel import Observation, Observe
from millrace.serving.errors import (
    DeadlineExceededError,
    NotFoundError,
    RpcError,
    UnavailableError,
    UnimplementedError,
)
from millrace.serving.rest import questions
from millrace.serving.rest.connections import Clock, Connections, Request
from millrace.serving.rest.pinning import Pinning

Answer = TypeVar("Answer")


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
        observe: Observe = channel.nobody,
    ) -> None:
        """Hold what is needed; nothing is sent yet.

        Args:
            target: `http://host:port`, or with `https` what stands before the server.
            timeout: seconds that a call may take, unless it says otherwise; None waits for ever.
            context: for https; Python's own choice where None.
            token: the server's, if it asks for one; send it over TLS only, or to this machine.
            attempts: how often a call is sent while the server is UNAVAILABLE.
            observe: is told of each call that ended; for metrics.

        Raises:
            WireError: `target` is no such URL.
        """
        self.target = target
        self._timeout = timeout
        self._observe = observe
        self._connections = Connections(target, token=token, attempts=attempts, context=context)
        self._pinning = Pinning(self._metadata)

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
        """Run one signature of `model`; as `Client.predict`.

        The server sends all outputs; `output_filter` chooses among them here.
        """
        spec = Spec(model, signature, version, label)

        def ask(pinned: Spec, described: Metadata, clock: Clock) -> Prediction:
            body = questions.predict(spec, inputs, described)
            raw = self._post(pinned, "predict", body, clock)
            return questions.prediction(raw, described, signature, output_filter)

        return self._observed("Predict", model, timeout, self._pinning.of_one_version(spec, ask))

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
        """Answer each of `requests` in their order; as `Client.predict_many`."""
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
        examples: Sequence[Record],
        *,
        signature: str = "",
        version: int | None = None,
        label: str | None = None,
        context: Record | None = None,
        timeout: float | None = None,
    ) -> list[list[Class]]:
        """Label each of `examples`; as `Client.classify`."""
        spec = Spec(model, signature, version, label)
        body = questions.examples(spec, examples, context)
        return self._observed(
            "Classify",
            model,
            timeout,
            lambda clock: questions.classes(self._post(spec, "classify", body, clock)),
        )

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
        """Value each of `examples`, float32 `[examples]`; as `Client.regress`."""
        spec = Spec(model, signature, version, label)
        body = questions.examples(spec, examples, context)
        return self._observed(
            "Regress",
            model,
            timeout,
            lambda clock: questions.regressions(self._post(spec, "regress", body, clock)),
        )

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
        """Ask several signatures about the same `examples`; as `Client.multi_inference`.

        A model server has this over gRPC alone: here one version is asked once for each signature.
        """
        spec = Spec(model, "", version, label)
        readers = {name: questions.reader(name, method) for name, method in tasks.items()}

        def ask(pinned: Spec, described: Metadata, clock: Clock) -> dict[str, Inference]:
            del described
            found: dict[str, Inference] = {}
            for name, read in readers.items():
                body = questions.examples(
                    dataclasses.replace(pinned, signature=name), examples, context
                )
                found[name] = read(self._post(pinned, tasks[name], body, clock))
            return found

        return self._observed(
            "MultiInference", model, timeout, self._pinning.of_one_version(spec, ask)
        )

    def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> Metadata:
        """The signatures of `model`: what they take and give."""
        spec = Spec(model, "", version, label)
        return self._observed(
            "GetModelMetadata", model, timeout, lambda clock: self._metadata(spec, clock)
        )

    def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> list[VersionStatus]:
        """The versions of `model` that the server knows, the highest first."""
        request = Request("GET", questions.path(Spec(model, "", version)))
        return self._observed(
            "GetModelStatus",
            model,
            timeout,
            lambda clock: questions.statuses(self._connections.ask(request, clock)),
        )

    def healthy(self, *, service: str = "", timeout: float | None = None) -> bool:
        """Whether the server is ready for requests; as `Client.healthy`.

        Raises:
            UnimplementedError: the server has no `/v2/health/ready`, as TensorFlow Serving's has
                not; or a `service` is named, which HTTP knows nothing of.
        """
        if service:
            raise UnimplementedError(
                f"{self.target}: expected no service, since over HTTP the server is asked as a "
                f"whole. Received: {service!r}. Leave it out, or ask over gRPC."
            )
        request = Request("GET", "/v2/health/ready")
        return self._observed(
            "Check", "", timeout, lambda clock: self._connections.is_ready(request, clock)
        )

    def wait_until_available(self, model: str, *, timeout: float = 60.0) -> VersionStatus:
        """Wait until a version of `model` is available; as `Client.wait_until_available`."""
        deadline = time.monotonic() + timeout
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                found = calls.available(model, self.status(model, timeout=remaining))
            except (NotFoundError, UnavailableError, DeadlineExceededError):
                found = None
            if found:
                return found
            time.sleep(channel.POLL)
        raise channel.too_late(self.target, model, timeout)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, spec: Spec, method: str, body: bytes, clock: Clock) -> bytes:
        path = questions.path(spec, f":{method}")
        return self._connections.ask(Request("POST", path, body), clock)

    def _metadata(self, spec: Spec, clock: Clock) -> Metadata:
        request = Request("GET", questions.path(spec, "/metadata"))
        return questions.metadata(self._connections.ask(request, clock))

    def _observed(
        self, method: str, model: str, timeout: float | None, ask: Callable[[Clock], Answer]
    ) -> Answer:
        clock = Clock.start(self._timeout if timeout is None else timeout)
        start, code = time.monotonic(), RpcError.code
        try:
            answer = ask(clock)
            code = "OK"
        except RpcError as error:
            code = error.code
            raise
        finally:
            self._observe(Observation(method, model, time.monotonic() - start, code))
        return answer
