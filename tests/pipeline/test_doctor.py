"""What is missing is named with the way to get it."""

import shutil

from millrace.pipeline import doctor
from millrace.pipeline.root import Root


def _rows(tmp_path):
    return {row[0]: row[1:] for row in doctor.examine(Root(tmp_path / "root"))}


def test_a_whole_environment_has_nothing_broken(tmp_path):
    assert "broken" not in {row[0] for row in _rows(tmp_path).values()}


def test_a_root_that_cannot_be_written_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    state, found, advice = _rows(tmp_path)["root"]
    assert (state, advice) == ("broken", "give another with --root")
    assert found == f"{tmp_path}/root cannot be written"


def test_an_absent_library_is_broken_and_an_absent_program_optional(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "REQUIRED", ("no-such-library",))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    rows = _rows(tmp_path)
    assert rows["no-such-library"][:2] == ("broken", "absent")
    assert rows["docker"][:2] == ("optional", "absent")


def test_two_distributions_of_the_same_files_are_broken(tmp_path, monkeypatch):
    class Installed:
        def __init__(self, name):
            self.metadata = {"Name": name}

    both = [Installed("tf-millrace"), Installed("tf-millrace-client")]
    monkeypatch.setattr(doctor.importlib.metadata, "distributions", lambda: both)
    assert _rows(tmp_path)["tf-millrace-client"] == (
        "broken",
        "beside tf-millrace",
        "pip uninstall tf-millrace-client tf-millrace, then install tf-millrace again",
    )
    monkeypatch.setattr(doctor.importlib.metadata, "distributions", lambda: both[1:])
    assert "tf-millrace-client" not in _rows(tmp_path)
