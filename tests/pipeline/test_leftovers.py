"""What old runs have left goes, unless something still needs it; then a run makes it again."""

import contextlib
import datetime
import os
import pathlib
import threading
import time

import pytest
import sqlalchemy as sa

from millrace.pipeline import earlier, leftovers, needed, pushed, verification
from millrace.pipeline.leftovers import find, remove
from millrace.pipeline.needed import Policy
from millrace.pipeline.records import ArtifactRecord, RunRecord, now
from millrace.pipeline.run_request import Selection
from millrace.pipeline.store import Store
from millrace.serving import remote
from tests.pipeline.conftest import toy_in
from tests.pipeline.test_pushed import _push

NEWEST = Policy(keep=1)


@pytest.fixture(autouse=True)
def _numbered(monkeypatch):
    """Runs are called r1, r2 and so on."""
    numbers = iter(range(1, 100))
    monkeypatch.setattr("millrace.pipeline.runner.new_run_id", lambda: f"r{next(numbers)}")


def of_other_data(toy, *settings, **options):
    """A run whose every step makes something new."""
    text = toy.data / "a.txt"
    text.write_text(f"{text.read_text()}.")
    return toy.run(*settings, **options).run


def kept(toy):
    """The outputs in place, as `<step>/<run>`."""
    folder = pathlib.Path(toy.root.path) / "artifacts"
    return {str(place.relative_to(folder)) for place in folder.glob("*/*")}


def every(run, *steps):
    return {f"{step}/{run}" for step in steps or ("read", "count", "validate", "train", "judge")}


def can_go(found, kind="output"):
    return {f"{one.step}/{one.run}" for one in found.found if one.kind == kind}


def test_of_the_newest_runs_of_a_model_everything_stays_and_of_older_ones_what_these_have_read(toy):
    for _ in range(5):
        of_other_data(toy)
    found = find(toy.store, toy.root, Policy(keep=2))
    # The fourth run has compared itself with the model and the statistics of the third.
    assert can_go(found) == {*every("r1"), *every("r2"), *every("r3", "read", "validate", "judge")}
    assert found.kept == {"of the newest 2 runs of each model": 12}
    assert remove(toy.store, toy.root, Policy(keep=2)) == found
    assert kept(toy) == {*every("r5"), *every("r4"), *every("r3", "count", "train")}
    assert find(toy.store, toy.root, Policy(keep=2)).found == ()
    assert list((toy.root.path / "staging").glob("*")) == []


def test_nothing_is_removed_before_it_is_asked_for_and_sizes_are_those_of_the_files(toy):
    for _ in range(3):
        of_other_data(toy)
    before = kept(toy)
    found = find(toy.store, toy.root, NEWEST)
    assert kept(toy) == before
    (read,) = [one for one in found.found if (one.step, one.run) == ("read", "r1")]
    assert read.place == str(toy.root.path / "artifacts" / "read" / "r1")
    files = [file for file in pathlib.Path(read.place).rglob("*") if file.is_file()]
    assert (read.run, read.model, read.bytes) == ("r1", "toy", sum(f.stat().st_size for f in files))
    assert found.bytes == sum(one.bytes for one in found.found)
    rows = leftovers.by_run(found)
    assert [(row.run, row.folders) for row in rows] == [("r2", 2), ("r1", 5)]
    assert sum(row.bytes for row in rows) == found.bytes


def test_what_a_newer_run_took_from_the_cache_stays(toy):
    toy.run()
    for epochs in (2, 3, 4):
        toy.run(f"train.epochs={epochs}")
    remove(toy.store, toy.root, NEWEST)
    assert kept(toy) == {
        *every("r1", "read", "count", "validate"),
        *every("r4", "train", "judge"),
        *every("r3", "train", "judge"),  # blessed last but one
    }


