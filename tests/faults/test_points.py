"""Faults at the places where a run writes: some of each fault, and that they happen there."""

import os
import subprocess
import sys

import pytest

from tests.faults import points

EVERY = ["kill", *points.FAULTS, *(f"{name} from" for name in points.FAULTS)]


def test_a_run_survives_each_fault_at_some_of_the_places_where_it_writes():
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.points", "--times=1", "--seed=7"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert [(fault, survived, lost) for fault, _, survived, lost, _ in rows] == [
        (fault, "1", "0") for fault in EVERY
    ]
    assert rows[0][4] == "killed 1"


COUNTED = """
import os, pathlib, shutil, sys, tempfile
from tests.faults.points import Points
below = pathlib.Path(sys.argv[1])
seen = []
Points(below, seen.append)
(below / "folder").mkdir(parents=True)
(below / "folder" / "file").write_text("a")
(below / "folder" / "file").read_text()
(below / "folder" / "file").rename(below / "folder" / "other")
(below.parent / "elsewhere").mkdir()
shutil.rmtree(below / "folder")
print(seen)
"""


def test_what_is_changed_below_the_folder_is_counted_and_nothing_else(tmp_path):
    told = subprocess.check_output([sys.executable, "-c", COUNTED, tmp_path / "root"], text=True)
    # Two folders, one of them at the second try, a file, its name, and the removal of both.
    assert told == "[1, 2, 3, 4, 5, 6, 7]\n"


@pytest.mark.parametrize(("name", "fails"), [("full", [2]), ("full from", [2, 3])])
def test_a_fault_happens_once_or_from_its_place_on(name, fails):
    at, failed = points.fault_at(2, name), []
    for number in (1, 2, 3):
        try:
            at(number)
        except OSError as error:
            failed.append((number, error.strerror))
    assert failed == [(number, os.strerror(points.FAULTS["full"])) for number in fails]
