"""TensorBoard is opened on a run: what takes this process's place, and where it is refused."""

import builtins
import os
import sys

import pytest


@pytest.fixture
def logs(toy):
    """The folder of a run's logs."""
    (step,) = [each for each in toy.run().steps if each.step == "train"]
    made = toy.root.place / step.output / "logs"
    made.mkdir()
    return made


def test_tensorboard_takes_the_commands_place_on_loopback(toy, millrace, monkeypatch, logs):
    started = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.append((program, words)))
    code, out, err = millrace("tensorboard latest --port 0", "--root", toy.root.path)
    assert (code, out, err) == (0, f"TensorBoard on {logs}  (end it with Ctrl-C)\n", "")
    flags = ["--logdir", str(logs), "--host", "127.0.0.1", "--port", "0"]
    assert started == [(sys.executable, [sys.executable, "-m", "tensorboard.main", *flags])]


def test_where_tensorboard_is_not_installed_it_says_what_to_install(
    toy, millrace, monkeypatch, logs
):
    find = builtins.__import__

    def without(name, *arguments):
        if name == "tensorboard":
            raise ModuleNotFoundError("No module named 'tensorboard'", name=name)
        return find(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = millrace("tensorboard latest", "--root", toy.root.path)
    assert (code, err.split(".")[0]) == (
        1,
        "millrace: This needs tensorboard, which is not installed here",
    )