def test_what_is_gone_is_said_to_be_and_a_run_makes_it_again(toy):
    toy.run()
    for _ in range(3):
        of_other_data(toy)
    remove(toy.store, toy.root, NEWEST)
    found = verification.verify(toy.store, toy.root, repair=False)
    assert (found.checked, found.gone, found.damaged) == (8, 12, ())
    (toy.data / "a.txt").write_text("abc")
    again = toy.run()
    assert toy.statuses(again)["read"] == "ran"
    assert kept(toy) >= every(again.run)
    assert [run.id for run in _runs(toy)] == ["r5", "r4", "r3", "r2", "r1"]


def _runs(toy):
    with toy.store.session() as session:
        return toy.store.runs(session)


def test_a_tag_keeps_what_a_run_made_and_days_what_the_young_made(toy):
    for _ in range(5):
        of_other_data(toy)
    toy.store.tag("r1", ["keep"])
    toy.store.tag("r2", ["good"])
    found = find(toy.store, toy.root, NEWEST)
    assert found.kept["of runs tagged keep"] == 5
    assert {one.run for one in found.found} == {"r2", "r3", "r4"}
    assert find(toy.store, toy.root, Policy(1, days=2)).found == ()
    with toy.store.session() as session:
        old = now() - datetime.timedelta(days=3)
        session.execute(sa.update(RunRecord).where(RunRecord.id == "r2").values(ended=old))
    assert {one.run for one in find(toy.store, toy.root, Policy(1, days=2)).found} == {"r2"}


def test_runs_that_failed_do_not_push_one_that_was_done_from_the_newest(toy):
    for settings in ((), ("train.fail=data",), ("train.fail=data",)):
        of_other_data(toy, *settings)
    assert can_go(find(toy.store, toy.root, NEWEST)) == set()
    of_other_data(toy)
    # What r2 found was compared with by r3, which failed before the last.
    assert can_go(find(toy.store, toy.root, NEWEST)) == {
        *every("r1", "read", "count", "validate"),
        *every("r2", "read", "count", "validate"),
        *every("r3", "read", "validate"),
    }


@pytest.mark.parametrize("status", ["running", "partial"])
def test_what_a_run_at_work_uses_stays(toy, status):
    for _ in range(4):
        of_other_data(toy)
    with toy.store.session() as session:
        session.get_one(RunRecord, "r1").status = status
    with toy.root.running("r1"):
        found = find(toy.store, toy.root, NEWEST)
    assert found.kept["of runs at work"] == 5
    assert "r1" not in {one.run for one in found.found}


def test_a_run_of_single_steps_that_nobody_goes_on_with_is_an_old_one(toy):
    for _ in range(4):
        of_other_data(toy)
    with toy.store.session() as session:
        record = session.get_one(RunRecord, "r1")
        record.status, record.ended = "partial", None
        record.started -= datetime.timedelta(days=needed.PARTIAL_DAYS, seconds=1)
    assert can_go(find(toy.store, toy.root, NEWEST)) >= every("r1")


def test_a_dead_run_is_recorded_as_killed_and_its_outputs_are_those_of_an_old_one(toy):
    for _ in range(4):
        of_other_data(toy)
    with toy.store.session() as session:
        session.get_one(RunRecord, "r1").status = "running"
    assert can_go(find(toy.store, toy.root, NEWEST)) >= every("r1")
    assert toy.store.recorded_run("r1").status == "killed"


def test_the_newest_output_of_each_step_stays_for_runs_that_begin_in_the_middle(toy):
    of_other_data(toy)
    of_other_data(toy)
    for _ in range(2):
        of_other_data(toy, selection=Selection(last=("read",)))
    remove(toy.store, toy.root, NEWEST)
    assert kept(toy) == {
        *every("r4", "read"),
        *every("r2", "count", "validate", "train", "judge"),
        *every("r1", "train", "judge"),
    }
    assert toy.statuses(toy.run(selection=Selection(only="validate")))["validate"] == "ran"


