"""Processes that join a pass: who works on which shard, and what becomes of one that fails."""

import functools
import os
import signal
import time
from pathlib import Path as LocalPath

import pytest
from etils.epath import Path

from millrace.components.beam import joining, notes
from millrace.components.errors import DataError
from millrace.serving import lifeline, warm
from tests.command import is_alive

_SECONDS = 60.0  # for a process to start on a busy machine


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    monkeypatch.setattr("millrace.serving.cores.available", lambda: 2)


@pytest.fixture
def work_through(tmp_path):
    def run(work, shards, after=0.0, forked=False):
        folder = Path(tmp_path) / "notes"
        count = notes.hand_out(folder, shards)
        joining.work_through(folder, work, count, after, forked=forked, run=_each)
        return list(notes.collect(folder, count))

    return run


def _each(work, shards):
    for shard in shards:
        work(shard)


def here(_):
    return os.getpid()


class _Meeting:
    """Work that goes on once two processes are at it."""

    def __init__(self, folder, work=here):
        self.folder, self.work = str(folder), work

    def __call__(self, shard):
        LocalPath(self.folder, str(os.getpid())).touch()
        end = time.monotonic() + _SECONDS
        while len(self.there()) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        return self.work(shard)

    def there(self):
        return {int(file.name) for file in LocalPath(self.folder).iterdir()}


def refuse(shard):
    if shard == 3:
        raise DataError("3: odd")
    return shard


def kill_any_but(process, shard):
    if os.getpid() != process:
        os.kill(os.getpid(), signal.SIGKILL)
    return shard


def fail_anywhere_but(process, shard):
    if os.getpid() != process:
        raise TypeError(shard)
    return shard


def interrupt_in(process, shard):
    if os.getpid() == process:
        raise KeyboardInterrupt
    time.sleep(_SECONDS)
    return shard


@pytest.fixture
def meeting(tmp_path):
    (tmp_path / "meeting").mkdir()
    return functools.partial(_Meeting, tmp_path / "meeting")


@pytest.mark.parametrize("after", [0.0, 0.2])
def test_a_process_for_each_other_core_joins_and_takes_shards(work_through, meeting, caplog, after):
    caplog.set_level("INFO")
    workers = work_through(meeting(), range(6), after)
    assert os.getpid() in workers
    assert len(set(workers)) == 2
    assert "in 2 processes, since it takes long; `-- --direct_num_workers=1` keeps" in caplog.text


def test_one_may_be_forked_from_a_process_that_has_its_imports(work_through, meeting, monkeypatch):
    started = []

    def start(*arguments, **more):
        started.append(arguments)
        return lifeline.start(*arguments, **more)

    monkeypatch.setattr(warm, "start", start)
    work_through(meeting(), range(3), forked=True)
    assert len(started) == 1


@pytest.mark.parametrize(("cores", "count"), [(1, 4), (2, 1)])
def test_nobody_joins_where_there_is_one_core_or_one_shard(work_through, monkeypatch, cores, count):
    monkeypatch.setattr("millrace.serving.cores.available", lambda: cores)
    monkeypatch.setattr("millrace.serving.lifeline.start", None)
    assert work_through(here, range(count)) == [os.getpid()] * count


def test_nobody_joins_a_pass_that_ends_before(work_through, monkeypatch):
    monkeypatch.setattr("millrace.serving.lifeline.start", None)
    assert work_through(here, range(4), after=_SECONDS) == [os.getpid()] * 4


def test_work_that_cannot_be_sent_is_done_here(work_through):
    assert work_through(lambda shard: (shard, os.getpid()), range(2)) == [
        (0, os.getpid()),
        (1, os.getpid()),
    ]


def test_an_error_of_the_data_is_a_note_whoever_finds_it(work_through, meeting):
    with pytest.raises(DataError, match=r"^3: odd$"):
        work_through(meeting(refuse), range(6))


@pytest.mark.parametrize("fault", [kill_any_but, fail_anywhere_but])
def test_the_shard_of_a_process_that_ends_early_is_worked_on_here(
    work_through, meeting, caplog, capfd, fault
):
    work = functools.partial(fault, os.getpid())
    assert work_through(meeting(work), range(4)) == [0, 1, 2, 3]
    code = -signal.SIGKILL if fault is kill_any_but else 1
    assert f"a process that joined ended with {code}; its work is redone" in caplog.text
    assert ("TypeError" in capfd.readouterr().err) == (fault is fail_anywhere_but)


def test_the_others_end_with_the_pass_that_is_interrupted(work_through, meeting):
    work = functools.partial(interrupt_in, os.getpid())
    with pytest.raises(KeyboardInterrupt):
        work_through(meeting(work), range(4))
    (other,) = meeting().there() - {os.getpid()}
    assert not is_alive(other)
