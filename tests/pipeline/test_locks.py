"""Who holds a lock is told by the kernel, whatever the file says."""

import contextlib
import fcntl
import os
import pathlib
import socket
import subprocess
import sys
import types

from millrace.pipeline import locks

HOLDER = (
    "import sys; from millrace.pipeline import locks\n"
    "with locks.lock(sys.argv[1], wait=True, shared=sys.argv[2] == 'shared'):\n"
    "    locks.sign(sys.argv[1], shared=sys.argv[2] == 'shared'); print('held', flush=True)\n"
    "    input()"
)


@contextlib.contextmanager
def holder(path, how="alone"):
    """Another process that holds the lock `path`; its number."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    try:
        yield process.pid
    finally:
        process.communicate("\n")


def test_the_process_that_has_locked_and_signed_a_file_is_known_as_its_holder(tmp_path):
    path = tmp_path / "lock"
    path.write_text("1 elsewhere\n")  # whoever had it before
    with holder(path) as process:
        assert locks.signed(path) == [(process, socket.gethostname())]
        assert locks.is_held_by(process, path)
        assert not locks.is_held_by(os.getpid(), path)
    assert not locks.is_held_by(process, path)
    assert locks.signed(tmp_path / "absent") == []


def test_who_has_the_file_open_or_another_one_locked_is_no_holder(tmp_path):
    path, other = tmp_path / "lock", tmp_path / "other"
    path.touch()
    with path.open(), locks.lock(other) as taken:
        assert taken
        assert not locks.is_held_by(os.getpid(), path)
        assert locks.is_held_by(os.getpid(), other)


def test_several_who_share_a_lock_sign_it_beside_one_another(tmp_path):
    path = tmp_path / "lock"
    with holder(path, "shared") as first, holder(path, "shared") as second:
        assert [number for number, _ in locks.signed(path)] == [first, second]
        assert locks.is_held_by(first, path)
        assert locks.is_held_by(second, path)


def test_a_lock_file_removed_between_opening_and_locking_is_opened_again(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    once = iter([True])

    def flock(descriptor, how):
        if next(once, False):  # its last holder removes it just now
            path.unlink()
        return fcntl.flock(descriptor, how)

    names = ("LOCK_EX", "LOCK_NB", "LOCK_UN")
    fake = types.SimpleNamespace(flock=flock, **{name: getattr(fcntl, name) for name in names})
    monkeypatch.setattr("millrace.pipeline.locks.fcntl", fake)
    with locks.lock(path) as taken, locks.lock(path) as second:
        assert taken
        assert not second


def test_a_lock_that_is_given_back_is_free_though_a_process_forked_meanwhile_has_it_open(tmp_path):
    path = tmp_path / "lock"
    with locks.lock(path):
        child = subprocess.Popen(["sleep", "60"], pass_fds=_open_at(path))
    try:
        with locks.lock(path) as taken:
            assert taken
    finally:
        child.kill()
        child.wait()


def _open_at(path):
    """The descriptors of this process by which it has `path` open."""
    at = pathlib.Path("/proc/self/fd")
    return [int(one.name) for one in at.iterdir() if one.exists() and one.samefile(path)]
