"""The framing of a record in a TFRecord file.

Framing (tensorflow/core/lib/io/record_writer.h): uint64 length, uint32 masked CRC-32C of
the length, the bytes, uint32 masked CRC-32C of the bytes; little-endian. The mask is
`rotate_right(crc, 15) + 0xa282ead8`.
"""

import functools
import struct

import google_crc32c


def masked_crc(data: bytes) -> int:
    """Returns the masked CRC-32C of `data`, as TFRecord stores it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(record: bytes) -> bytes:
    """Returns `record` with its header and footer."""
    return b"".join((_header(len(record)), record, struct.pack("<I", masked_crc(record))))


@functools.lru_cache(1 << 14)  # records of one file are of much the same lengths
def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + struct.pack("<I", masked_crc(packed))