def test_what_stands_behind_each_version_in_place_stays(toy):
    for version in (1, 2, 3):
        _push(toy, version, f"read.upper={version == 1}".lower(), f"train.epochs={version}")
    for _ in range(2):
        of_other_data(toy)
    (toy.root.serving / "toy" / "2").rmdir()
    (toy.root.serving / "toy" / ".withdrawn").mkdir()
    (toy.root.serving / "toy" / "3").rename(toy.root.serving / "toy" / ".withdrawn" / "3")
    found = remove(toy.store, toy.root, NEWEST)
    assert found.kept["served"] == 11
    assert kept(toy) == {
        *every("r1"),
        "pusher/r1",
        *every("r2", "read", "count"),  # of which the third took them
        *every("r3", "train", "judge", "pusher"),
        *every("r4", "count", "train", "judge"),
        *every("r5"),
    }
    assert pushed.last_push(toy.store, "toy")[0] == toy.root.path / "artifacts" / "train" / "r1"


def test_a_push_whose_record_cannot_be_read_is_of_no_use(toy):
    for version in (1, 2, 3):
        _push(toy, version, f"train.epochs={version}")
    (toy.root.path / "artifacts" / "pusher" / "r1" / "pushed.json").write_text("{")
    assert "pusher/r1" in can_go(find(toy.store, toy.root, NEWEST))


def test_an_output_that_a_dead_run_did_not_come_to_record_goes_and_others_files_stay(toy):
    of_other_data(toy)
    for name in ("train/r1~2", "train/elsewhere"):
        (toy.root.path / "artifacts" / name).mkdir()
    (toy.root.path / "artifacts" / "README").touch()
    found = find(toy.store, toy.root, NEWEST)
    assert can_go(found, "unrecorded") == {"train/r1"}
    assert [pathlib.Path(one.place).name for one in found.found] == ["r1~2"]
    assert found.unknown == 1
    with toy.store.session() as session:
        session.get_one(RunRecord, "r1").status = "running"
    with toy.root.running("r1"):
        assert find(toy.store, toy.root, NEWEST).found == ()


@pytest.mark.parametrize("status", ["partial", "running"])
def test_what_a_killed_step_of_a_run_of_single_steps_left_goes_while_the_run_goes_on(toy, status):
    of_other_data(toy)
    (toy.root.path / "artifacts" / "train" / "r1~2").mkdir()
    with toy.store.session() as session:
        run = session.get_one(RunRecord, "r1")
        run.status, run.arguments = status, {**run.arguments, "steps": {}}
    with toy.root.running("r1", shared=True), toy.root.at_work("r1", "count"):
        with toy.root.at_work("r1", "train"):
            assert can_go(find(toy.store, toy.root, NEWEST), "unrecorded") == set()
        found = remove(toy.store, toy.root, NEWEST).found
    assert [(one.kind, one.step, one.run) for one in found] == [("unrecorded", "train", "r1")]
    assert not (toy.root.path / "artifacts" / "train" / "r1~2").exists()


def test_of_a_root_that_was_moved_nothing_is_taken_for_unrecorded(toy):
    of_other_data(toy)
    with toy.store.engine.begin() as connection:
        here, before = str(toy.root.path), str(toy.root.path.parent / "before")
        moved = sa.func.replace(ArtifactRecord.uri, here, before)
        connection.execute(sa.update(ArtifactRecord).values(uri=moved))
    found = find(toy.store, toy.root, NEWEST)
    assert (found.found, found.unknown) == ((), 5)


def test_staging_of_dead_runs_and_damaged_outputs_go(toy):
    run = of_other_data(toy)
    for name in ("staging/dead/train", f"staging/{run}/train", "damaged/artifacts/read/x"):
        (toy.root.path / name).mkdir(parents=True)
        (toy.root.path / name / "file").write_text("abc")
    with toy.root.running(run):
        found = remove(toy.store, toy.root, NEWEST)
    assert [(one.kind, one.bytes) for one in found.found] == [("staging", 3), ("damaged", 3)]
    assert not (toy.root.path / "staging" / "dead").exists()
    assert (toy.root.path / "staging" / run / "train").exists()
    assert not (toy.root.path / "damaged").exists()


