"""Every command that the README shows runs, in its order, as it stands there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from serving.launch import launch
from tests.command import millrace

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [
    shlex.split(line.removeprefix("$ "), comments=True)
    for block in _blocks("console")
    for line in block.splitlines()
    if line.startswith("$ ")
]


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


@pytest.mark.timeout(900)
def test_every_millrace_command_runs(folder):
    commands = [command for command in COMMANDS if command[0] == "millrace"]
    assert len(commands) >= 10
    for command in commands:
        done = millrace(*command[1:], cwd=folder)
        assert done.returncode == 0, (command, done.stderr, done.stdout)


def test_the_python_example_runs(folder):
    """On the model of the reader's flowers, and on a free port."""
    root = folder / ".millrace" / "serving" / "image-classifier"
    (code,) = _blocks("python")
    Image.new("RGB", (24, 20)).save(folder / "seven.png")
    with launch(root, "digits") as server:
        code = code.replace("127.0.0.1:8500", server.target)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert "daisy" in done.stdout or "tulip" in done.stdout


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (PROJECT / target).is_file(), target
