"""Two ranks on loopback: the real commands, one rank killed, and the curve of a single process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from millrace.components.artifacts import Analysis, Examples
from millrace.components.models.layer_options import Dense
from millrace.components.trainer import trainer
from millrace.components.training.options import Optimizer
from tests.command import children, millrace, started
from tests.serving.conftest import free_port

EPOCHS = 200
SETTINGS = (
    "--set",
    "trainer.strategy=multi_worker",
    "--set",
    "trainer.batch_size=4",  # two steps, of four and of two
    "--set",
    f"trainer.epochs={EPOCHS}",
)
PATIENCE = 240  # seconds


def tf_config(ports, index):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def epochs_done(root):
    """Of the training that goes on."""
    states = list((root / "resume").glob("*/state.json"))
    return json.loads(states[0].read_text())["epochs"] if states else 0


def history(trained):
    return np.loadtxt(trained / "history.csv", delimiter=",", skiprows=1)


def one_process(root, folder):
    """Where a single process trained on what the ranks were given."""
    [examples], [analysis] = (
        list((root / "artifacts" / step).iterdir()) for step in ("transform", "analyze")
    )
    out, resume = folder / "single", folder / "single.resume"
    out.mkdir()
    resume.mkdir()
    trainer(
        Examples(examples),
        Analysis(analysis),
        None,
        out,
        resume,
        model=Dense(units=()),
        optimizer=Optimizer("sgd"),
        learning_rate=0.01,
        batch_size=4,
        epochs=EPOCHS,
    )
    return out


def newest_log(root):
    return max((root / "runs").iterdir()) / "trainer.log"


@pytest.fixture
def other_rank(tmp_path):
    """Ranks that take part in trainings on these ports until the test ends; where they run."""
    processes = []
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def start(ports, index):
        environment = {**os.environ, "TF_CONFIG": tf_config(ports, index)}
        command = [sys.executable, "-m", "millrace.components.training.ranks"]
        with (tmp_path / "rank.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        processes.append(process)
        return process, folder

    yield start
    for process in processes:
        process.terminate()
        process.wait()


def test_two_ranks_of_which_one_is_killed_train_what_one_process_trains(tmp_path, other_rank):
    root, ports = tmp_path / "root", (free_port(), free_port())
    command = ("run", "line-fit", "--root", str(root), *SETTINGS)
    rank, folder = other_rank(ports, 1)
    environment = {**os.environ, "TF_CONFIG": tf_config(ports, 0)}
    first = started(*command, env=environment)
    wait_until(lambda: epochs_done(root) >= 2)
    [process] = children(rank.pid)
    os.kill(process, signal.SIGKILL)
    said, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 1
    assert "expected every rank to stay until the end" in said
    assert 2 <= epochs_done(root) < EPOCHS

    done = millrace(*command, "--only", "trainer", "--json", TF_CONFIG=tf_config(ports, 0))
    assert done.returncode == 0, done.stderr[-4000:]
    assert "resuming after epoch" in newest_log(root).read_text()
    assert list(folder.iterdir()) == []
    [told] = [step for step in json.loads(done.stdout)["steps"] if step["step"] == "trainer"]
    found = history(Path(told["output"]))
    assert len(found) == EPOCHS
    np.testing.assert_allclose(found, history(one_process(root, tmp_path)), rtol=1e-5)
