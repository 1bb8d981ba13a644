"""A live run is ended by another process, and only by a signal to whoever holds its lock."""

import os
import signal
import subprocess
import sys

import pytest

from millrace.pipeline import locks, stopping
from millrace.pipeline.errors import PipelineError, UsageError
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from tests.serving.conftest import until

RESTING = """
import pathlib, signal, sys
from millrace.pipeline.cli import stopping
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.run_request import RunRequest
from millrace.pipeline.runner import Runner
from tests.pipeline import toys
from tests.pipeline.conftest import Toy

command = sys.argv[2]
if command.startswith("millrace "):
    stopping.listen()
if command.endswith("deaf"):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
toy = Toy(pathlib.Path(sys.argv[1]))
dag = Dag("toy")
dag.step(toys.rest, examples=dag.step(toys.read, source=Source(str(toy.data))))
Runner(RunRequest(dag, "toy", command), toy.root, toy.store, toy.observer).run()
"""


@pytest.fixture
def resting(tmp_path):
    """Starts a run that rests, in a process of its own, as `command`; returns that and the id."""
    processes = []

    def start(command):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", RESTING, tmp_path, command], stderr=subprocess.DEVNULL
            )
        )
        until(lambda: list(tmp_path.glob("root/runs/*/rest.log")), seconds=60)
        (log,) = tmp_path.glob("root/runs/*/rest.log")
        return processes[-1], log.parent.name

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def seen(tmp_path):
    """The root and the store, as another process sees them."""
    root = Root(tmp_path / "root")
    return lambda: (Store.of(root, must_exist=True), root)


@pytest.mark.parametrize(
    ("command", "number", "again"),
    [
        ("millrace run toy", "SIGTERM", " It is resumed by: millrace run toy"),
        ("millrace.run('toy')", "SIGINT", ""),
    ],
)
def test_a_live_run_is_ended_and_recorded(resting, seen, command, number, again):
    process, run = resting(command)
    store, root = seen()
    assert stopping.stop(store, root, run[:-1]) == (
        f"Run {run}: killed; process {process.pid} got {number}.{again}"
    )
    assert process.wait(60) != 0
    assert store.recorded_run(run).status == "killed"
    assert store.executions(run)["rest"].status == "failed"
    with pytest.raises(UsageError, match=rf"Run {run}: .*at work\. Received: killed\."):
        stopping.stop(store, root, run)


def test_a_run_that_does_not_end_is_told(resting, seen):
    process, run = resting("millrace.run('toy') # deaf")
    store, root = seen()
    with pytest.raises(PipelineError, match=f"process {process.pid}, which got SIGINT, to end"):
        stopping.stop(store, root, run, patience=0.2)
    assert process.poll() is None
    assert store.recorded_run(run).status == "running"


def test_a_run_whose_process_dies_without_a_word_is_recorded_as_killed(resting, seen, monkeypatch):
    _, run = resting("millrace run toy")
    store, root = seen()
    kill = os.kill
    monkeypatch.setattr(stopping.os, "kill", lambda number, _: kill(number, signal.SIGKILL))
    assert stopping.stop(store, root, run).startswith(f"Run {run}: killed; ")
    assert store.recorded_run(run).status == "killed"


def test_nobody_is_signalled_who_does_not_hold_the_lock(toy, monkeypatch):
    run = toy.run().run
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE run SET status = 'running'")
    signalled = []
    monkeypatch.setattr(stopping.os, "kill", lambda *given: signalled.append(given))
    lock = toy.root.lock_of_run(run)
    with locks.lock(lock):
        lock.write_text(f"{os.getppid()} other\n")
        with pytest.raises(UsageError, match=rf"not here\. Run `millrace stop {run}` on other\."):
            stopping.stop(toy.store, toy.root, run)
        lock.write_text("")
        with pytest.raises(UsageError, match="or in the container, that it runs on"):
            stopping.stop(toy.store, toy.root, run)
    with (
        toy.root.running(run),
        pytest.raises(UsageError, match=r"Received: this process's own\. Interrupt it here\."),
    ):
        stopping.stop(toy.store, toy.root, run)
    assert signalled == []


def test_where_the_system_does_not_tell_who_holds_a_lock_a_person_is_asked_to_look(
    toy, monkeypatch
):
    run = toy.run().run
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE run SET status = 'running'")
    monkeypatch.setattr(locks, "can_tell", lambda: False)
    with toy.root.running(run), pytest.raises(UsageError, match=f"and `kill {os.getpid()}`"):
        stopping.stop(toy.store, toy.root, run)


def test_a_run_of_another_user_is_refused(toy, monkeypatch):
    run = toy.run().run
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE run SET status = 'running'")

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(locks, "is_held_by", refuse)
    with toy.root.running(run), pytest.raises(UsageError, match=r"one of another user\. Ask them"):
        stopping.stop(toy.store, toy.root, run)
