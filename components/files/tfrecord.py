"""TFRecord files, plain or gzipped, read and written without TensorFlow.

The framing is `millrace.serving.records`', whose model server logs requests in such files.
"""

import contextlib
import functools
import gzip
import io
import itertools
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.serving.records import frame, masked_crc

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 1 << 26  # bytes
_BLOCK = 1 << 20  # bytes
_FEW, _MOST = 16, 1 << 12  # records framed together: more than a few, and about a block of them
FAST = 1  # zlib level: text and labels shrink, photos lose little time


def write_records(
    path: Path, records: "Iterable[bytes] | Iterable[NDArray[np.uint8]]", *, level: int = FAST
) -> int:
    """Write `records` to `path`, gzipped where its name ends in `.gz`; returns their number.

    The gzip header carries no time: the same records give the same bytes.

    Args:
        path: of the file.
        records: one by one, or blocks [records, bytes] of records of one length.
        level: zlib's, 0 (stored) to 9.
    """
    count, left, most = 0, iter(cast("Iterable[bytes]", records)), 1
    with Path(path).open("wb") as file, _compressed(file, path, level) as sink:
        while some := list(itertools.islice(left, most)):
            if not isinstance(some[0], bytes):
                sink.write(_framed(some[0]))
                count += len(some[0])
                continue
            count, size = count + len(some), _write(sink, some)
            most = min(_BLOCK * len(some) // max(1, size) + 1, _MOST)
    return count


def _write(sink: BinaryIO, some: Sequence[bytes]) -> int:
    """Write records; returns how many bytes they are."""
    # Imported here: what is imported for a step's signature imports this module.
    import pyarrow as pa

    from millrace.components.files import arrow_examples

    size = sum(map(len, some))
    if len(some) < _FEW or size > _AT_ONCE:
        sink.writelines(map(frame, some))
    else:
        framed = arrow_examples.frames(pa.array(some, pa.binary()), some)
        sink.write(arrow_examples.flat(framed))
    return size


@contextlib.contextmanager
def record_writer(
    path: Path, *, level: int = FAST
) -> Iterator[Callable[[Sequence[bytes]], object]]:
    """A function that writes records to `path`, for writing several files at once."""
    with Path(path).open("wb") as file, _compressed(file, path, level) as sink:
        yield functools.partial(_write, sink)


def _framed(block: "NDArray[np.uint8]") -> memoryview:
    import numpy as np

    from millrace.components.files import arrow_examples

    size, whole = block.shape[1], block.tobytes()
    values = [whole[start : start + size] for start in range(0, len(whole), size)]
    framed = np.empty((len(block), 12 + size + 4), np.uint8)
    framed[:] = np.frombuffer(frame(values[0]), np.uint8)
    framed[:, 12:-4] = block
    framed[:, -4:] = arrow_examples.checksums(values).view(np.uint8).reshape(-1, 4)
    return framed.reshape(-1).data


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the records of `path`.

    Raises:
        DataError: it cannot be read or is not gzipped, a checksum does not hold, or the file
            ends inside a record.
    """
    try:
        with Path(path).open("rb") as file:
            source = (
                _inflated(file) if str(path).endswith(".gz") else io.BufferedReader(file, _BLOCK)
            )
            yield from _records(path, source)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a TFRecord file that can be read to its end. Received: {error}. "
            "Write the file again; GZIP needs a name ending in `.gz`."
        ) from error


def _inflated(file: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(gzip.GzipFile(fileobj=file), _BLOCK)  # whose own read is in Python


def _records(path: Path, source: io.BufferedReader) -> Iterator[bytes]:
    number = 0
    while data := source.peek(_BLOCK):
        # Whoever wants a few records needs neither NumPy nor Arrow.
        found, size = _parted(data) if number >= _FEW else ([], 0)
        if not found:  # one of the first, damaged, or goes on beyond what is buffered
            found, size = [_record(path, number, source)], 0
        source.read(size)
        yield from found
        number += len(found)


def _parted(data: bytes) -> tuple[list[bytes], int]:
    """The whole and sound records that `data` begins with, and how many bytes they take."""
    # Imported here: what is imported for a step's signature imports this module.
    import numpy as np

    from millrace.components.files import arrow_examples

    found, ends, start = list[bytes](), list[int](), 0
    while (length := _length(data[start : start + 12])) is not None:
        end = start + 12 + length
        if end + 4 > len(data):
            break
        found.append(data[start + 12 : end])
        ends.append(end)
        start = end + 4
    places = np.array(ends, np.int64)[:, None] + np.arange(4)
    stored = np.frombuffer(data, np.uint8)[places].view("<u4")[:, 0]
    damaged = np.flatnonzero(arrow_examples.checksums(found) != stored)
    if len(damaged):
        del found[damaged[0] :]
        start = ends[damaged[0] - 1] + 4 if damaged[0] else 0
    return found, start


def _record(path: Path, number: int, source: BinaryIO) -> bytes:
    """The next record."""
    length = _length(source.read(12))
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
    return body


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
