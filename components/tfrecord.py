"""TFRecord files, plain or gzipped, read and written without TensorFlow.

The framing is `serving.records`', whose model server logs requests in such files.
"""

import contextlib
import gzip
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from etils.epath import Path

from components.errors import DataError
from serving.records import frame, masked_crc

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
        DataError: a checksum does not hold, or the file ends inside a record.
    """
    with Path(path).open("rb") as file:
        source = gzip.GzipFile(fileobj=file) if str(path).endswith(".gz") else file
        for number, header in enumerate(iter(lambda: source.read(12), b"")):
            length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else 0
            if len(header) < 12 or struct.unpack("<I", header[8:])[0] != masked_crc(header[:8]):
                raise DataError(
                    f"{path}, record {number}: expected a TFRecord header. Received: other bytes "
                    "or the end. Write the file again; GZIP needs a name ending in `.gz`."
                )
            body, footer = source.read(length), source.read(4)
            if len(footer) < 4 or struct.unpack("<I", footer)[0] != masked_crc(body):
                raise DataError(
                    f"{path}, record {number}: expected {length} bytes and their checksum. "
                    f"Received: {len(body)} bytes that do not match. Write the file again."
                )
            yield body


def _compressed(file: BinaryIO, path: Path, level: int) -> BinaryIO:
    if not str(path).endswith(".gz"):
        return file
    return gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=file, mtime=0)  # type: ignore[return-value]
