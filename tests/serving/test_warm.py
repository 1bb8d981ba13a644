"""Processes forked from a warm one, with real processes and signals."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from millrace.serving import lifeline, warm
from millrace.serving.client import Client
from millrace.serving.launch import launch
from tests.command import is_alive
from tests.serving.conftest import until
from tests.serving.test_lifeline import ROOT, _pid

ACTS = """
import os, signal, sys, time
import numpy as np

print("imported")


def main():
    globals()[sys.argv[1]]()
    if __name__ == "acts":  # as in a fork
        sys.exit(7)


def tell():
    print(sys.argv, os.environ.get("GIVEN"), os.environ.get("EARLIER"), os.getcwd())
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, flush=True)
    print(signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, []))
    print(sorted(map(int, os.listdir("/proc/self/fd"))), file=sys.stderr)


def draw():
    print(np.random.random())


def fail():
    raise ValueError("no")


def sleep():
    print(os.getpid(), flush=True)
    time.sleep(300)


if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def warm_process(tmp_path_factory):
    """A process that has imported `acts`."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "acts.py").write_text(ACTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        warm.begin(["acts"])
    yield warm._begun[0]
    warm.end()


@pytest.fixture
def start(tmp_path):
    """Start a command by `warm.start`; its output goes to a file."""

    def run(command, **more):
        file = tmp_path / "output"
        with file.open("wb") as sink:
            return warm.start(command, sink, **more), file

    return run


@pytest.fixture
def act(start, warm_process, monkeypatch):
    """Let a fork of `warm_process` run one of the functions in `acts`."""
    monkeypatch.setattr(warm, "_begun", [warm_process])
    return lambda *arguments, **more: start(lifeline.module("acts", *arguments), **more)


def test_a_fork_has_what_a_new_process_would_have(act, tmp_path, monkeypatch):
    monkeypatch.setenv("EARLIER", "set after the process was begun")
    monkeypatch.chdir(tmp_path)
    process, file = act("tell", "--port=1", "two words", GIVEN="\udcff é")
    assert isinstance(process, warm.Forked)
    with process:
        assert process.wait(20) == 7
    assert (process.poll(), process.returncode) == (7, 7)
    assert sorted(file.read_text(errors="surrogateescape").splitlines()) == [
        f"{signal.SIG_DFL} set()",
        "True",
        "['acts', 'tell', '--port=1', 'two words'] \udcff é set after the process was begun "
        f"{tmp_path}",
        "[0, 1, 2, 3]",  # the last of them lists the folder
    ]


def test_two_forks_draw_other_random_numbers(act):
    drawn = []
    for _ in range(2):
        process, file = act("draw")
        with process:
            assert process.wait(20) == 7
        drawn.append(float(file.read_text()))
    assert drawn[0] != drawn[1]


def test_an_error_ends_a_fork_with_its_traceback_and_status_1(act):
    process, file = act("fail")
    with process:
        assert process.wait(20) == 1
    assert file.read_text().startswith("Traceback")
    assert file.read_text().endswith("ValueError: no\n")


@pytest.mark.parametrize("way", ["terminate", "kill"])
def test_a_fork_is_ended_by_a_signal(act, way):
    process, file = act("sleep")
    assert _pid(file) == process.pid
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired, match=r"after 0\.1 seconds"):
        process.wait(0.1)
    getattr(process, way)()
    assert process.wait(20) == {"terminate": -signal.SIGTERM, "kill": -signal.SIGKILL}[way]
    assert not is_alive(process.pid)
    getattr(process, way)()  # does nothing


def test_a_fork_ends_with_its_block(act):
    process, file = act("sleep")
    with process:
        _pid(file)
    assert process.returncode == -signal.SIGTERM
    assert not is_alive(process.pid)


def test_another_module_or_program_is_started_anew(act, start, tmp_path, monkeypatch):
    (tmp_path / "other.py").write_text("print('other')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for command in (lifeline.module("other"), lifeline.program("echo", "other")):
        process, file = start(command)
        assert isinstance(process, subprocess.Popen)
        with process:
            assert process.wait(20) == 0
        assert file.read_text() == "other\n"


def test_forks_and_the_process_that_forked_them_end_when_their_caller_is_killed(tmp_path):
    (tmp_path / "acts.py").write_text(ACTS)
    parent = """
    import time
    from millrace.serving import lifeline, warm
    warm.begin(["acts"])
    print(warm._begun[0]._process.pid, flush=True)
    with open("pid", "wb") as sink:
        child = warm.start(lifeline.module("acts", "sleep"), sink)
    time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        pids = [int(process.stdout.readline()), _pid(tmp_path / "pid")]
        process.kill()
    for pid in pids:
        until(lambda pid=pid: not is_alive(pid))


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module, and begin a process that imports it."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(warm, "_begun", [])

    def write(name, body):
        (tmp_path / f"{name}.py").write_text(body)
        warm.begin([name])
        return lifeline.module(name)

    yield write
    warm.end()


def test_a_fork_lives_on_after_the_process_that_forked_it_until_its_block_ends(module, start):
    process, file = start([*module("acts", ACTS), "sleep"])
    _pid(file)
    warm.end()
    assert is_alive(process.pid)
    with process:
        pass
    assert process.returncode == -signal.SIGKILL
    until(lambda: not is_alive(process.pid))


def test_what_cannot_be_imported_is_left_to_a_new_process_that_says_why(module, start):
    process, file = start(module("broken", "import nothing_of_this_name"))
    assert isinstance(process, subprocess.Popen)
    with process:
        assert process.wait(20) == 1
    assert "No module named 'nothing_of_this_name'" in file.read_text()


def test_nothing_is_forked_on_other_systems_than_linux(module, start, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    process, file = start([*module("acts", ACTS), "draw"])
    assert isinstance(process, subprocess.Popen)
    with process:
        assert process.wait(20) == 0
    assert file.read_text().startswith("imported\n0.")


def test_a_forked_server_answers_and_stops_as_one_of_its_own(push, tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "_begun", [])
    push(tmp_path / "half", 1)
    warm.begin(["millrace.serving.server", "millrace.serving.model"])
    try:
        for _ in range(2):
            with launch(tmp_path / "half", "half", log=tmp_path / "server.log") as launched:
                assert isinstance(launched.process, warm.Forked)
                with Client(launched.target) as client:
                    assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
            assert launched.process.returncode == 0
            assert "draining" in (tmp_path / "server.log").read_text()
    finally:
        warm.end()
