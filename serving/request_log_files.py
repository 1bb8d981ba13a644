"""The TFRecord files of one request log: whole by one rename, and what a disk that fails leaves.

A file is called `<prefix>-<UTC time>-<process>-<number>.tfrecord` once it is whole; while it is
written, its name ends in `.part`. Where the disk is full or the folder cannot be written, records
are held and tried again, less and less often; what was written until then becomes a whole file.
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

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds between two tries
# The codes of TensorFlow's own file system for what the system says.
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


class Record(NamedTuple):
    """A framed record, and the model that it is of."""

    model: str
    framed: bytes


@dataclasses.dataclass
class _Part:
    """A file that is being written; `size` and `models` are of its whole records."""

    sink: BinaryIO
    path: Path
    opened: float
    size: int = 0
    models: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


class Files:
    """The files of one prefix; used by one thread."""

    def __init__(self, prefix: str, file_bytes: int, file_seconds: float) -> None:
        """Open nothing yet; a file is whole at that size or age."""
        self._prefix, self._bytes, self._seconds = prefix, file_bytes, file_seconds
        self._held: collections.deque[Record] = collections.deque()
        self._held_bytes = 0
        self._part: _Part | None = None
        self._number, self._lost = 0, 0
        self._code = "UNKNOWN"  # of the last failure
        self._wait, self._again = 0.0, 0.0  # seconds, and when to try next

    def hold(self, record: Record) -> None:
        """Take a record, to be written by the next `write`."""
        self._held.append(record)
        self._held_bytes += len(record.framed)

    def write(self, *, ending: bool = False) -> int:
        """Write what is held, unless it is too soon after a failure; returns the bytes let go.

        With `ending` it is tried once more whatever happened, and what then remains is lost.
        """
        before = self._held_bytes
        if ending or time.monotonic() >= self._again:
            while self._is_to_be_tried_again(ending=ending):
                pass
        if ending:
            self._end()
        return before - self._held_bytes

    def patience(self) -> float | None:
        """Seconds until there is something to do without a new record; None for ever."""
        now, dues = time.monotonic(), []
        if self._held:
            dues.append(self._again)
        if self._part is not None:
            dues.append(max(self._part.opened + self._seconds, self._again))
        return max(0.0, min(dues) - now) if dues else None

    def _is_to_be_tried_again(self, *, ending: bool) -> bool:
        """Write what can be written; whether more can be at once."""
        try:
            self._write_all(ending=ending)
        except OSError as error:
            self._code = _CODES.get(error.errno or 0, "UNKNOWN")
            is_first = self._part is None or not self._part.size
            try:
                self._finish()
            except OSError as other:  # its whole records stay where they are until then
                error = other
            if error.errno != errno.EFBIG:
                self._back_off(error)
                return False
            if is_first:  # a file of its own has no room for it either
                self._give_up([self._let_go().model])
            return True
        return False

    def _write_all(self, *, ending: bool) -> None:
        self._forget_what_was_removed()
        while self._held:
            part = self._part or self._open()
            self._append(part, self._held[0])
            self._let_go()
            if part.size >= self._bytes:
                self._finish()
        if self._part and (ending or time.monotonic() - self._part.opened >= self._seconds):
            self._finish()
        if self._wait:
            _log.info("Request log %s: written again", self._prefix)
        self._wait = self._again = 0.0

    def _open(self) -> _Part:
        self._number += 1
        now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"{self._prefix}-{now}-{os.getpid()}-{self._number:05d}.tfrecord.part"
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part = _Part(path.open("wb", buffering=0), path, time.monotonic())
        return self._part

    def _let_go(self) -> Record:
        record = self._held.popleft()
        self._held_bytes -= len(record.framed)
        return record

    def _append(self, part: _Part, record: Record) -> None:
        """Write the whole of `record`, or nothing of it that counts."""
        rest = memoryview(record.framed)
        while rest:
            rest = rest[part.sink.write(rest) :]
        part.size += len(record.framed)
        part.models[record.model] += 1

    def _finish(self) -> None:
        """Give the file its name, without what is no whole record; an empty one goes."""
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
        self._again = time.monotonic() + self._wait
        _log.error(
            "Request log %s: %d record(s) wait to be written: %s. Trying again in %g s",
            *(self._prefix, len(self._held), error, self._wait),
        )

    def _forget_what_was_removed(self) -> None:
        """Begin anew where somebody moved or removed the file that is being written."""
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
        """Lose what could not be written."""
        if self._part is not None:
            self._abandon(self._part, self._code)
        self._give_up([self._let_go().model for _ in range(len(self._held))])

    def _abandon(self, part: _Part, code: str) -> None:
        self._part, self._code = None, code
        part.sink.close()
        self._give_up(list(part.models.elements()))

    def _give_up(self, models: list[str]) -> None:
        """Count a lost record of each of `models`, and tell at 1, 2, 4, 8 and so on."""
        before, self._lost = self._lost, self._lost + len(models)
        for model in models:
            monitoring.REQUEST_LOG_COUNT.add(model, self._code)
        if self._lost.bit_length() > before.bit_length():
            _log.error(
                "Request log %s: %d record(s) lost so far, the last as %s",
                *(self._prefix, self._lost, self._code),
            )
