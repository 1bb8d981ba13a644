"""Commands that a signal ends: what they say and leave, and that no process outlives them."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from tests.command import children, is_alive, millrace, started
from tests.serving.conftest import until

ROOT = Path(__file__).parents[3]
CODES = {"SIGHUP": 129, "SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A root with the pushed model `double` and nothing else."""
    root = tmp_path_factory.mktemp("served") / "root"
    module = tf.Module()
    spec = [tf.TensorSpec([None], tf.float32, "x")]
    module.f = tf.function(lambda x: {"prediction": 2.0 * x}, input_signature=spec)
    tf.saved_model.save(module, str(root / "serving" / "double" / "1"), module.f)
    return root


def _port(command):
    found = re.search(r"--port=(\d+)", command)
    assert found, command
    return int(found[1])


def _is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_no_signal_to_predict_leaves_its_server_behind(served):
    # They wait for rows, each with its server up.
    asking = {name: started("predict", "double", "--csv", "-", "--root", served) for name in CODES}
    for process in asking.values():
        until(lambda one=process: children(one.pid), seconds=120)
    servers = {name: children(process.pid) for name, process in asking.items()}
    ports = {name: _port("".join(found.values())) for name, found in servers.items()}
    until(lambda: all(map(_is_listening, ports.values())), seconds=180)
    for name, process in asking.items():
        process.send_signal(getattr(signal, name))
    for name, process in asking.items():
        told, _ = process.communicate(timeout=60)
        assert process.returncode == CODES[name]
        assert told == ("" if name == "SIGKILL" else f"millrace: {name}: stopping\n")
        until(lambda pids=servers[name]: not any(map(is_alive, pids)), seconds=60)
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", ports[name]))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("SIGINT", "Interrupted."),
        ("SIGTERM", "Stopped by SIGTERM."),
        ("SIGHUP", "Stopped by SIGHUP."),
    ],
)
def test_a_stopped_run_is_recorded_and_leaves_nothing_in_hand(tmp_path, name, told):
    root = tmp_path / "root"
    process = started("run", "digits", "--root", root)
    until(lambda: list(root.glob("runs/*/image_example_gen.log")), seconds=120)
    process.send_signal(getattr(signal, name))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == CODES[name]
    assert f"millrace: {name}: stopping\n" in said
    assert f"\n{told}\nresume  millrace run digits --root {root}\n" in said
    assert "killed" in millrace("runs", "--root", root).stdout
    assert list(root.glob("staging/*")) == []
    for lock in [*root.glob("runs/*/lock"), *root.glob("resume/.*.lock")]:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("fault", ["saved_model.pb", "variables/variables.index"])
def test_predict_says_at_once_why_a_pushed_model_cannot_be_served(tmp_path, served, fault):
    root = tmp_path / "root"
    version = root / "serving" / "double" / "1"
    subprocess.run(["cp", "-R", served, root], check=True)
    (version / fault).unlink()
    os.mkfifo(version / fault)
    done = millrace("predict", "double", "x=1", "--root", root, timeout=100)  # its wait is 120 s
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"millrace: {root}/serving/double: expected a newest version that a model server can load. "
        "Received: 1 servable(s) did not become available: {{{name: double version: 1} due to "
        f"error: {version}: expected a SavedModel with tags {{serve}}. Received: {version}/{fault} "
        "is a pipe, not a file. Export the model again, or use its own tags.}}\n"
        "Go back to the version before it with `millrace rollback double`, or push it again: "
        "`millrace run … --force pusher`.\n"
    )


DEAF = """
import pathlib, sys, time
from millrace.pipeline.cli import stopping
stopping._PATIENCE = 1.5
stopping.listen()
pathlib.Path(sys.argv[1]).touch()
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""


def _deaf(tmp_path, **more):
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF, tmp_path / "up"], stderr=subprocess.PIPE, text=True, **more
    )
    until((tmp_path / "up").exists)
    return process


def test_a_command_that_does_not_end_is_killed_after_a_while(tmp_path):
    process = _deaf(tmp_path)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert told == (
        "millrace: SIGTERM: stopping\n"
        "millrace: not ended in 1.5 s: killed; the next run clears up\n"
    )


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    process = _deaf(tmp_path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "SIGHUP" not in told


FORKING = """
import os, signal, sys, time
from millrace.pipeline.cli import stopping
stopping.listen()
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(0)
os.kill(child, signal.SIGTERM)
_, status = os.waitpid(child, 0)
time.sleep(1.5)
print(os.WTERMSIG(status), stopping.asked(), flush=True)
"""


def test_a_process_that_a_step_has_forked_is_no_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKING], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "15 None\n")
    assert "millrace:" not in done.stderr


MASKED = """
import os, signal
from millrace.pipeline.cli import stopping
stopping.listen()
stopping.listen()  # as a program does that calls the command's `main` twice
for blocked in ([], [signal.SIGTERM]):
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    if not os.fork():
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []) == set(blocked), flush=True)
        os._exit(0)
    os.wait()
    print(signal.pthread_sigmask(signal.SIG_BLOCK, []) == set(blocked), flush=True)
"""


def test_a_fork_leaves_the_signals_blocked_that_were():
    told = subprocess.check_output([sys.executable, "-c", MASKED], cwd=ROOT, text=True)
    assert told == "True\n" * 4


@pytest.mark.parametrize(("imported", "is_frozen"), [("", "True\n"), ("import mine", "False\n")])
def test_a_command_ends_quickly_unless_it_holds_a_persons_own_modules(
    tmp_path, imported, is_frozen
):
    (tmp_path / "mine.py").write_text("log = open('log', 'w')")
    code = f"""
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 0))
from millrace.pipeline.cli import stopping
stopping.end_quickly()
{imported}
"""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert done.stdout == is_frozen
