"""Requests that wait for a thread: how many and how long, over real sockets."""

import re

import pytest

from millrace.serving import monitoring
from tests.serving.conftest import until
from tests.serving.rest.conftest import serve_rest


def counted(status):
    """Requests to the model that ended with this status, in this process."""
    sample = f'request_count{{model_name="half",status="{status}"}} '
    found = re.search(re.escape(sample) + "([0-9]+)", monitoring.page())
    return int(found[1]) if found else 0


@pytest.fixture
def gate(tmp_path):
    """A file that says `go` at the latest when the test ends."""
    file = tmp_path / "gate"
    file.write_text("stop")
    yield file
    file.write_text("go")


def hold(rest, gate):
    """Occupy the only thread: the next request waits in the queue."""
    held = rest.send_predict({"signature_name": "wait", "inputs": str(gate)})
    rest.send_predict({"instances": [1.0]}).socket.close()  # noticed only in the queue
    return held


def held_by(rest, gate):
    before = counted("CANCELLED")
    held = hold(rest, gate)
    until(lambda: counted("CANCELLED") == before + 1)
    return held


def test_a_client_that_disconnects_leaves_the_queue_and_is_counted(narrow, gate):
    held, before, ran = held_by(narrow, gate), counted("CANCELLED"), counted("OK")
    for _ in range(3):  # one more than the queue holds
        narrow.send_predict({"instances": [1.0]}).socket.close()
        before += 1
        until(lambda: counted("CANCELLED") == before)  # noqa: B023 - called at once
    stays = narrow.send_predict({"instances": [1.0]})
    gate.write_text("go")
    assert held.rest().startswith(b"HTTP/1.1 200 OK\r\n")
    assert stays.rest().endswith(b'"predictions": [2.5\n    ]\n}')
    assert counted("OK") == ran + 2


def test_a_full_queue_refuses_with_the_text_of_the_batching_queue(narrow, gate):
    held, before = held_by(narrow, gate), counted("UNAVAILABLE")
    waiting = [narrow.send_predict({"instances": [1.0]}) for _ in range(2)]
    answers = []

    def refused():
        answers.append(narrow.send_predict({"instances": [1.0]}))
        answers[-1].socket.settimeout(0.2)
        try:
            return answers[-1].rest().startswith(b"HTTP/1.1 503 ")
        except TimeoutError:  # it was faster than one of the two, and has finished
            return False

    until(refused)
    answer = narrow.post("half:predict", {"instances": [1.0]})
    assert answer.error == (
        503,
        "The REST request queue to which this request was submitted is full; currently 2 requests "
        "enqueued and rest_api_max_queued_requests is 2",
    )
    assert counted("UNAVAILABLE") == before + 2
    assert narrow.ask("GET", "/healthz").status == 200
    assert "request_count" in narrow.ask("GET", "/monitoring/prometheus/metrics").text
    gate.write_text("go")
    for one in (held, *waiting):
        assert one.rest().startswith(b"HTTP/1.1 200 OK\r\n")


def test_time_in_the_queue_counts(half_plus_two, gate, tmp_path):
    options = {"rest_api_num_threads": 1, "rest_api_timeout_in_ms": 500}
    server, rest = serve_rest(half_plus_two, tmp_path, **options)
    before = counted("DEADLINE_EXCEEDED")
    try:
        body = {"signature_name": "wait", "inputs": str(gate)}
        answers = [one.rest() for one in [rest.send_predict(body) for _ in range(4)]]
    finally:
        server.stop()
    assert all(answer.startswith(b"HTTP/1.1 504 ") for answer in answers)
    queued = b'"error": "Run() timeout exceeded while waiting in the REST request queue"'
    assert sum(queued in answer for answer in answers) == 3  # which have not started
    assert counted("DEADLINE_EXCEEDED") == before + 4
