"""The TFRecord files of a request log, finished by a rename, and their behaviour on a failing disk.

A finished file is called `<prefix>-<UTC time>-<process>-<number>.tfrecord`; while it is written,
its name ends in `.part`. If the disk is full or the folder cannot be written, records are held
and writing is retried at growing intervals; the records written until then become a finished
file.
"""

import collections
import dataclasses
import errno
import logging
import os
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from millrace.serving import monitoring

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds between attempts
# The codes that TensorFlow's file system maps errno to.
_CODES = {
    errno.ENOSPC: "RESOURCE_EXHAUSTED",
    errno.EDQUOT: "RESOURCE_EXHAUSTED",
    errno.EMFILE: "RESOURCE_EXHAUSTED",
    errno.EFBIG: "OUT_OF_RANGE",
    errno.EEXIST: "ALREADY_EXISTS",
    errno.EACCES: "PERMISSION_DENIED",
    errno.EPERM: "PERMISSION_DENIED",
    errno.EROFS: "PERMISSION_DENIED",
    errno.ENOENT: "NOT_FOUND",
    errno.ENOTDIR: "FAILED_PRECONDITION",
}
_log = logging.getLogger(__name__)


class LoggedRequest(NamedTuple):
    """A framed record, and the name of its model."""

    model: str
    framed: bytes


@dataclasses.dataclass
class _Part:
    """A file that is being written; `size` and `models` count its complete records."""

    sink: BinaryIO
    path: Path
    opened: float
    size: int = 0
    models: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


class LogFiles:
    """The files of one prefix; used by one thread."""

    def __init__(self, prefix: str, file_bytes: int, file_seconds: float) -> None:
        """Open nothing yet; a file is finished at this size or age."""
        self._prefix, self._bytes, self._seconds = prefix, file_bytes, file_seconds
        self._held: collections.deque[LoggedRequest] = collections.deque()
        self._held_bytes = 0
        self._part: _Part | None = None
        self._number, self._lost = 0, 0
        self._code = "UNKNOWN"  # of the last failure
        self._wait, self._retry_at = 0.0, 0.0  # seconds between attempts, and the time of the next

    def hold(self, record: LoggedRequest) -> None:
        """Accept a record, to be written by the next `write`."""
        self._held.append(record)
        self._held_bytes += len(record.framed)

    def write(self, *, ending: bool = False) -> int:
        """Write held records, unless it is too soon after a failure; returns the bytes released.

        With `ending`, writing is attempted once more in any case, and remaining records are lost.
        """
        before = self._held_bytes
        if ending or time.monotonic() >= self._retry_at:
            while self._try_to_write(ending=ending):
                pass
        if ending:
            self._end()
        return before - self._held_bytes

    def next_due(self) -> float | None:
        """Returns the seconds until something is due without a new record; None if nothing is."""
        now, dues = time.monotonic(), []
        if self._held:
            dues.append(self._retry_at)
        if self._part is not None:
            dues.append(max(self._part.opened + self._seconds, self._retry_at))
        return max(0.0, min(dues) - now) if dues else None

    def _try_to_write(self, *, ending: bool) -> bool:
        """Write as much as possible; returns whether to try again at once."""
        try:
            self._write_all(ending=ending)
        except OSError as error:
            self._code = _CODES.get(error.errno or 0, "UNKNOWN")
            is_first = self._part is None or not self._part.size
            try:
                self._finish()
            except OSError as other:  # its complete records stay in place until the next attempt
                error = other
            if error.errno != errno.EFBIG:
                self._back_off(error)
                return False
            if is_first:  # it does not even fit into a file of its own
                self._count_lost([self._pop().model])
            return True
        return False

    def _write_all(self, *, ending: bool) -> None:
        self._check_still_there()
        while self._held:
            part = self._part or self._open()
            self._append(part, self._held[0])
            self._pop()
            if part.size >= self._bytes:
                self._finish()
        if self._part and (ending or time.monotonic() - self._part.opened >= self._seconds):
            self._finish()
        if self._wait:
            _log.info("Request log %s: writing works again", self._prefix)
        self._wait = self._retry_at = 0.0

    def _open(self) -> _Part:
        self._number += 1
        now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"{self._prefix}-{now}-{os.getpid()}-{self._number:05d}.tfrecord.part"
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part = _Part(path.open("wb", buffering=0), path, time.monotonic())
        return self._part

    def _pop(self) -> LoggedRequest:
        record = self._held.popleft()
        self._held_bytes -= len(record.framed)
        return record

    def _append(self, part: _Part, record: LoggedRequest) -> None:
        """Write `record`, and count it only when it is complete."""
        rest = memoryview(record.framed)
        while rest:
            rest = rest[part.sink.write(rest) :]
        part.size += len(record.framed)
        part.models[record.model] += 1

    def _finish(self) -> None:
        """Cut off an incomplete record and rename the file; remove it if it is empty."""
        part = self._part
        if part is None:
            return
        part.sink.truncate(part.size)
        if part.size:
            part.path.rename(part.path.with_suffix(""))
        else:
            part.path.unlink()
        part.sink.close()
        self._part = None
        for model, count in part.models.items():
            monitoring.REQUEST_LOG_COUNT.add(model, "OK", by=count)

    def _back_off(self, error: OSError) -> None:
        self._wait = min(2 * self._wait, _LONGEST_WAIT) or _FIRST_WAIT
        self._retry_at = time.monotonic() + self._wait
        _log.error(
            "Request log %s: %d record(s) wait to be written: %s. Retrying in %g s",
            *(self._prefix, len(self._held), error, self._wait),
        )

    def _check_still_there(self) -> None:
        """Start a new file if the one being written was moved or removed."""
        part = self._part
        if part is None:
            return
        try:
            is_there = os.path.samestat(part.path.stat(), os.fstat(part.sink.fileno()))
        except (FileNotFoundError, NotADirectoryError):
            is_there = False
        if not is_there:
            self._abandon(part, "NOT_FOUND")

    def _end(self) -> None:
        """Give up what could not be written."""
        if self._part is not None:
            self._abandon(self._part, self._code)
        self._count_lost([self._pop().model for _ in range(len(self._held))])

    def _abandon(self, part: _Part, code: str) -> None:
        self._part, self._code = None, code
        part.sink.close()
        self._count_lost(list(part.models.elements()))

    def _count_lost(self, models: list[str]) -> None:
        """Count a lost record for each of `models`; log at 1, 2, 4, 8 and so on."""
        before, self._lost = self._lost, self._lost + len(models)
        for model in models:
            monitoring.REQUEST_LOG_COUNT.add(model, self._code)
        if self._lost.bit_length() > before.bit_length():
            _log.error(
                "Request log %s: %d record(s) lost so far, the last with code %s",
                *(self._prefix, self._lost, self._code),
            )
