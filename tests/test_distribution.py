"""The project's own distributions, the same bytes each time, and those that it needs."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from benchmarks import sizes

ROOT = Path(__file__).parents[1]
FILES = ["pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"]
FOLDERS = ["pipeline", "components", "serving", "millrace", "tests", "benchmarks", "examples"]
REASONS = (ROOT / "docs/dependencies.md").read_text()
BUILD = """
import sys, setuptools.build_meta as backend
print(getattr(backend, f"build_{sys.argv[1]}")(sys.argv[2]))
"""


def copy(folder):
    """A copy of the project in `folder`, each file's time that of the copy; returns its path."""
    source = folder / "source"
    for name in FOLDERS:
        shutil.copytree(
            ROOT / name,
            source / name,
            symlinks=True,
            copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    for file in FILES:
        shutil.copyfile(ROOT / file, source / file)
    return source


def run_build(kind, source, folder):
    return subprocess.run(
        [sys.executable, "-c", BUILD, kind, folder],
        cwd=source,
        check=False,
        capture_output=True,
        text=True,
    )


def build(kind, folder, source=None):
    """Build the sdist or wheel of `source`, else of a copy of the project; returns its path."""
    done = run_build(kind, source or copy(folder), folder)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


def packed(source):
    """What a wheel of the project holds, by the files of its folders in the repository."""
    kinds = {".py", ".pyi", ".proto", ".template", ".typed", ".html", ".css", ".js", ".svg"}
    for name in ("pipeline", "components", "serving", "millrace"):
        for file in (source / name).rglob("*"):  # which follows no links
            if file.suffix in kinds and "client_distribution" not in file.parts:
                path = file.relative_to(source)
                yield str(path if name == "millrace" else "millrace" / path)


def test_a_source_distribution_is_the_same_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, again = (build("sdist", tmp_path / name) for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()
    with tarfile.open(first) as archive:
        entries = archive.getmembers()
    assert {(one.mtime, one.uid, one.gid, one.uname) for one in entries} == {(1700000000, 0, 0, "")}
    assert {one.type for one in entries} == {tarfile.REGTYPE, tarfile.DIRTYPE}  # no links
    names = [one.name for one in entries]
    assert names == sorted(names, key=lambda name: Path(name).parts)
    files = {one.name.partition("/")[2] for one in entries if one.isfile()}
    others = {name for name in files if not name.startswith("tf_millrace.egg-info/")}
    assert others == {*packed(ROOT), *FILES, "PKG-INFO", "setup.cfg"}


def test_a_wheel_is_the_same_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first, again = (build("wheel", tmp_path / name) for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {one.date_time for one in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_a_wheel_brings_millrace_alone_and_its_licence_and_so_does_one_of_the_sdist(tmp_path):
    source = copy(tmp_path)
    wheel = build("wheel", tmp_path, source)
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        licence = archive.read("tf_millrace-0.1.0.dist-info/licenses/LICENSE")
    assert sorted(names) == sorted(packed(ROOT))
    assert "millrace/pipeline/project/template/pyproject.toml.template" in names
    assert licence == (ROOT / "LICENSE").read_bytes()
    shutil.rmtree(source / "build")
    with tarfile.open(build("sdist", tmp_path, source)) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (tmp_path / "again").mkdir()
    again = build("wheel", tmp_path / "again", tmp_path / "unpacked" / "tf_millrace-0.1.0")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())


def test_nothing_is_built_where_the_links_are_lost(tmp_path):
    """As git leaves them on Windows: a file that holds the target's path."""
    source = copy(tmp_path)
    link = source / "millrace" / "serving"
    link.unlink()
    link.write_text("../serving")
    done = run_build("wheel", source, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("Run `ln -sfn ../serving millrace/serving`.")


def test_every_dependency_has_its_row_in_the_table_of_reasons_and_its_weight():
    rows = re.findall(r"^\| ([\w-]+) \|[^|]+\| [\d.]+ \| [\d.]+ \|", REASONS, re.MULTILINE)
    assert sorted(rows) == sorted(requirement.name for requirement in sizes.dependencies())


def test_the_size_of_a_dependency_counts_what_it_needs_and_what_its_extras_add():
    assert sizes.closure([Requirement("h5py")]) == {"h5py", "numpy"}
    assert sizes.closure([Requirement("etils")]) == {"etils"}
    assert sizes.closure([Requirement("etils[epath]")]) > {"etils", "fsspec"}
    assert 1 < sizes.megabytes(["h5py"]) < sizes.megabytes(["h5py", "numpy"])


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
    for line in unknown:
        assert f"`{line.split(',')[0].strip(chr(34))}`" in REASONS
    assert '"keras","' in done.stdout