def test_checkpoints_go_that_nobody_came_back_for(toy):
    of_other_data(toy)
    names = {"train-old": 8, "train-held": 8, "train-new": 6}
    for name, days in names.items():
        file = toy.root.path / "resume" / name / "epoch"
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (time.time() - days * 24 * 3600,) * 2)
    with toy.root.resume("train", "held", toy.root.path / "spare"):
        found = remove(toy.store, toy.root, NEWEST)
        assert [(one.kind, one.step) for one in found.found] == [("checkpoint", "train")]
        resume = toy.root.path / "resume"
        assert {place.name for place in resume.glob("*") if place.is_dir()} >= {
            "train-held",
            "train-new",
        }
    assert {place.name for place in resume.glob("*")} == {"train-new"}
    assert [one.kind for one in find(toy.store, toy.root, Policy(1, days=5)).found] == [
        "checkpoint"
    ]


def test_what_cannot_be_removed_is_warned_of_and_left(toy, monkeypatch, caplog):
    for _ in range(3):
        of_other_data(toy)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "rename", refuse)
    assert remove(toy.store, toy.root, NEWEST).found == ()
    assert "read/r1: cannot be removed: Permission denied. Remove it by hand." in caplog.text


def test_what_a_run_has_found_in_the_cache_is_not_removed_before_it_is_recorded(toy, monkeypatch):
    for _ in range(4):
        of_other_data(toy)
    (toy.data / "a.txt").write_text("abc.")  # as the first run had it
    finding, cleared = threading.Event(), threading.Event()
    look = earlier.cached

    def slowly(*given):
        found = look(*given)
        if given[2].name == "read":
            finding.set()
            assert not cleared.wait(0.5)  # the other waits
        return found

    monkeypatch.setattr(earlier, "cached", slowly)
    gone = []

    def clear():
        finding.wait(60)
        other = Store.open(toy.root.store_url)
        gone.append(remove(other, toy.root, NEWEST))
        cleared.set()

    thread = threading.Thread(target=clear)
    thread.start()
    result = toy.run()
    thread.join(60)
    assert result.status == "done"
    assert toy.statuses(result)["read"] == "cached"
    assert "read/r1" not in can_go(gone[0])
    assert gone[0].found


def test_under_a_remote_root_the_same_goes_for_every_machine(away, bucket):
    for text in (b"a", b"ab", b"abc", b"abcd"):
        remote.write(f"{bucket}/data/a.txt", text)
        away.run()
    found = find(away.store, away.root, NEWEST)
    assert can_go(found) == {*every("r1"), *every("r2"), *every("r3", "read", "validate")}
    sizes = {one.place: one.bytes for one in found.found}
    place = f"{bucket}/runs/artifacts/read/r1"
    assert sizes[place] == sum(file.size for file in remote.files(place).values())
    remote.write(f"{bucket}/runs/damaged/artifacts/read/x/file", b"abc")
    assert remove(away.store, away.root, NEWEST).bytes == found.bytes + 3
    assert remote.files(place) == {}
    assert verification.verify(away.store, away.root, repair=False).gone == len(found.found)
    assert toy_in(bucket).run().status == "done"


def test_machines_that_share_no_disk_wait_for_one_another(away, bucket):
    away.run()
    order = []

    def clear():
        other = toy_in(bucket)
        # As on another machine, whose lock on a file is another one.
        other.root.looked_through = lambda **_: contextlib.nullcontext()
        with other.store.clearing(other.root):
            order.append("cleared")

    with away.store.looking(away.root), toy_in(bucket).store.looking(away.root):
        thread = threading.Thread(target=clear)
        thread.start()
        thread.join(0.5)
        order.append("looked")
    thread.join(60)
    assert order == ["looked", "cleared"]
