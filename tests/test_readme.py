"""Every command that the README shows runs, in its order, as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from millrace.serving.launch import launch
from tests import pages
from tests.command import millrace

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()


COMMANDS = pages.commands(README)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder like a reader's, with flowers in it: the classes differ in brightness."""
    folder = tmp_path_factory.mktemp("reader")
    for name, shade in (("daisy", 220), ("tulip", 60)):
        (folder / "flowers" / name).mkdir(parents=True)
        for number in range(40):
            image = Image.new("RGB", (24, 20), (shade, number * 5, shade // 2))
            image.save(folder / "flowers" / name / f"{number}.png")
    return folder


def test_the_two_commands_are_targets_of_the_makefile():
    targets = [command for command in COMMANDS if command[0] == "make"]
    assert targets == [["make", "run"], ["make", "test"]]
    for command in targets:
        subprocess.run([*command, "--dry-run"], cwd=PROJECT, check=True, capture_output=True)


@pytest.mark.timeout(2400)
def test_every_millrace_command_runs(folder):
    commands = [command for command in COMMANDS if command[0] == "millrace"]
    assert len(commands) >= 10
    for command in commands:
        done = millrace(*command[1:], cwd=folder)
        assert done.returncode == 0, (command, done.stderr, done.stdout)


def _python(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_client_in_python_gets_an_answer(folder):
    """On the model of the reader's flowers, and on a free port."""
    root = folder / ".millrace" / "serving" / "image-classifier"
    code, _ = pages.blocks(README, "python")
    Image.new("RGB", (24, 20)).save(folder / "seven.png")
    with launch(root, "digits") as server:
        answer = _python(code.replace("127.0.0.1:8500", server.target), folder)
    assert "daisy" in answer or "tulip" in answer


def test_a_run_in_python_is_that_of_the_command(folder):
    """It is only compared with the model that was pushed in between, and pushed again."""
    _, code = pages.blocks(README, "python")
    *progress, figures, answer = _python(code, folder).splitlines()
    ran = [line.split()[1] for line in progress if line.startswith("✓")]
    assert ran == ["evaluator", "pusher"]
    assert (figures, answer) == ("1.0 True", "daisy")


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (PROJECT / target).is_file(), target
