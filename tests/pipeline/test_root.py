"""Locks tell the living from the dead, and the dead's leftovers go."""

import contextlib
import datetime
import errno
import os
import pathlib
import types

import pytest

from millrace.pipeline.root import RESUME_DAYS, Root


def test_a_run_is_running_inside_its_block_and_not_after(tmp_path):
    root = Root(tmp_path)
    assert not root.is_running("r")
    with root.running("r"):
        assert root.is_running("r")
    assert not root.is_running("r")


def test_processes_at_work_on_steps_of_a_run_share_it(tmp_path):
    root = Root(tmp_path)
    with (
        root.running("r", shared=True),
        root.running("r", shared=True),
        root.at_work("r", "train"),
        root.at_work("r", "count"),
    ):
        assert root.is_running("r")
        assert [root.is_running("r", step) for step in ("train", "count", "read")] == [
            *(True, True, False)
        ]
    assert not root.is_running("r")
    assert not root.is_running("r", "train")


def test_another_try_of_a_step_in_a_run_gets_a_place_of_its_own(tmp_path):
    root = Root(tmp_path)
    for name in ("r", "r~2", "r~3"):
        place = root.new_artifact("train", "r")
        assert place.name == name
        place.mkdir(parents=True)


def test_a_root_has_one_name_whichever_link_leads_to_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert Root(tmp_path / "link").path == Root(tmp_path / "real").path
    assert Root(tmp_path / "link").contains(tmp_path / "real" / "artifacts")


def test_sweep_removes_the_staging_of_dead_runs_alone(tmp_path):
    root = Root(tmp_path)
    (root.staging("dead") / "step").mkdir(parents=True)
    (root.staging("alive") / "step").mkdir(parents=True)
    with root.running("alive"):
        root.sweep()
    assert [folder.name for folder in (root.path / "staging").iterdir()] == ["alive"]


@pytest.fixture
def today(monkeypatch):
    """Set the day that the root sees."""

    def set_to(day):
        class Frozen(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return cls(2026, 1, 1, tzinfo=tz) + datetime.timedelta(days=day)

        clock = types.SimpleNamespace(datetime=Frozen, UTC=datetime.UTC)
        monkeypatch.setattr("millrace.pipeline.root.datetime", clock)

    return set_to


def kept(root):
    return sorted(entry.name for entry in (root.path / "resume").iterdir())


def killed(root, step="train"):
    """What a step leaves that ended badly."""
    with (
        contextlib.suppress(KeyboardInterrupt),
        root.resume(step, "k" * 64, root.path / "spare") as folder,
    ):
        (folder / "epoch").touch()
        raise KeyboardInterrupt


BOTH = [".train-kkkkkkkkkkkkkkkk.lock", "train-kkkkkkkkkkkkkkkk"]


def test_sweep_forgets_checkpoints_that_runs_of_seven_days_passed_by(tmp_path, today):
    root = Root(tmp_path)
    killed(root)
    for day in range(RESUME_DAYS):
        today(day)
        root.sweep()
        root.sweep()
        assert kept(root) == BOTH
    today(RESUME_DAYS)
    root.sweep()
    assert kept(root) == []


def test_a_checkpoint_outlives_a_rest_and_a_clock_that_jumps(tmp_path, today):
    root = Root(tmp_path)
    killed(root)
    for day in (0, 60, 20_000, -20_000, 0):
        today(day)
        root.sweep()
    assert kept(root) == BOTH


def test_coming_back_to_a_checkpoint_starts_its_days_anew(tmp_path, today):
    root = Root(tmp_path)
    for first in (0, RESUME_DAYS):
        killed(root)
        for day in range(first, first + RESUME_DAYS):
            today(day)
            root.sweep()
    assert kept(root) == BOTH


def test_files_in_resume_and_staging_stop_no_run(tmp_path):
    """The lock files of old versions, which were there whatever became of their checkpoints."""
    root = Root(tmp_path)
    for name in ("resume/.train-0123456789abcdef.lock", "resume/notes", "staging/notes"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "staging" / "link").symlink_to(tmp_path)
    root.sweep()
    assert kept(root) == ["notes"]
    assert sorted(entry.name for entry in (tmp_path / "staging").iterdir()) == ["link", "notes"]


def test_a_checkpoint_in_use_is_not_swept_however_long_it_takes(tmp_path, today):
    root = Root(tmp_path)
    with root.resume("train", "k" * 64, root.path / "spare") as folder:
        for day in range(3 * RESUME_DAYS):
            today(day)
            root.sweep()
        assert folder.exists()
        with root.resume("train", "k" * 64, root.path / "spare") as other:
            assert other == root.path / "spare"
    assert kept(root) == []


def test_what_cannot_be_removed_is_warned_of_and_stops_no_run(tmp_path, monkeypatch, caplog):
    root = Root(tmp_path)
    (root.staging("dead") / "step").mkdir(parents=True)

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("millrace.pipeline.root.shutil.rmtree", refuse)
    root.sweep()
    assert caplog.messages == [
        f"{root.staging('dead')}: cannot be removed: Permission denied. Remove it by hand."
    ]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_whether_a_run_is_at_work_is_seen_by_who_may_only_read(tmp_path, monkeypatch, number):
    root, open_ = Root(tmp_path), pathlib.Path.open

    def reading(path, mode="r"):
        if mode == "a":
            raise OSError(number, "refused", str(path))
        return open_(path, mode)

    with root.running("r"):
        monkeypatch.setattr(pathlib.Path, "open", reading)
        assert root.is_running("r")
        monkeypatch.undo()
    (root.run("r") / "lock").touch()
    monkeypatch.setattr(pathlib.Path, "open", reading)
    assert not root.is_running("r")


def test_two_tries_of_one_step_at_once_do_not_share_a_checkpoint(tmp_path):
    root = Root(tmp_path)
    with root.resume("train", "k" * 64, root.path / "spare1") as first:
        with root.resume("train", "k" * 64, root.path / "spare2") as second:
            assert first != second
            assert second == root.path / "spare2"
        assert first.exists()
    assert not first.exists()
