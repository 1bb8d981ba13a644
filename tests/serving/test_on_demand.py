"""A server that is given models while it runs."""

import os

import pytest
from etils.epath import Path

from millrace.serving import on_demand
from millrace.serving.client import Client
from millrace.serving.errors import LaunchError, NotFoundError, RpcError
from millrace.serving.on_demand import Wanted


@pytest.fixture(scope="module")
def server():
    with on_demand.start() as started:
        started.wait_until_up()
        yield started
    assert not started.is_running


def answer(server, model, **which):
    with Client(server.target) as client:
        return client.predict(model, {"x": [1.0]}, **which)["y"].tolist()


def test_models_come_one_by_one_and_each_stays(push, tmp_path, server):
    for name in ("half", "other"):
        push(tmp_path / name, 1)
        server.serve(name, Wanted(Path(tmp_path / name)))
    assert answer(server, "half") == answer(server, "other") == [2.5]


def test_an_older_version_is_asked_beside_the_newest_once_it_is_wanted(push, tmp_path, server):
    for version in (1, 2):
        push(tmp_path / "two", version)
    server.serve("two", Wanted(Path(tmp_path / "two")))
    with pytest.raises(NotFoundError):
        answer(server, "two", version=1)
    server.serve("two", Wanted(Path(tmp_path / "two"), newest=2))
    server.wait_for("two", 1)
    assert answer(server, "two", version=1) == [2.5]
    with pytest.raises(LaunchError, match="version 3 to be loaded within"):
        server.wait_for("two", 3, timeout=0.2)


def test_a_model_that_cannot_be_loaded_is_said_and_can_be_asked_for_again(push, tmp_path, server):
    index = push(tmp_path / "bad", 1) / "variables" / "variables.index"
    content = index.read_bytes()
    for _ in range(2):
        os.truncate(index, 20)
        with pytest.raises(RpcError, match="file is too short to be an sstable"):
            server.serve("bad", Wanted(Path(tmp_path / "bad")))
    index.write_bytes(content)
    server.serve("bad", Wanted(Path(tmp_path / "bad")))
    assert answer(server, "bad") == [2.5]


def test_a_server_that_ends_early_is_told_with_the_end_of_its_log(monkeypatch):
    monkeypatch.setattr(on_demand, "free_port", lambda: 1)  # the same port twice is refused
    with on_demand.start() as server, pytest.raises(LaunchError, match="Received: its end") as told:
        server.wait_until_up()
    assert "expected a port other than --port" in str(told.value)
