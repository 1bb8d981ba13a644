"""Locks tell the living from the dead, and the dead's leftovers go."""

import os
import time

from pipeline.root import RESUME_DAYS, Root


def test_a_run_is_running_inside_its_block_and_not_after(tmp_path):
    root = Root(tmp_path)
    assert not root.is_running("r")
    with root.running("r"):
        assert root.is_running("r")
    assert not root.is_running("r")


def test_sweep_removes_the_staging_of_dead_runs_alone(tmp_path):
    root = Root(tmp_path)
    (root.staging("dead") / "step").mkdir(parents=True)
    (root.staging("alive") / "step").mkdir(parents=True)
    with root.running("alive"):
        root.sweep()
    assert [folder.name for folder in (root.path / "staging").iterdir()] == ["alive"]


def test_sweep_forgets_checkpoints_that_nobody_came_back_for(tmp_path):
    root = Root(tmp_path)
    for name, days in (("old", RESUME_DAYS + 1), ("new", RESUME_DAYS - 1)):
        folder = tmp_path / "resume" / name
        folder.mkdir(parents=True)
        then = time.time() - days * 86400
        os.utime(folder, (then, then))
    root.sweep()
    assert [folder.name for folder in (root.path / "resume").iterdir()] == ["new"]


def test_two_tries_of_one_step_at_once_do_not_share_a_checkpoint(tmp_path):
    root = Root(tmp_path)
    with root.resume("train", "k" * 64, root.path / "spare1") as first:
        with root.resume("train", "k" * 64, root.path / "spare2") as second:
            assert first != second
            assert second == root.path / "spare2"
        assert first.exists()
    assert not first.exists()
