"""Connections at the REST port: without progress, and too many."""

import contextlib
import json
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.serving.conftest import until
from tests.serving.rest.conftest import PREDICT

ROOT = Path(__file__).parents[3]
STATUS = b"GET /v1/models/half HTTP/1.1\r\nHost: x\r\n"
_CLOSED = 7  # TCP_CLOSE, the first byte of tcp_info


def test_an_idle_connection_is_closed(narrow):
    begun = (b"", b"GET /v1/mod", STATUS, PREDICT + b"Content-Length: 1")
    assert [one.rest() for one in [narrow.send(raw) for raw in begun]] == [b""] * 4


def test_a_header_that_trickles_in_is_cut_off(narrow):
    assert narrow.send(STATUS).trickle(b"x") == b""


def test_a_connection_is_closed_some_time_after_its_last_response(narrow):
    answer = narrow.send(STATUS + b"\r\n").rest()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" not in answer


def test_a_response_that_is_never_read_is_dropped(narrow):
    body = json.dumps({"instances": [1.0] * 150_000}).encode()
    ask = PREDICT + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", narrow.port))
        lazy.settimeout(20)
        lazy.sendall(ask)
        assert lazy.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        with contextlib.suppress(ConnectionError):  # closed before all were sent
            for _ in range(11):
                lazy.sendall(ask)
        until(lambda: lazy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED)


def test_pipelined_requests_are_answered_in_order(rest):
    pipelined = b"".join(b"GET /v1/models/m%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(100))
    last = STATUS + b"Connection: close\r\n\r\n"
    answers = rest.send(pipelined + last).rest()
    found = [answers.find(b'any versions of model m%d"' % n) for n in range(100)]
    assert -1 not in found
    assert found == sorted(found)


def test_headers_that_are_too_large_are_refused_in_the_usual_form(rest):
    for headers in (b"A: %b\r\n" % (b"a" * 10_000), b"A: a\r\n" * 1000):
        answer = rest.send(STATUS + headers + b"\r\n").rest()
        assert answer.partition(b"\r\n")[0].endswith(b" 400 Bad Request")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"].startswith("Malformed HTTP: ")


SCRIPT = """
import logging, resource, socket, sys, time
from millrace.serving.rest.probes import Probes
from millrace.serving.rest.server import RestServer, RestSettings
from millrace.serving.security import Gate

class Ready:
    def is_ready(self):
        return True

logging.basicConfig(stream=sys.stdout, format="%(message)s")
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
limits = {"threads": 1, "queued": 1, "timeout": 1.0, "max_body_bytes": 100, "patience": 60.0}
settings = RestSettings("127.0.0.1", port, **limits)
server = RestServer(None, Probes(Ready()), settings, Gate(), str)
server.start()
callers = [socket.socket() for _ in range(60)]
resource.setrlimit(resource.RLIMIT_NOFILE, (callers[-1].fileno() + 10,) * 2)
for caller in callers:
    caller.connect(("127.0.0.1", port))
time.sleep(3)
print(len(server._loop._scheduled) < len(callers))  # not one timer for each
for caller in callers[:-1]:
    caller.close()
callers[-1].settimeout(20)
callers[-1].sendall(b"GET /v2/health/ready HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
print(callers[-1].recv(15))
server.stop()
"""


def test_running_out_of_descriptors_is_logged_once_and_clients_are_accepted_later():
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    logged, retries_do_not_multiply, answer = done.stdout.splitlines()
    assert logged == (
        "REST: socket.accept() out of system resource: [Errno 24] Too many open files. "
        "Retrying; logged once a minute"
    )
    assert retries_do_not_multiply == "True"
    assert answer == "b'HTTP/1.1 200 OK'"
    assert done.stderr == ""
