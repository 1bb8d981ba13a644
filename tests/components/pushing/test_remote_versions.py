"""Versions in an object store appear whole, each under a number of its own, and go the same way."""

import json
import os
import socket
import threading

import pytest
from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.components.pusher import rollback
from millrace.components.pushing import remote_versions
from millrace.components.pushing.remote_versions import RemoteVersions
from millrace.serving import remote


@pytest.fixture
def model(tmp_path):
    """A function that writes a SavedModel's folder whose graph is `content`."""

    def write(content):
        folder = tmp_path / f"model-{content}"
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text(content)
        (folder / "variables" / "variables.index").write_text("index")
        return Path(folder)

    return write


@pytest.fixture
def pushed(bucket):
    return RemoteVersions(f"{bucket}/serving", "digits")


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_000

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(remote_versions, "time", clock)
    return clock


def names(versions):
    return set(remote.files(versions.folder))


def test_an_equal_model_is_pushed_once_and_another_gets_a_higher_number(pushed, model, clock):
    one = model("one")
    folder, is_new = pushed.push(one)
    assert (remote.url(folder), is_new) == (remote.url(pushed.folder / "1000"), True)
    assert pushed.push(one) == (folder, False)
    assert pushed.push(model("two")) == (pushed.folder / "1001", True)
    assert names(pushed) == {
        f"{version}/{name}"
        for version in (1000, 1001)
        for name in ("saved_model.pb", "variables/variables.index")
    }


def test_pushes_at_once_get_numbers_of_their_own(pushed, model, clock):
    models, start, folders = [model(f"m{n}") for n in range(4)], threading.Barrier(4), []

    def push(source):
        start.wait(60)
        folders.append(pushed.push(source)[0])

    threads = [threading.Thread(target=push, args=[source]) for source in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = {remote.fetch(folder / "saved_model.pb").read_text() for folder in folders}
    assert contents == {"m0", "m1", "m2", "m3"}
    assert len(pushed.all()) == 4
    assert not remote.files(pushed.folder / ".claims")


def test_a_number_that_another_push_has_just_filled_is_passed_over(pushed, model, clock):
    remote.write(pushed.folder / "1000" / "variables" / "x", b"")
    assert pushed.push(model("one"))[0].name == "1001"


def test_a_push_that_fails_leaves_nothing(pushed, model, monkeypatch):
    def failing(folder, place, **_):
        remote.write(place / "variables" / "x", b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(remote, "upload", failing)
    with pytest.raises(KeyboardInterrupt):
        pushed.push(model("one"))
    assert names(pushed) == set()


def test_what_dead_pushes_left_is_swept_and_what_others_do_is_not(pushed, model):
    folder, _ = pushed.push(model("one"))
    here = {"host": socket.gethostname(), "second": 0}
    owners = {
        "7": {**here, "process": 2**22 + 1},  # no process has this number
        "8": {**here, "process": os.getpid()},
        folder.name: {**here, "process": 2**22 + 1},  # it came to its end but for the claim
    }
    for version, owner in owners.items():
        remote.write(pushed.folder / ".claims" / version, json.dumps(owner).encode())
    for version in ("7", "8"):
        remote.write(pushed.folder / version / "variables" / "x", b"")
    assert pushed.sweep() == ["7"]
    assert {name.partition("/")[0] for name in names(pushed)} == {".claims", "8", folder.name}
    assert set(remote.files(pushed.folder / ".claims")) == {"8"}


def test_a_rollback_withdraws_the_newest_and_its_number_is_not_given_again(
    pushed, model, bucket, clock
):
    pushed.push(model("one"))
    pushed.push(model("two"))
    assert rollback(f"{bucket}/serving", "digits") == (1001, 1000)
    assert list(pushed.all()) == [1000]
    assert remote.fetch(pushed.withdrawn / "1001" / "saved_model.pb").read_text() == "two"
    assert pushed.push(model("three"))[0].name == "1002"
    with pytest.raises(DataError, match=r"serving/none: expected two versions or more"):
        rollback(f"{bucket}/serving", "none")


def test_old_versions_go(pushed, model, clock):
    for name in ("one", "two", "three"):
        pushed.push(model(name))
    pushed.withdraw()
    assert pushed.prune(keep=1) == [1000]
    assert {name.rpartition("/saved_model.pb")[0] for name in names(pushed)} - {""} == {
        *("1001", ".withdrawn/1002")
    }


def test_a_root_that_nothing_here_can_open_is_refused():
    with pytest.raises(OptionError, match=r"^pusher: expected a path or an object store"):
        RemoteVersions("gs://b/serving", "digits")
