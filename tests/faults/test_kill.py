"""Killed runs, the short form: a few moments of one recipe, and that each loss would be seen."""

import fcntl
import shutil
import sqlite3
import subprocess
import sys
import zipfile

import pytest

from tests.faults import kill


def test_a_recipe_killed_at_some_moments_ends_as_if_nothing_had_been():
    command = ["--times=2", "--per-root=2", "--seed=7", "line"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.kill", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _, row = done.stdout.splitlines()
    kind, tries, hits, lost, _ = row.split("\t")
    assert (kind, tries, lost) == ("line", "2", "0")
    assert hits in {"1", "2"}  # a run on a quicker machine may end before its moment


@pytest.fixture
def roots(tmp_path):
    """An unbroken root and one like it."""
    for name in ("whole", "killed"):
        version, output = (tmp_path / name / place for place in ("serving/m/7", "artifacts/s/1"))
        for folder in (version, output):
            folder.mkdir(parents=True)
            (folder / "weights").write_text("weights")
            (folder / "fingerprint.pb").write_text(name)
        (tmp_path / name / "staging").mkdir()
    (tmp_path / "killed/serving/m/7").rename(tmp_path / "killed/serving/m/8")
    return tmp_path / "whole", tmp_path / "killed"


def test_what_is_made_twice_may_differ_in_what_is_random_alone(roots):
    whole, killed = roots
    kill.check_visible(killed, whole)
    for place in ("serving/m/8", "artifacts/s/1"):
        (killed / place / "weights").write_text("weight")
        with pytest.raises(kill.Lost, match=rf"{place}: differs in weights"):
            kill.check_visible(killed, whole)
        (killed / place / "weights").unlink()
        with pytest.raises(kill.Lost, match=rf"{place}: differs in weights"):
            kill.check_visible(killed, whole)
        (killed / place / "weights").write_text("weights")


def test_a_keras_file_may_differ_in_its_date_and_in_where_things_were_in_memory(tmp_path):
    for name, weights, address in (("one", "w", 1), ("two", "w", 2), ("three", "v", 1)):
        (tmp_path / name).mkdir()
        with zipfile.ZipFile(tmp_path / name / "model.keras", "w") as file:
            file.writestr("metadata.json", name)
            file.writestr("config.json", f'{{"shared_object_id": {address}}}')
            file.writestr("model.weights.h5", weights)
    assert kill.differences(tmp_path / "one", tmp_path / "two") == []
    other = kill.differences(tmp_path / "three", tmp_path / "one")
    assert other == ["model.keras/model.weights.h5"]


def test_leftovers_and_locks_are_seen(roots):
    _, killed = roots
    assert kill.leftovers(killed) == set()
    (killed / "staging/run").mkdir()
    (killed / "serving/m/.incoming-a").mkdir()
    (killed / "serving/m/.withdrawn").mkdir()
    assert kill.leftovers(killed) == {"staging/run", "m/.incoming-a"}
    (killed / "runs/run").mkdir(parents=True)
    lock = killed / "runs/run/lock"
    with lock.open("w") as file:
        kill.check_locks(killed)
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(kill.Lost, match="lock is held"):
            kill.check_locks(killed)


def test_a_damaged_store_is_seen(tmp_path):
    with sqlite3.connect(tmp_path / "millrace.db") as store:
        store.execute("CREATE TABLE a (b TEXT)")
        store.executemany("INSERT INTO a VALUES (?)", [("x" * 500,)] * 100)
    store.close()
    kill.check_store(tmp_path)
    data = bytearray((tmp_path / "millrace.db").read_bytes())
    data[8192:12288] = bytes(4096)
    (tmp_path / "millrace.db").write_bytes(data)
    with pytest.raises((kill.Lost, sqlite3.DatabaseError)):
        kill.check_store(tmp_path)


def test_a_process_that_outlives_its_run_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(kill, "PATIENCE", 0.5)
    run = kill.Run([shutil.which("sleep"), "60"], tmp_path)
    assert run.left() == [f"{shutil.which('sleep')} 60 "]
    assert run.kill_after(0.01)
    assert run.left() == []
