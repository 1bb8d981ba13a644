"""Damaged outputs are found when they are used, named, made again and set aside."""

import os
import pathlib
import sqlite3

import pytest
from etils.epath import Path

from millrace.components.artifacts import Evaluation, Examples, Model, PushedModel, Statistics
from millrace.components.errors import DataError
from millrace.components.files import folders
from millrace.pipeline import damage, pushed
from millrace.pipeline.errors import UsageError
from millrace.pipeline.run_request import Selection
from tests.pipeline import toys


def flip(file):
    """Turn one bit of `file`, which leaves its size as it was."""
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


def delete(file):
    file.unlink()


def empty(file):
    file.write_bytes(b"")


def lengthen(file):
    file.write_bytes(file.read_bytes() + b"\0")


def add(file):
    (file.parent / "second").write_text("2")


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (delete, "count is missing"),
        (empty, "count has 0 bytes instead of 1"),
        (lengthen, "count has 2 bytes instead of 1"),
        (add, "second was not there"),
    ],
)
def test_a_step_whose_output_is_damaged_runs_again_and_says_why(toy, harm, problem):
    first = toy.run()
    harm(first.output(Statistics).path / "count")
    second = toy.run()
    assert toys.CALLS == ["count"]
    assert toy.observer.reasons["count"] == [f"its output was damaged: {problem}"]
    assert second.output(Statistics).path != first.output(Statistics).path
    toy.run()
    assert toys.CALLS == []


def test_of_many_damaged_files_the_first_is_named(toy):
    folder = toy.run().output(Examples).path
    for name in ("examples.json", "rejected.jsonl", "text"):
        (folder / name).unlink()
    toy.run()
    assert toy.observer.reasons["read"] == [
        "its output was damaged: examples.json is missing, and 2 more"
    ]


def test_what_a_file_browser_leaves_is_no_damage(toy):
    folder = toy.run().output(Statistics).path
    (folder / ".DS_Store").write_text("x")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x").write_text("x")
    toy.run()
    assert toys.CALLS == []


def test_a_damaged_output_that_is_newer_than_the_one_reused_is_shown(toy):
    first = toy.run().output(Statistics).path
    second = toy.run(selection=Selection(force=("count",))).output(Statistics).path
    empty(second / "count")
    result = toy.run()
    assert toys.CALLS == []
    assert result.output(Statistics).path == first
    told = f"{second} is passed over: count has 0 bytes instead of 1"
    assert toy.observer.lines[-1] == ("count", told)


def test_a_version_that_another_push_deletes_meanwhile_is_not_measured(toy, monkeypatch):
    version = toy.root.path / "serving" / "toy" / "1"
    version.mkdir(parents=True)
    for name in ("a", "b"):
        (version / name).write_text(name)
    folder = toy.root.path / "push"
    folder.mkdir()
    record = {"model": "toy", "version": 1, "folder": str(version), "reason": "pushed"}
    pushed = PushedModel(folder).write_push(**record)
    assert set(damage.measure(pushed)[1]) == {"", "version"}
    digest = folders.file_digest

    def prune(file):
        if file.name == "b" and version.exists():
            version.rmtree()
        return digest(file)

    monkeypatch.setattr(folders, "file_digest", prune)
    assert set(damage.measure(pushed)[1]) == {""}


def test_damage_and_another_reason_are_both_told(toy):
    whole = toy.run()
    toy.run("train.epochs=2")
    empty(whole.output(Model).path / "model")
    toy.run()
    assert toy.observer.reasons["train"] == [
        "option epochs changed from 2 to 1",
        "its output was damaged: model has 0 bytes instead of 42",
    ]


def test_an_older_whole_output_is_reused_in_place_of_a_damaged_one(toy):
    first = toy.run()
    second = toy.run(selection=Selection(force=("count",)))
    empty(second.output(Statistics).path / "count")
    third = toy.run()
    assert toys.CALLS == []
    assert third.output(Statistics) == first.output(Statistics)


