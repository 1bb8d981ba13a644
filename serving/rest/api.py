"""The REST API, without sockets: translates requests to calls of the service, and back.

Every request gets a response; an error has the status of one of gRPC's canonical codes, and a
body `{"error": text}`.
"""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from millrace.serving import inference, metered
from millrace.serving.errors import (
    CancelledError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    ResourceExhaustedError,
    RpcError,
)
from millrace.serving.protos import model_service_pb2 as model_messages
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.rest import codes, descriptions, document, examples, paths, reading, writing
from millrace.serving.rest.paths import Target
from millrace.serving.service import IsActive, Service

_log = logging.getLogger(__name__)


class Reply(NamedTuple):
    """An HTTP status and a JSON body."""

    status: int
    body: bytes


class Caller(NamedTuple):
    """The client that waits for the response.

    Attributes:
        deadline: how long it waits, by `time.monotonic`; None for no limit.
        is_active: whether it is still connected.
    """

    deadline: float | None = None
    is_active: IsActive = inference.always

    def check(self) -> None:
        """Check that the caller still waits.

        Raises:
            CancelledError: it has disconnected.
            DeadlineExceededError: the deadline has passed.
        """
        if not self.is_active():
            raise CancelledError("The caller cancelled the request")
        self.remaining()

    def remaining(self) -> float | None:
        """Returns the seconds left, or None without a deadline.

        Raises:
            DeadlineExceededError: none are left.
        """
        if self.deadline is None:
            return None
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceededError("Run() timeout exceeded before the request was run")
        return remaining


PATIENT = Caller()


class RestApi:
    """Answers the requests to one server; thread-safe."""

    def __init__(self, service: Service) -> None:
        """Pass requests on to `service`."""
        self._service = service
        self._methods: dict[str, Callable[[Target, bytes, Caller], bytes]] = {
            "predict": self._predict,
            "classify": self._classify,
            "regress": self._regress,
            "metadata": self._metadata,
            "": self._status,
        }

    def answer(
        self, verb: str, path: str, body: Callable[[], bytes], caller: Caller = PATIENT
    ) -> Reply:
        """Answer one request.

        Args:
            verb: e.g. `POST`.
            path: as sent, still percent-encoded, with its query.
            body: returns the decompressed body, or raises an RpcError.
            caller: who waits for the response.
        """
        try:
            return Reply(200, self._answer(verb, path, body, caller))
        except RpcError as error:
            return refusal(error)
        except Exception:
            _log.exception("%s %s failed", verb, path)
            return refusal(InternalError("The server failed; see its log."))

    def refuse(self, verb: str, path: str, error: RpcError) -> Reply:
        """Answer a request that could not be received with `error`, and count it like others."""

        def raise_it() -> bytes:
            raise error

        return self.answer(verb, path, raise_it)

    def _answer(self, verb: str, path: str, body: Callable[[], bytes], caller: Caller) -> bytes:
        try:
            target = paths.parse(verb, path)
        except RpcError as error:
            metered.refused(error)
            raise
        return metered.request(
            lambda: self._within_limits(target, body, caller),
            model=target.model,
            api=target.method if verb == "POST" else "",
            entrypoint="REST",
        )

    def _within_limits(self, target: Target, body: Callable[[], bytes], caller: Caller) -> bytes:
        caller.check()
        try:
            return self._methods[target.method](target, body(), caller)
        except RecursionError as error:
            raise InvalidArgumentError(
                "JSON Parse error: The lists are nested too deeply."
            ) from error
        except MemoryError as error:
            raise ResourceExhaustedError("Out of memory for this request.") from error

    def _predict(self, target: Target, body: bytes, caller: Caller) -> bytes:
        request = document.parse(body)
        spec = target.spec(request.signature_name)
        parsed = reading.predict_body(request)
        outputs = self._service.predict_arrays(
            spec, parsed.arrays, caller.remaining(), caller.is_active
        )
        return writing.predictions(outputs) if parsed.by_row else writing.columns(outputs)

    def _classify(self, target: Target, body: bytes, caller: Caller) -> bytes:
        request = document.parse(body)
        spec = target.spec(request.signature_name)
        call = messages.ClassificationRequest(model_spec=spec, input=examples.read(request))
        return writing.classifications(
            self._service.classify(call, caller.remaining(), caller.is_active).result
        )

    def _regress(self, target: Target, body: bytes, caller: Caller) -> bytes:
        request = document.parse(body)
        spec = target.spec(request.signature_name)
        call = messages.RegressionRequest(model_spec=spec, input=examples.read(request))
        return writing.regressions(
            self._service.regress(call, caller.remaining(), caller.is_active).result
        )

    def _metadata(self, target: Target, body: bytes, caller: Caller) -> bytes:
        del body, caller
        call = messages.GetModelMetadataRequest(
            model_spec=target.spec(), metadata_field=["signature_def"]
        )
        return descriptions.metadata(self._service.get_model_metadata(call))

    def _status(self, target: Target, body: bytes, caller: Caller) -> bytes:
        del body, caller
        call = model_messages.GetModelStatusRequest(model_spec=target.spec())
        return descriptions.status(self._service.get_model_status(call))


def refusal(error: RpcError) -> Reply:
    """Returns the response for `error`."""
    return Reply(codes.status_of(error), writing.error(str(error)))
