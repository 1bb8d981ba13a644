"""Passes through an object store: what workers are given, what they write, what is left.

The store is fsspec's in memory, and the workers are this process with another scratch folder: what
it does as a worker it does with no path of the driver's.
"""

import contextlib
import functools
import logging
import pathlib
import socket

import fsspec
import pytest
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.beam import exchange, far_worker, pipelines
from millrace.components.beam.exchange import Exchange, Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError
from millrace.serving import remote
from millrace.serving.errors import RemoteError

URL = "memory://bucket/root/exchange/run/step"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The driver's scratch folder and data, of which no worker knows; the store is empty."""
    fsspec.filesystem("memory").store.clear()
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "scratch" / "staging").mkdir(parents=True)
    (tmp_path / "data" / "in").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def worker(folders):
    """Make what a worker process keeps, which goes with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(far_worker._Copies()))


@pytest.fixture
def far(folders, worker, monkeypatch):
    """Do a pass by workers of which the driver's folders are out of reach; what they are told."""

    def run(flags, label, work, shards):
        hidden = folders / "hidden"
        hidden.mkdir()
        for name in ("scratch", "data"):
            (folders / name).rename(hidden / name)
        monkeypatch.setenv("MILLRACE_SCRATCH", str(folders / "worker"))
        try:
            for index in shards:
                work(index)
        finally:
            monkeypatch.setenv("MILLRACE_SCRATCH", str(folders / "scratch"))
            for name in ("scratch", "data"):
                assert not (folders / name).exists()
                (hidden / name).rename(folders / name)
            hidden.rmdir()

    monkeypatch.setattr(pipelines, "run", run)
    monkeypatch.setattr(far_worker, "_copies", worker())
    out = Path(folders / "scratch" / "staging")
    options = BeamOptions(("--runner=x",), Exchange(URL, (str(folders / "data"),)))

    def passed(shards, work, reads=None):
        return list(shard_pass("Ask", shards, work, out, options, reads=reads))

    return passed


def left():
    """What lies in the store."""
    return sorted(fsspec.filesystem("memory").store)


def copied(more, names):
    """Write the files named to their targets, and more; tell what was read, and from where."""
    for source, target in names:
        pathlib.Path(target).write_bytes(pathlib.Path(source).read_bytes() + more.read_bytes())
    return [Rejected(source, f"{source} was read") for source, _ in names]


def test_a_pass_reads_the_drivers_files_and_leaves_its_own_there(folders, far):
    data, out = folders / "data", folders / "scratch" / "staging"
    (data / "a").write_bytes(b"A")
    (data / "in" / "b").write_bytes(b"B")
    (data / "more").write_bytes(b"+")
    (out / "split").mkdir()
    shards = [
        [(str(data / "a"), Path(out / "split" / "x"))],
        [(str(data / "in" / "b"), Path(out / "y"))],
    ]
    found = far(shards, functools.partial(copied, Path(data / "more")))
    assert found == [
        [Rejected(f"{data}/a", f"{data}/a was read")],
        [Rejected(f"{data}/in/b", f"{data}/in/b was read")],
    ]
    assert (out / "split" / "x").read_bytes() == b"A+"
    assert (out / "y").read_bytes() == b"B+"
    assert sorted(path.name for path in out.rglob("*")) == ["split", "x", "y"]
    assert left() == []


def seen(folder, _):
    """The files below a folder."""
    files = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_of_a_folder_workers_get_all_or_what_is_said_to_be_read_for_a_shard(folders, far):
    for name in ("a", "b", "in/c"):
        (folders / "data" / name).write_text(name)
    work = functools.partial(seen, Path(folders / "data"))
    reads = Reads(Path(folders / "data"), lambda shard: [shard, "gone"])
    assert far(["b"], work, reads) == [["b"]]
    assert far(["b"], work) == [["a", "b", "in/c"]]


def test_what_lies_in_the_folder_written_to_is_read_and_not_written_again(folders, far):
    unpacked = folders / "scratch" / "staging" / ".unpacked"
    unpacked.mkdir()
    (unpacked / "a").write_text("a")
    before = (unpacked / "a").stat().st_mtime_ns
    work = functools.partial(seen, Path(unpacked))
    assert far([1], work) == [["a"]]
    assert far([1], work, Reads(Path(unpacked), lambda _: ["a"])) == [["a"]]
    assert (unpacked / "a").stat().st_mtime_ns == before