def test_what_was_damaged_is_set_aside_once_it_has_been_made_again(toy):
    path = toy.run().output(Statistics).path
    lengthen(path / "count")
    toy.run()
    aside = toy.root.path / "damaged" / path.relative_to(toy.root.path)
    assert not path.exists()
    assert (aside / "count").read_bytes() == b"3\0"
    assert ("count", f"the damaged output lies in {aside} now") in toy.observer.lines


def test_what_lies_under_another_root_is_not_moved(toy, tmp_path):
    assert toy.root.set_aside(Path(tmp_path / "other" / "artifacts" / "x")) is None


def test_two_outputs_of_one_name_are_both_kept_aside(toy):
    place = toy.root.path / "artifacts" / "x"
    (toy.root.path / "damaged" / "artifacts" / "x").mkdir(parents=True)
    assert toy.root.set_aside(place).name == "x-2"


def test_an_output_of_an_older_store_is_reused_as_before(toy):
    result = toy.run()
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE artifact SET files = NULL")
    flip(result.output(Statistics).path / "count")
    toy.run()
    assert toys.CALLS == []


def dead(toy, run):
    """Leave the run as one that was at work when its machine went down."""
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE run SET status = 'running'")


def test_the_content_of_what_a_dead_run_made_is_read_on_its_first_use(toy, monkeypatch):
    result = toy.run()
    flip(result.output(Statistics).path / "count")
    toy.run(selection=Selection(last=("read",)))
    assert toys.CALLS == []
    dead(toy, result.run)
    toy.run()
    assert toys.CALLS == ["count"]
    assert toy.observer.reasons["count"] == ["its output was damaged: count has other content"]
    read = []
    digest_of = folders.file_digest
    monkeypatch.setattr(folders, "file_digest", lambda f: read.append(f.name) or digest_of(f))
    toy.run()
    assert [name for name in read if name != "a.txt"] == []


def test_a_step_that_fails_on_a_damaged_input_names_it_and_the_next_run_makes_that_again(toy):
    folder = toy.run(selection=Selection(last=("read",))).output(Examples).path
    (folder / "text").write_bytes(b"\xff\xfe\xfd")
    failed = toy.run().steps[1]
    assert failed.status == "failed"
    assert failed.error == (
        f"Input examples, {folder}: expected what its step wrote. Received: text has other "
        "content. The same command makes it again."
    )
    assert toy.run().status == "done"
    assert toys.CALLS == ["read", "count", "validate", "train", "judge"]


def test_a_model_of_the_same_size_but_other_content_is_not_handed_on(toy):
    file = toy.run(selection=Selection(last=("train",))).output(Model).path / "model"
    flip(file)
    result = toy.run()
    assert "judge" not in toys.CALLS
    assert (result.steps[-1].step, result.steps[-1].error) == (
        "judge",
        f"Input model, {file.parent}: expected what its step wrote. Received: model has other "
        "content. The same command makes it again.",
    )
    assert toy.run().status == "done"
    assert toys.CALLS == ["train", "judge"]


def test_a_step_that_reads_no_model_reads_no_content_first(toy):
    folder = toy.run(selection=Selection(last=("read",))).output(Examples).path
    flip(folder / "text")
    result = toy.run(selection=Selection(last=("count",)))
    assert result.status == "done"


def test_a_left_out_step_whose_output_is_damaged_is_named(toy):
    folder = toy.run().output(Examples).path
    (folder / "text").unlink()
    with pytest.raises(UsageError, match=r"Step read: .*text is missing.*Run that step too"):
        toy.run(selection=Selection(only="train"))


def test_a_damaged_baseline_is_passed_over_and_told(toy):
    toy.run("train.epochs=1")
    second = toy.run("train.epochs=2").output(Model).path
    empty(second / "model")
    judged = toy.run("train.epochs=3").output(Evaluation).path
    (line,) = [text for step, text in toy.observer.lines if step == "judge"]
    assert line == f"{second} is passed over: model has 0 bytes instead of 42"
    assert (judged / "baseline").read_text().startswith("abc 1 ")


