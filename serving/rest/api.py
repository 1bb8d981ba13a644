"""The REST API: requests as bytes in, answers as bytes out; no sockets.

It translates, and the service decides. Whatever comes, there is an answer: a refusal has a code
of the canonical ones, and a body `{"error": text}`.
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
    """An HTTP status, and a body of JSON."""

    status: int
    body: bytes


class Caller(NamedTuple):
    """Who waits for an answer.

    Attributes:
        deadline: until when, by `time.monotonic`; None for ever.
        is_active: whether still.
    """

    deadline: float | None = None
    is_active: IsActive = inference.always

    def check(self) -> None:
        """See that the caller still waits.

        Raises:
            CancelledError: it has gone.
            DeadlineExceededError: its time is over.
        """
        if not self.is_active():
            raise CancelledError("The caller gave the request up")
        self.remaining()

    def remaining(self) -> float | None:
        """Seconds that are left, None without a deadline.

        Raises:
            DeadlineExceededError: none are.
        """
        if self.deadline is None:
            return None
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceededError("Run() timeout exceeded before the request was run")
        return remaining


PATIENT = Caller()


class Api:
    """Answers the requests of one server; may be shared between threads."""

    def __init__(self, service: Service) -> None:
        """Ask `service`."""
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
            verb: such as `POST`.
            path: as it was sent, still encoded, with its query.
            body: gives it, unpacked, or raises an RpcError.
            caller: who waits.
        """
        try:
            return Reply(200, self._answer(verb, path, body, caller))
        except RpcError as error:
            return refusal(error)
        except Exception:
            _log.exception("%s %s failed", verb, path)
            return refusal(InternalError("The server failed; its log says how."))

    def refuse(self, verb: str, path: str, error: RpcError) -> Reply:
        """Answer a request with `error` that cannot be looked into, and count it as others."""

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
                "JSON Parse error: The lists are nested too deep."
            ) from error
        except MemoryError as error:
            raise ResourceExhaustedError("Out of memory for this request.") from error

    def _predict(self, target: Target, body: bytes, caller: Caller) -> bytes:
        request = document.parse(body)
        spec = target.spec(request.signature_name)
        question = reading.question(request)
        outputs = self._service.predict_arrays(
            spec, question.arrays, caller.remaining(), caller.is_active
        )
        return writing.predictions(outputs) if question.by_row else writing.columns(outputs)

    def _classify(self, target: Target, body: bytes, caller: Caller) -> bytes:
        request = document.parse(body)
        spec = target.spec(request.signature_name)
        question = messages.ClassificationRequest(model_spec=spec, input=examples.read(request))
        return writing.classifications(
            self._service.classify(question, caller.remaining(), caller.is_active).result
        )

    def _regress(self, target: Target, body: bytes, caller: Caller) -> bytes:
        request = document.parse(body)
        spec = target.spec(request.signature_name)
        question = messages.RegressionRequest(model_spec=spec, input=examples.read(request))
        return writing.regressions(
            self._service.regress(question, caller.remaining(), caller.is_active).result
        )

    def _metadata(self, target: Target, body: bytes, caller: Caller) -> bytes:
        del body, caller
        question = messages.GetModelMetadataRequest(
            model_spec=target.spec(), metadata_field=["signature_def"]
        )
        return descriptions.metadata(self._service.get_model_metadata(question))

    def _status(self, target: Target, body: bytes, caller: Caller) -> bytes:
        del body, caller
        question = model_messages.GetModelStatusRequest(model_spec=target.spec())
        return descriptions.status(self._service.get_model_status(question))


def refusal(error: RpcError) -> Reply:
    """The answer that tells of `error`."""
    return Reply(codes.status_of(error), writing.error(str(error)))
