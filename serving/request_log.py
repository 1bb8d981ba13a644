"""Logs a sample of requests and responses, as TFRecord files of PredictionLog.

A model's `logging_config` enables it. The stock `tensorflow_model_server` has no built-in
collector and writes nothing; messages and fields are TensorFlow Serving's
(tensorflow_serving/config/logging_config.proto, apis/prediction_log.proto), and the collector's
type is `tfrecord`.

Requests do not wait for the disk: records go into a queue of limited size in bytes, and are
dropped when it is full. Records are counted in the real server's metric once they are in a
finished file, or lost. `request_log_files` writes the files.
"""

import collections
import logging
import random
import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np

from millrace.serving import monitoring, wire
from millrace.serving.protos import prediction_log_pb2
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.records import frame
from millrace.serving.repository import Lease
from millrace.serving.request_log_files import LogFiles, LoggedRequest

_QUEUE_BYTES = 64 * 2**20
_FILE_BYTES = 64 * 2**20
_FILE_SECONDS = 60.0
_log = logging.getLogger(__name__)

_REQUEST_LOGS = {
    messages.PredictRequest: "predict_log",
    messages.ClassificationRequest: "classify_log",
    messages.RegressionRequest: "regress_log",
    messages.MultiInferenceRequest: "multi_inference_log",
}
Request = (
    messages.PredictRequest
    | messages.ClassificationRequest
    | messages.RegressionRequest
    | messages.MultiInferenceRequest
)
Response = (
    messages.PredictResponse
    | messages.ClassificationResponse
    | messages.RegressionResponse
    | messages.MultiInferenceResponse
)


class RequestLog:
    """Collects records from any thread, and writes them in a thread of its own."""

    def __init__(
        self,
        *,
        tags: Sequence[str] = (),
        queue_bytes: int = _QUEUE_BYTES,
        file_bytes: int = _FILE_BYTES,
        file_seconds: float = _FILE_SECONDS,
    ) -> None:
        """Open nothing yet.

        Args:
            tags: of the served graphs.
            queue_bytes: total size of the records that may wait to be written.
            file_bytes: size at which a file is finished.
            file_seconds: age at which a file is finished.
        """
        self.dropped = 0
        self._tags = tags
        self._most = queue_bytes
        self._file_bytes, self._file_seconds = file_bytes, file_seconds
        self._changed = threading.Condition()
        self._waiting: collections.deque[tuple[str, LoggedRequest]] = collections.deque()
        self._size = 0
        self._files: dict[str, LogFiles] = {}  # by prefix
        self._writer: threading.Thread | None = None
        self._closing = False

    def offer(self, lease: Lease, request: Request, response: Response) -> None:
        """Log a request and its response, if it is in the sample."""
        if _is_chosen(lease) and self._has_room(lease, request.ByteSize() + response.ByteSize()):
            self._keep(lease, request, response)

    def offer_arrays(
        self,
        lease: Lease,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, np.ndarray],
    ) -> None:
        """Log a prediction that did not arrive as a message, if it is in the sample."""
        size = sum(array.nbytes for array in (*inputs.values(), *outputs.values()))
        if not _is_chosen(lease) or not self._has_room(lease, size):
            return
        request, response = messages.PredictRequest(), messages.PredictResponse()
        for spec in (request.model_spec, response.model_spec):
            spec.name, spec.signature_name = lease.name, signature
            spec.version.value = lease.version
        for alias, array in inputs.items():
            request.inputs[alias].CopyFrom(wire.to_proto(array, name=alias))
        for alias, array in outputs.items():
            response.outputs[alias].CopyFrom(wire.to_proto(array, name=alias))
        self._keep(lease, request, response)

    def close(self) -> None:
        """Write the waiting records, and finish the files."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            writer = self._writer
        if writer is not None:
            writer.join()

    def _keep(self, lease: Lease, request: Request, response: Response) -> None:
        if lease.logging is None:
            return
        log = prediction_log_pb2.PredictionLog()
        metadata = log.log_metadata
        metadata.model_spec.name, metadata.model_spec.version.value = lease.name, lease.version
        metadata.model_spec.signature_name = _signature(request)
        metadata.sampling_config.sampling_rate = lease.logging.sampling_rate
        metadata.saved_model_tags.extend(self._tags)
        metadata.timestamp_secs = int(time.time())
        one = getattr(log, _REQUEST_LOGS[type(request)])
        one.request.CopyFrom(request)
        one.response.CopyFrom(response)
        record = LoggedRequest(lease.name, frame(log.SerializeToString()))
        if self._has_room(lease, len(record.framed)):
            self._put(lease.logging.filename_prefix, record)

    def _has_room(self, lease: Lease, size: int) -> bool:
        """Whether the queue has room for `size` bytes; counts the record as lost if not."""
        with self._changed:
            if not self._closing and self._size + size <= self._most:
                return True
            self.dropped += 1
            is_reported = self.dropped & (self.dropped - 1) == 0  # at 1, 2, 4, 8, …
            code = "UNAVAILABLE" if self._closing else "RESOURCE_EXHAUSTED"
        monitoring.REQUEST_LOG_COUNT.add(lease.name, code)
        if is_reported:
            _log.warning("Request log: %d record(s) dropped so far", self.dropped)
        return False

    def _put(self, prefix: str, record: LoggedRequest) -> None:
        with self._changed:
            self._waiting.append((prefix, record))
            self._size += len(record.framed)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="log", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing, self._next_due())
                taken, self._waiting = self._waiting, collections.deque()
                ending = self._closing
            for prefix, record in taken:
                if prefix not in self._files:
                    self._files[prefix] = LogFiles(prefix, self._file_bytes, self._file_seconds)
                self._files[prefix].hold(record)
            released = sum(files.write(ending=ending) for files in self._files.values())
            with self._changed:
                self._size -= released
            if ending:
                return

    def _next_due(self) -> float | None:
        """Returns the seconds until a file is due without a new record; None if none is."""
        waits = [files.next_due() for files in self._files.values()]
        return min((wait for wait in waits if wait is not None), default=None)


def _is_chosen(lease: Lease) -> bool:
    config = lease.logging
    return config is not None and random.random() < config.sampling_rate  # noqa: S311 - a sample


def _signature(request: Request) -> str:
    if isinstance(request, messages.MultiInferenceRequest):
        return request.tasks[0].model_spec.signature_name
    return request.model_spec.signature_name