def test_what_a_pass_writes_to_and_what_that_lies_in_is_given_to_no_worker(folders, far):
    out = folders / "scratch" / "staging"
    (out / "earlier").write_text("a")
    for folder in (out, out.parent):
        assert far([1], functools.partial(seen, Path(folder))) == [[]]


def test_a_copy_of_what_is_in_a_store_is_fetched_from_there(folders, far, monkeypatch):
    remote.write("memory://bucket/data/a", b"A")
    copy = remote.fetch("memory://bucket/data")
    (folders / "links").mkdir()
    (folders / "data" / "linked").symlink_to(copy / "a")
    given = []
    monkeypatch.setattr(remote, "upload_each", given.extend)
    assert far([1], functools.partial(seen, copy)) == [["a"]]
    assert far([1], functools.partial(seen, Path(folders / "data"))) == [["linked"]]
    assert given == []


def refuse(place, shard):
    if shard:
        raise DataError(f"{place}/a:{shard}: no number")
    return shard


def test_the_error_of_a_worker_names_the_drivers_files(folders, far):
    work = functools.partial(refuse, str(folders / "data"))
    with pytest.raises(DataError) as caught:
        far([0, 2, 1], work)
    assert str(caught.value) == f"{folders}/data/a:2: no number"
    assert left() == []


def test_a_worker_that_cannot_reach_the_store_says_which_it_is(folders, worker, monkeypatch):
    monkeypatch.setattr(far_worker, "_copies", worker())
    monkeypatch.setattr(socket, "gethostname", lambda: "far")
    with pytest.raises(RemoteError, match=rf"^On worker far: {URL}/pass/given/code\.zip: expected"):
        far_worker.work_on(f"{URL}/pass", 0)


def fail(_):
    raise RuntimeError("a bug")


def test_a_pass_that_fails_leaves_nothing(folders, far):
    with pytest.raises(RuntimeError, match="a bug"):
        far([1], fail)
    assert left() == []
    assert list((folders / "scratch" / "staging").iterdir()) == []
    assert not list((folders / "worker").glob("workers/*/*/out/*"))


def test_of_two_tries_at_a_shard_one_counts(folders, far, monkeypatch):
    run = pipelines.run
    monkeypatch.setattr(
        pipelines, "run", lambda flags, label, work, shards: run(flags, label, work, [0, 0])
    )
    tries = iter("12")

    def work(target):
        name = next(tries)
        pathlib.Path(target + name).touch()
        return name

    monkeypatch.setattr(far_worker.Places, "loads", _keeping(work))
    out = folders / "scratch" / "staging"
    assert far([str(out / "x")], work) == ["2"]
    assert [file.name for file in out.iterdir()] == ["x2"]


def _keeping(work):
    """`loads`, but for the work, which is to be this one."""
    loads = exchange.Places.loads

    def read(places, content):
        found = loads(places, content)
        return work if callable(found) else found

    return read


def test_that_the_store_keeps_what_was_exchanged_fails_no_pass(folders, far, monkeypatch, caplog):
    def refuse_to_remove(place):
        raise RemoteError(f"{place}: not allowed.")

    monkeypatch.setattr(remote, "remove", refuse_to_remove)
    with caplog.at_level(logging.WARNING):
        assert far([3], str) == ["3"]
    (said,) = caplog.messages
    assert said.startswith(f"what the pass exchanged stays until the next run: {URL}/")


def test_a_worker_keeps_copies_for_a_run_and_not_for_another_that_has_long_ended(
    worker, monkeypatch
):
    copies = worker()
    with copies.used("memory://b/exchange/one/step/pass") as one:
        one.mkdir(parents=True)
    with copies.used("memory://b/exchange/one/other/pass") as again:
        assert again == one
    monkeypatch.setattr(far_worker, "_IDLE", 0.0)
    with copies.used("memory://b/exchange/two/step/pass") as two:
        assert two.parent == one.parent
        assert not one.exists()


def test_a_worker_removes_what_one_that_was_killed_has_left(worker):
    above = remote.scratch() / "workers"
    (above / "dead").mkdir(parents=True)
    (above / "dead" / "lock").touch()
    (above / "dead" / "copy").touch()
    every = [worker(), worker()]
    for copies in every:
        with copies.used("memory://b/exchange/one/step/pass"):
            pass
    assert sorted(above.iterdir()) == sorted(copies._folder for copies in every)
