"""Bodies that are too large, too slow or incomplete, over real sockets."""

import asyncio
import contextlib
import http
import json

from millrace.serving.rest import bodies
from tests.serving.rest.conftest import PREDICT, serve_rest

# Python 3.13 has the newer name of this status.
REFUSED = f"HTTP/1.1 413 {http.HTTPStatus(413).phrase}".encode()

LIMIT = 2**20
TOO_LARGE = f"Received a body larger than max ({LIMIT} bytes)"


def outcome(answer):
    """The status line, whether the connection ends, and the text of an error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    return lines[0], b"Connection: close" in lines, json.loads(body)["error"]


def test_a_length_beyond_the_limit_is_refused_before_anything_is_read(narrow):
    for length in (LIMIT + 1, 99_999_999_999):
        answer = narrow.send(PREDICT + b"Content-Length: %d\r\n\r\n" % length).rest()
        assert outcome(answer) == (REFUSED, True, TOO_LARGE)


def test_a_client_that_expects_100_continue_is_refused_before_sending(narrow):
    head = PREDICT + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1)
    assert outcome(narrow.send(head).rest())[2] == TOO_LARGE


def test_an_endless_body_is_refused_at_the_limit(narrow):
    sent = narrow.send(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(LIMIT // 2**16 + 1):
        sent.socket.sendall(b"10000\r\n%b\r\n" % (b" " * 2**16))
    assert outcome(sent.rest())[::2] == (REFUSED, TOO_LARGE)


def test_a_body_of_exactly_the_limit_is_read(narrow):
    body = b'{"instances": [1.0]}'.ljust(LIMIT)
    assert narrow.post("half:predict", body).json == {"predictions": [2.5]}
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (LIMIT, body)
    head = PREDICT + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert narrow.send(head + chunks).rest().startswith(b"HTTP/1.1 200 OK\r\n")


TOO_SLOW = "The body arrived too slowly: less than 500 bytes per second, or nothing for 1 s"


def test_an_incomplete_body_times_out(narrow):
    answer = narrow.send(PREDICT + b'Content-Length: 20\r\n\r\n{"instances"').rest()
    assert outcome(answer) == (b"HTTP/1.1 408 Request Timeout", True, TOO_SLOW)


def test_a_body_that_trickles_in_times_out(narrow, monkeypatch):
    monkeypatch.setattr(bodies, "_SLOWEST", 1000)
    answer = narrow.send(PREDICT + b"Content-Length: 1000\r\n\r\n").trickle(b" ")
    assert outcome(answer)[::2] == (
        b"HTTP/1.1 408 Request Timeout",
        "The body arrived too slowly: less than 1000 bytes per second, or nothing for 1 s",
    )


def test_a_body_of_unknown_encoding_is_refused(narrow):
    head = PREDICT + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    at_once, later = narrow.send(head + b"no number\r\n"), narrow.send(head)
    assert later.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    later.socket.sendall(b"no number\r\n")
    status, _, text = outcome(at_once.rest())
    assert status.endswith(b" 400 Bad Request")
    assert text.startswith("Malformed HTTP: ")
    assert outcome(later.rest()) == (b"HTTP/1.1 408 Request Timeout", True, TOO_SLOW)


def test_a_stopping_server_does_not_wait_for_the_rest_of_a_body(half_plus_two, tmp_path):
    server, rest = serve_rest(half_plus_two, tmp_path)
    sent = rest.send(PREDICT + b"Expect: 100-continue\r\nContent-Length: 20\r\n\r\n")
    assert sent.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"  # it waits
    server.stop()
    status, _, text = outcome(sent.rest())
    assert (status, text) == (b"HTTP/1.1 503 Service Unavailable", "The server is shutting down")


def test_a_stopping_server_ignores_a_body_that_has_timed_out():
    async def end_in_the_iteration_of_the_timeout():
        loop, reader, events = asyncio.get_running_loop(), bodies.BodyReader(LIMIT, 1.0), []

        def end():
            reader.end()
            events.append("ended")

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01) as clock:
                reader._awaited.add(clock)
                loop.call_at(clock.when(), end)  # after the timeout, scheduled earlier
                await asyncio.sleep(5)
        return events

    assert asyncio.run(end_in_the_iteration_of_the_timeout()) == ["ended"]