@pytest.fixture
def pushing(toy):
    """Runs the toy pipeline with a push at its end."""

    def run(version):
        dag = toy.dag()
        model, verdict = dag.steps["train"], dag.steps["judge"]
        serving = str(toy.root.serving)
        dag.step(
            toys.push, step_name="pusher", model=model, evaluation=verdict, serving=serving,
            version=version,
        )  # fmt: skip
        return toy.carry_out(dag)

    return run


def test_a_pushed_version_is_a_part_of_what_its_push_stands_for(toy, pushing, monkeypatch):
    write = toys.PushedModel.write_push

    def with_a_file(self, *, folder, **values):
        (Path(folder) / "saved_model.pb").write_text("graph")
        return write(self, folder=folder, **values)

    monkeypatch.setattr(toys.PushedModel, "write_push", with_a_file)
    pushing(7)
    pushed.check_whole(toy.store, toy.root, ["toy"])
    file = toy.root.serving / "toy" / "7" / "saved_model.pb"
    flip(file)
    with pytest.raises(DataError, match=r"saved_model\.pb has other content.*verify"):
        pushed.check_whole(toy.store, toy.root, ["toy"])
    empty(file)
    with pytest.raises(DataError, match=r"saved_model\.pb has 0 bytes instead of 5.*verify"):
        pushed.check_whole(toy.store, toy.root, ["toy"])
    with toy.store.session() as session:
        (record,) = toy.store.of_type(session, "PushedModel")
    damage.set_aside(toy.root, record, damage.look(record), kept=[Path(file.parent)])
    assert file.exists()  # another push stands for the same version, and is whole
    damage.set_aside(toy.root, record, damage.look(record))
    assert not file.parent.exists()
    assert Path(record.uri).exists()  # its own folder is not damaged
    assert (toy.root.path / "damaged" / "serving" / "toy" / "7" / "saved_model.pb").exists()


def test_what_a_person_adds_to_the_record_of_a_push_takes_no_version_out_of_serving(toy, pushing):
    result = pushing(7)
    (result.artifacts["pusher"].path / "notes.txt").write_text("why I pushed this")
    pushed.check_whole(toy.store, toy.root, ["toy"])
    with toy.store.session() as session:
        (record,) = toy.store.of_type(session, "PushedModel")
    damage.set_aside(toy.root, record, damage.look(record))
    assert not Path(record.uri).exists()
    assert (toy.root.serving / "toy" / "7").exists()


def test_a_broken_record_of_a_push_is_damage(toy, pushing):
    result = pushing(7)
    (result.artifacts["pusher"].path / "pushed.json").write_text("{")
    with toy.store.session() as session:
        (record,) = toy.store.of_type(session, "PushedModel")
    (found,) = damage.look(record)
    assert str(found).startswith("pushed.json has 1 bytes instead of ")


def test_no_file_is_read_while_other_runs_wait_for_the_store(toy, monkeypatch):
    digest_of, look, exists = folders.file_digest, damage.look, []

    def other_run(*_, **__):
        other = sqlite3.connect(toy.root.store_file, timeout=0)
        other.execute("BEGIN IMMEDIATE")
        other.close()
        exists.append(1)

    monkeypatch.setattr(folders, "file_digest", lambda f: other_run() or digest_of(f))
    monkeypatch.setattr(damage, "look", lambda r, **how: other_run() or look(r, **how))
    weights = toy.data / "weights.bin"
    weights.write_bytes(b"w")
    toy.run(f"train.note={weights}")
    toy.run(f"train.note={weights}")
    assert len(exists) > 10


def test_an_output_is_on_disk_before_its_name_is_and_its_name_after(toy, monkeypatch):
    synced, fsync = [], os.fsync

    def noted(descriptor):
        synced.append(str(pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    result = toy.run(selection=Selection(last=("read",)))
    staged = toy.root.staging(result.run) / "read"
    names = [str(staged / name) for name in ("examples.json", "rejected.jsonl", "text")]
    assert sorted(synced[:3]) == names
    assert synced[3:5] == [str(staged), str(toy.root.path / "artifacts" / "read")]
