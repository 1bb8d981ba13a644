"""Every command that the README shows runs, in its order, as it stands there."""

import datetime
import itertools
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from millrace.serving.launch import launch
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
    _write_reviews(folder / "reviews.csv")
    _write_sales(folder / "sales.csv")
    _write_houses(folder / "houses.csv")
    _write_poems(folder / "poems.txt")
    return folder


def _write_reviews(file):
    openings = ("This film is", "I found it", "The ending was", "My friends call it", "It felt")
    words = {"good": ("warm", "clever", "fine", "bright"), "bad": ("dull", "flat", "cold", "slow")}
    rows = [
        f'"{opening} {first} and {second}, scene {number}",{label}'
        for label, adjectives in words.items()
        for opening in openings
        for number, (first, second) in enumerate(itertools.permutations(adjectives, 2))
    ]
    file.write_text("\n".join(["review,verdict", *rows]))


def _write_sales(file):
    start = datetime.date(2021, 1, 4)
    rows = [
        f"{start + datetime.timedelta(day)},{100 + day / 5 + 30 * math.sin(day * math.tau / 7)}"
        for day in range(500)
    ]
    file.write_text("\n".join(["day,sales", *rows]))


def _write_houses(file):
    towns = {"Cork": 1.0, "Galway": 1.4, "Sligo": 0.8}
    rows = [
        f"{rooms},{area},{town},{factor * (20 * rooms + 2 * area)}"
        for rooms in range(1, 8)
        for area in range(40, 200, 8)
        for town, factor in towns.items()
    ]
    file.write_text("\n".join(["rooms,area,town,price", *rows]))


def _write_poems(file):
    subjects = ("the river", "the wind", "an old road", "the moon", "my heart", "a bell")
    verbs = ("sings to", "turns from", "waits for", "dreams of", "walks beside")
    objects = ("the silent hill", "the morning sea", "a field of rye", "the sleeping town")
    lines = (" ".join(parts) for parts in itertools.product(subjects, verbs, objects))
    file.write_text("\n".join(lines))


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
    code, _ = _blocks("python")
    Image.new("RGB", (24, 20)).save(folder / "seven.png")
    with launch(root, "digits") as server:
        answer = _python(code.replace("127.0.0.1:8500", server.target), folder)
    assert "daisy" in answer or "tulip" in answer


def test_a_run_in_python_is_that_of_the_command(folder):
    """It is only compared with the model that was pushed in between, and pushed again."""
    _, code = _blocks("python")
    *progress, figures, answer = _python(code, folder).splitlines()
    ran = [line.split()[1] for line in progress if line.startswith("✓")]
    assert ran == ["evaluator", "pusher"]
    assert (figures, answer) == ("1.0 True", "daisy")


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (PROJECT / target).is_file(), target
