"""The model server under callers who send too much or too slowly: the short form."""

import os

import pytest

from benchmarks.servers import Process
from millrace.serving import pool
from tests.faults import server
from tests.serving import conftest

half_plus_two, push, serve = conftest.half_plus_two, conftest.push, conftest.serve


@pytest.fixture
def target(serve, push, tmp_path):
    """A server in this process that takes little at once."""
    push(tmp_path / "half", 1)
    rest_port = conftest.free_port()
    address = serve(tmp_path / "half", rest_api_port=rest_port, **server.limits())
    process = Process(os.getpid())
    return server.Target(address, f"http://127.0.0.1:{rest_port}", process, os.getpid())


def test_ten_times_what_it_takes_is_refused_and_the_rest_is_answered(target):
    assert "gRPC" in server.overload(target, 0.5)


def test_callers_who_say_half_of_it_keep_out_nobody(target, monkeypatch):
    monkeypatch.setattr(pool, "_PATIENCE", 0.1)
    assert server.slow(target, 0.0) == "40 such callers, 20 others answered beside them"
