"""Pieces of work shared by processes: each is done, whatever becomes of a process."""

import functools
import os
import signal
import time
from pathlib import Path

import pytest

from millrace.components.beam import processes
from millrace.serving import cores


def note(number, folder):
    """Note who did what; the third piece takes until another process has done one."""
    if number == 2:
        until(lambda: len(list(folder.iterdir())) > 2)
    (folder / f"{number}-{os.getpid()}").touch()


def die_elsewhere(number, folder, parent):
    """End any other process; the first one goes on only when that has happened."""
    if os.getpid() != parent:
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number > 1:
        until((folder / "died").exists)
    (folder / f"{number}-{parent}").touch()


def until(holds):
    while not holds():
        time.sleep(0.01)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "available", lambda: 2)
    done, shared = tmp_path / "done", tmp_path / "shared"
    done.mkdir()
    shared.mkdir()
    return done, shared


def _done(folder):
    """Which pieces were done, and by how many processes."""
    pieces = [file.name.split("-") for file in folder.iterdir() if "-" in file.name]
    return sorted(int(number) for number, _ in pieces), len({pid for _, pid in pieces})


@pytest.mark.parametrize("worth", [0.0, 1e-9])
def test_another_process_takes_pieces_where_it_takes_long(worth, folders):
    done, shared = folders
    processes.run(functools.partial(note, folder=done), 20, shared, worth)
    assert _done(done) == (list(range(20)), 2)


def test_by_the_first_piece_alone_none_is_started(folders):
    done, shared = folders
    processes.run(functools.partial(note, folder=done), 2, shared, 1e-9)
    assert _done(done) == ([0, 1], 1)
    assert not (shared / "work").exists()


def test_short_work_is_done_here(folders):
    done, shared = folders
    (done / "0").touch()
    processes.run(functools.partial(note, folder=done), 20, shared)
    assert _done(done) == (list(range(20)), 1)


def test_what_a_process_that_died_had_taken_is_done_here(folders):
    done, shared = folders
    work = functools.partial(die_elsewhere, folder=done, parent=os.getpid())
    processes.run(work, 5, shared, 0.0)
    assert _done(done) == ([0, 1, 2, 3, 4], 1)


def test_what_cannot_be_sent_is_done_here(folders):
    done, shared = folders
    (done / "0").touch()
    processes.run(lambda number: note(number, done), 3, shared, 0.0)
    assert _done(done) == ([0, 1, 2], 1)
    assert processes.main([str(_script_function(shared)), "3"]) == 1


def _script_function(folder):
    """A folder with work that only another process's script knows."""
    (folder / "work").write_bytes(
        processes.pickle.dumps(([*processes.sys.path], b"c__main__\nnowhere\n."))
    )
    return Path(folder)


def test_an_error_ends_the_other_processes(folders):
    done, shared = folders

    with pytest.raises(ZeroDivisionError):
        processes.run(functools.partial(fail_here, folder=done, parent=os.getpid()), 5, shared, 0.0)
    (file,) = done.glob("asleep-*")
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.name.partition("-")[2]), 0)


def fail_here(number, folder, parent):
    if os.getpid() != parent:
        (folder / f"asleep-{os.getpid()}").touch()
        time.sleep(300)
    if number > 1:
        until(lambda: list(folder.glob("asleep-*")))
        raise ZeroDivisionError(number)
