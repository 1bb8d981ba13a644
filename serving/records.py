"""The framing of a record in a TFRecord file.

Framing (tensorflow/core/lib/io/record_writer.h): uint64 length, uint32 masked CRC-32C of
the length, the bytes, uint32 masked CRC-32C of the bytes; little-endian. The mask is
`rotate_right(crc, 15) + 0xa282ead8`.
"""

import struct

import google_crc32c


def masked_crc(data: bytes) -> int:
    """Returns the masked CRC-32C of `data`, as TFRecord stores it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(record: bytes) -> bytes:
    """Returns `record` with its header and footer."""
    length = struct.pack("<Q", len(record))
    return b"".join(
        (
            length,
            struct.pack("<I", masked_crc(length)),
            record,
            struct.pack("<I", masked_crc(record)),
        )
    )
