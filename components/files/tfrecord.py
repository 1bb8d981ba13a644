"""TFRecord files, plain or gzipped, read and written without TensorFlow.

The framing is `millrace.serving.records`', whose model server logs requests in such files.
"""

import contextlib
import functools
import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.serving.records import frame, masked_crc

_AT_ONCE = 1 << 26  # bytes
_BLOCK = 1 << 20  # bytes
FAST = 1  # zlib level: text and labels shrink, photos lose little time


def write_records(path: Path, records: Iterable[bytes], *, level: int = FAST) -> int:
    """Write `records` to `path`, gzipped where its name ends in `.gz`; returns their number.

    `level` is zlib's, 0 (stored) to 9. The gzip header carries no time: the same records
    give the same bytes.
    """
    count = 0
    with record_writer(path, level=level) as write:
        for record in records:
            write(record)
            count += 1
    return count


@contextlib.contextmanager
def record_writer(path: Path, *, level: int = FAST) -> Iterator[Callable[[bytes], None]]:
    """A function that writes one record to `path`, for writing several files at once."""
    with Path(path).open("wb") as file, _compressed(file, path, level) as sink:

        def write(record: bytes) -> None:
            sink.write(frame(record))

        yield write


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the records of `path`.

    Raises:
        DataError: it cannot be read or is not gzipped, a checksum does not hold, or the file
            ends inside a record.
    """
    try:
        with Path(path).open("rb") as file:
            yield from _records(path, _inflated(file) if str(path).endswith(".gz") else file)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a TFRecord file that can be read to its end. Received: {error}. "
            "Write the file again; GZIP needs a name ending in `.gz`."
        ) from error


def _inflated(file: BinaryIO) -> BinaryIO:
    return io.BufferedReader(gzip.GzipFile(fileobj=file), _BLOCK)  # whose own read is in Python


def _records(path: Path, source: BinaryIO) -> Iterator[bytes]:
    for number, header in enumerate(iter(lambda: source.read(12), b"")):
        length = _length(header)
        if length is None:
            raise DataError(
                f"{path}, record {number}: expected a TFRecord header. Received: other bytes "
                "or the end. Write the file again; GZIP needs a name ending in `.gz`."
            )
        body, footer = _body(source, length), source.read(4)
        if len(footer) < 4 or int.from_bytes(footer, "little") != masked_crc(body):
            raise DataError(
                f"{path}, record {number}: expected {length} bytes and their checksum. "
                f"Received: {len(body)} bytes that do not match. Write the file again."
            )
        yield body


@functools.lru_cache(1 << 14)  # records of one file are of much the same lengths
def _length(header: bytes) -> int | None:
    """What the header of a record says, None if its checksum does not hold."""
    is_whole = len(header) == 12 and header[8:] == struct.pack("<I", masked_crc(header[:8]))
    return int.from_bytes(header[:8], "little") if is_whole else None


def _body(source: BinaryIO, length: int) -> bytes:
    """The next `length` bytes, or as many as there are: a header may promise more than memory."""
    if length <= _AT_ONCE:
        return source.read(length)
    parts = [source.read(_AT_ONCE)]
    while parts[-1] and (left := length - sum(map(len, parts))):
        parts.append(source.read(min(left, _AT_ONCE)))
    return b"".join(parts)


def _compressed(file: BinaryIO, path: Path, level: int) -> BinaryIO:
    if not str(path).endswith(".gz"):
        return file
    packed = gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=file, mtime=0)
    return io.BufferedWriter(packed, _BLOCK)
