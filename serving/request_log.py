"""A sample of requests and their answers, as TFRecord files of PredictionLog.

A model's `logging_config` asks for it. The stock `tensorflow_model_server` has no collector built
in and writes nothing; messages and fields are the real ones (tensorflow_serving/config/
logging_config.proto, apis/prediction_log.proto), the collector's type is `tfrecord`.

A file is called `<filename_prefix>-<UTC time>-<process>-<number>.tfrecord` once it is whole; while
it is written, its name ends in `.part`. Requests do not wait for the disk: they leave their record
in a queue of bounded bytes, and where that is full the record is dropped and counted.
"""

import collections
import dataclasses
import logging
import os
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np
from etils.epath import Path

from serving import wire
from serving.lease import Lease
from serving.protos import prediction_log_pb2
from serving.protos import prediction_service_pb2 as messages
from serving.records import frame

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


@dataclasses.dataclass
class _File:
    """A file that is being written."""

    sink: BinaryIO
    part: Path
    opened: float
    size: int = 0


class RequestLog:
    """Collects records from any thread; one of its own writes them."""

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
            tags: of the graphs that are served.
            queue_bytes: records that may wait to be written.
            file_bytes: size at which a file is whole.
            file_seconds: age at which a file is whole.
        """
        self.dropped = 0
        self._tags = tags
        self._limits = queue_bytes, file_bytes, file_seconds
        self._changed = threading.Condition()
        self._waiting: collections.deque[tuple[str, bytes]] = collections.deque()
        self._size, self._number = 0, 0
        self._files: dict[str, _File] = {}
        self._writer: threading.Thread | None = None
        self._closing = False

    def offer(self, lease: Lease, request: Request, response: Response) -> None:
        """Have a request and its answer written, if it is one of the sample."""
        if _is_chosen(lease):
            self._keep(lease, request, response)

    def offer_arrays(
        self,
        lease: Lease,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, np.ndarray],
    ) -> None:
        """The same for a prediction that did not come as a message."""
        if not _is_chosen(lease):
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
        """Write what waits, and finish the files."""
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
        self._put(lease.logging.filename_prefix, frame(log.SerializeToString()))

    def _put(self, prefix: str, record: bytes) -> None:
        with self._changed:
            if self._closing or self._size + len(record) > self._limits[0]:
                self.dropped += 1
                if self.dropped & (self.dropped - 1) == 0:  # told at 1, 2, 4, 8, …
                    _log.warning("Request log: %d record(s) dropped so far", self.dropped)
                return
            self._waiting.append((prefix, record))
            self._size += len(record)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="log", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing, self._patience())
                taken, self._waiting, self._size = self._waiting, collections.deque(), 0
                ending = self._closing
            try:
                for prefix, record in taken:
                    self._append(prefix, record)
                self._finish(everything=ending)
            except OSError as error:
                _log.error("Request log: %d record(s) lost: %s", len(taken), error)
                self._files = {}
            if ending:
                return

    def _patience(self) -> float | None:
        """Seconds until a file is whole by its age; None where none is open."""
        ages = [time.monotonic() - file.opened for file in self._files.values()]
        return max(0.0, self._limits[2] - max(ages)) if ages else None

    def _append(self, prefix: str, record: bytes) -> None:
        if prefix not in self._files:
            self._number += 1
            now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            part = Path(f"{prefix}-{now}-{os.getpid()}-{self._number:05d}.tfrecord.part")
            part.parent.mkdir(parents=True, exist_ok=True)
            self._files[prefix] = _File(part.open("wb"), part, time.monotonic())
        file = self._files[prefix]
        file.sink.write(record)
        file.size += len(record)
        if file.size >= self._limits[1]:
            self._close(prefix)

    def _finish(self, *, everything: bool) -> None:
        """Close the files that are old enough; flush the others."""
        for prefix, file in list(self._files.items()):
            if everything or time.monotonic() - file.opened >= self._limits[2]:
                self._close(prefix)
            else:
                file.sink.flush()

    def _close(self, prefix: str) -> None:
        file = self._files.pop(prefix)
        file.sink.close()
        file.part.rename(file.part.with_suffix(""))


def _is_chosen(lease: Lease) -> bool:
    config = lease.logging
    return config is not None and random.random() < config.sampling_rate  # noqa: S311 - a sample


def _signature(request: Request) -> str:
    if isinstance(request, messages.MultiInferenceRequest):
        return request.tasks[0].model_spec.signature_name
    return request.model_spec.signature_name
