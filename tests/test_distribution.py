"""The project's own distributions: the same bytes each time, with their licence."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = ["pyproject.toml", "setup.py", "README.md", "LICENSE"]
FLOORS = ["pipeline", "components", "serving", "millrace"]
BUILD = """
import sys, setuptools.build_meta as backend
print(getattr(backend, f"build_{sys.argv[1]}")(sys.argv[2]))
"""


def build(kind, folder):
    """Build the sdist or wheel of a copy of the project in `folder`; returns its path."""
    source = folder / "source"
    for floor in FLOORS:
        shutil.copytree(
            ROOT / floor,
            source / floor,
            symlinks=True,
            copy_function=shutil.copyfile,  # each file's time is that of the copy
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    for file in FILES:
        shutil.copyfile(ROOT / file, source / file)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, kind, folder],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    )
    return folder / done.stdout.splitlines()[-1]


def test_a_source_distribution_is_the_same_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, again = (build("sdist", tmp_path / name) for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()
    with tarfile.open(first) as archive:
        entries = archive.getmembers()
    assert {(one.mtime, one.uid, one.gid, one.uname) for one in entries} == {(1700000000, 0, 0, "")}
    names = [one.name for one in entries]
    assert {f"tf_millrace-0.1.0/{name}" for name in [*FILES, "millrace/pipeline/runner.py"]} <= {
        *names
    }
    assert names == sorted(names, key=lambda name: Path(name).parts)


def test_a_wheel_brings_the_licence(tmp_path):
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        found = wheel.read("tf_millrace-0.1.0.dist-info/licenses/LICENSE")
    assert found == (ROOT / "LICENSE").read_bytes()


def test_the_licences_of_what_is_installed_are_listed():
    """As `make licenses` does."""
    pytest.importorskip("piplicenses", reason="needs the developers' tools")
    done = subprocess.run(
        [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=csv"],
        check=True,
        capture_output=True,
        text=True,
    )
    unknown = [line for line in done.stdout.splitlines() if "UNKNOWN" in line]
    told = (ROOT / "docs/dependencies.md").read_text()
    for line in unknown:
        assert f"`{line.split(',')[0].strip(chr(34))}`" in told
    assert '"keras","' in done.stdout
