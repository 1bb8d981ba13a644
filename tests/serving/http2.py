"""HTTP/2 by hand, for callers that no gRPC library would be: half a request, an odd header."""

import struct

OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
PREDICT = b"/tensorflow.serving.PredictionService/Predict"


def frame(kind, flags, stream, payload):
    """An HTTP/2 frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def headers(stream=1, **more):
    """The frames that open a connection and a Predict on it, `more` headers (bytes) included."""
    fields = {
        **{b":method": b"POST", b":scheme": b"http", b":authority": b"x", b"te": b"trailers"},
        **{b":path": PREDICT, b"content-type": b"application/grpc"},
        **{name.encode(): value for name, value in more.items()},
    }
    block = b"".join(_literal(*pair) for pair in fields.items())
    return OPENING + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_HEADERS, stream, block)


def half_a_message(stream=1):
    """A DATA frame with the start of a gRPC message of a mebibyte."""
    return frame(DATA, 0, stream, struct.pack(">BI", 0, 2**20) + bytes(100))


def _literal(name, value):
    """A header in HPACK, without compression."""
    return b"\0" + b"".join(bytes([len(part)]) + part for part in (name, value))
