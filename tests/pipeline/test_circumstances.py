"""What a run is made with that no option says."""

import subprocess

import pytest

from millrace.pipeline import circumstances


@pytest.fixture
def git(tmp_path):
    def git(*words):
        settings = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", *settings, *words]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    return git


def test_a_folder_in_no_repository_has_no_commit(tmp_path):
    assert circumstances.commit(tmp_path) == ""


def test_the_commit_is_that_which_is_checked_out_and_changes_are_said(tmp_path, git):
    git("init", "-q")
    assert circumstances.commit(tmp_path) == ""
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "a")
    git("tag", "v1")
    said = git("rev-parse", "HEAD").stdout[:12]
    assert circumstances.commit(tmp_path) == said
    (tmp_path / "a").write_text("2")
    assert circumstances.commit(tmp_path) == f"{said} with changes"


def test_a_run_keeps_them(toy):
    result = toy.run()
    found = toy.store.recorded_run(result.run).arguments["made_with"]
    assert found == circumstances.found()
    assert set(found) == {"millrace", "python", "machine", "folder", "commit"}
