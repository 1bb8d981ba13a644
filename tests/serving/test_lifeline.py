"""Children that end with their parent, with real processes and signals."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import millrace
from millrace.serving import lifeline
from tests.command import is_alive
from tests.serving.conftest import until

ROOT = Path(__file__).parents[2]
# Sleeps for longer than `until` waits.
SLEEPER = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(300)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


def _pid(file):
    until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


@pytest.fixture
def start(tmp_path):
    """Start a command by `lifeline.start`; its output goes to a file."""
    started = []

    def run(command):
        file = tmp_path / str(len(started))
        with file.open("wb") as sink:
            started.append(lifeline.start(command, sink))
        return started[-1], file

    yield run
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize("kind", ["module", "program"])
def test_a_child_ends_when_its_parent_is_killed(tmp_path, kind):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    parent = f"""
    import sys, time
    from millrace.serving import lifeline
    commands = {{
        "module": lifeline.module("sleeper"),
        "program": lifeline.program(sys.executable, "sleeper.py"),
    }}
    with open("pid", "wb") as sink:
        child = lifeline.start(commands[{kind!r}], sink)
    time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    pid = _pid(tmp_path / "pid")
    process.kill()
    process.wait()
    until(lambda: not is_alive(pid))


def test_a_process_forked_by_the_parent_keeps_no_child_alive(tmp_path):
    parent = f"""
    import os, sys, time
    from millrace.serving import lifeline
    with open("pid", "wb") as sink:
        child = lifeline.start(lifeline.program(sys.executable, "-c", {SLEEPER!r}), sink)
    print(os.fork() or time.sleep(30), flush=True)
    time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        child, forked = _pid(tmp_path / "pid"), int(process.stdout.readline())
        process.kill()
        process.wait()
        until(lambda: not is_alive(child))
        assert is_alive(forked)
        os.kill(forked, signal.SIGKILL)


def test_a_lifeline_is_inherited_even_if_standard_input_is_closed(tmp_path):
    code = """
    import os
    os.close(0)
    from millrace.serving import lifeline
    with lifeline.inherited():
        inside = os.fstat(0)
    import stat
    print(stat.S_ISFIFO(inside.st_mode), stat.S_ISCHR(os.fstat(0).st_mode))
    """
    output = subprocess.check_output(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, text=True
    )
    assert output == "True True\n"


def test_a_module_gets_its_arguments_and_its_status_is_returned(start, tmp_path, monkeypatch):
    (tmp_path / "shown.py").write_text("import sys; print(sys.argv[1:]); sys.exit(7)")
    monkeypatch.chdir(tmp_path)
    process, file = start(lifeline.module("shown", "--port=1", "two words"))
    assert process.wait(20) == 7
    assert file.read_text() == "['--port=1', 'two words']\n"


def test_a_child_finds_millrace_as_its_parent_does_and_none_of_its_folders_by_name(
    tmp_path, monkeypatch
):
    """Else it would take the place of a person's own folder of that name."""
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "__init__.py").write_text("OWN = True")
    monkeypatch.chdir(tmp_path)
    body = "import serving, millrace; print(serving.OWN, millrace.__file__)"
    command = lifeline.program(sys.executable, "-c", body)
    done = lifeline.run(command, PYTHONPATH=str(tmp_path))
    assert (done.stdout, done.stderr) == (f"True {millrace.__file__}\n", "")


def test_a_program_gets_sigterm_and_its_status_is_returned(start):
    body = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); " + SLEEPER
    process, file = start(lifeline.program(sys.executable, "-c", body))
    pid = _pid(file)
    lifeline.end(process, 20)
    assert process.returncode == 9
    assert not is_alive(pid)


def test_a_program_that_ignores_sigterm_is_killed_with_its_guard(start):
    process, file = start(lifeline.program(sys.executable, "-c", STUBBORN))
    pid = _pid(file)
    lifeline.end(process, 0.2)
    assert process.returncode == 128 + signal.SIGKILL
    assert not is_alive(pid)


def test_a_missing_program_is_reported(start, tmp_path):
    (tmp_path / "text").write_text("no program")
    process, file = start(lifeline.program(str(tmp_path / "text")))
    assert process.wait(20) == 126
    assert file.read_text() == f"{tmp_path}/text: cannot be run: Permission denied\n"


def test_run_returns_the_output_and_ends_the_child_after_the_timeout(tmp_path):
    done = lifeline.run(lifeline.program("sh", "-c", "echo said; echo failed >&2; exit 3"))
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "failed\n")
    body = f"import os, time; open('{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        lifeline.run(lifeline.program(sys.executable, "-c", body), timeout=2)
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_children_of_a_library_inherit_a_lifeline_that_can_be_cut(tmp_path):
    command = [sys.executable, "-m", "millrace.serving.lifeline", "module", "sleeper"]
    (tmp_path / "sleeper.py").write_text("import time; time.sleep(60)")
    path = os.pathsep.join((str(ROOT), str(tmp_path)))
    before = os.fstat(0).st_ino
    with lifeline.inherited():
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
        time.sleep(0.5)
        assert child.poll() is None
        lifeline.cut()
        assert child.wait(20) == -signal.SIGTERM
    assert os.fstat(0).st_ino == before
