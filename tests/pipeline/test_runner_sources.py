"""What a run reads must be what its key says, also where somebody writes there meanwhile."""

import os
import shutil

import pytest

from millrace.components.errors import DataError, OptionError
from millrace.pipeline import fingerprint
from tests.pipeline import toys


@pytest.fixture
def meddled(toy, monkeypatch):
    """What runs the pipeline while `change` is done to the data, as its step `read` begins."""

    def run(change):
        def started(step, why):
            if step.name == "read":
                change(toy.data)

        with monkeypatch.context() as patch:
            patch.setattr(toy.observer, "started", started)
            return toy.run()

    return run


def _back_dated(data):
    """Other content of the same size, with the time of the old."""
    status = (data / "a.txt").stat()
    (data / "a.txt").write_text("xyz")
    os.utime(data / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES = {
    "changes": lambda data: (data / "a.txt").write_text("xyz"),
    "changes and is dated back": _back_dated,
    "grows": lambda data: (data / "a.txt").write_text("abcd"),
    "is replaced": lambda data: (
        (data / "b").write_text("xyz") and (data / "b").replace(data / "a.txt")
    ),
    "vanishes": lambda data: (data / "a.txt").unlink(),
    "comes": lambda data: (data / "b.txt").write_text("b"),
    "all vanish": shutil.rmtree,
    "several change": lambda data: [
        (data / f"{name}\n.txt").write_text(name) for name in ("b", "c", "d", "e", "f")
    ],
}
TOLD = {
    "vanishes": ("/a.txt", "it is gone"),
    "comes": ("/b.txt", "it is new"),
    "all vanish": ("", "it is gone"),
    "several change": (
        "",
        r"other files or contents than before: b\n.txt, c\n.txt, d\n.txt and 2 more",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_step_fails_whose_data_change_while_it_reads_them(toy, meddled, change):
    result = meddled(CHANGES[change])
    place, what = TOLD.get(change, ("/a.txt", "it changed"))
    assert toy.statuses(result)["read"] == "failed"
    assert result.steps[0].error == (
        f"{toy.data}{place}: expected a file that stays as it is while the data is read. "
        f"Received: {what}. Run it again when nothing writes there."
    )
    assert not (toy.root.path / "artifacts" / "read").exists()


@pytest.mark.parametrize("error", [DataError("a"), OptionError("b"), FileNotFoundError("c")])
def test_an_error_that_may_come_of_a_change_names_the_file_that_has_changed(
    toy, meddled, monkeypatch, error
):
    class Raising(list):
        def append(self, name):
            raise error

    monkeypatch.setattr(toys, "CALLS", Raising())
    assert "expected a file that stays" not in meddled(lambda data: None).steps[0].error
    result = meddled(CHANGES["changes"])
    assert result.steps[0].error.startswith(f"{toy.data}/a.txt: expected a file that stays")


@pytest.mark.parametrize("change", ["changes", "changes and is dated back", "vanishes"])
def test_a_step_fails_whose_options_name_a_file_that_changes_meanwhile(toy, monkeypatch, change):
    weights = toy.data.parent / "weights"
    weights.mkdir()
    (weights / "a.txt").write_text("abc")

    def started(step, why):
        if step.name == "train":
            CHANGES[change](weights)

    assert toy.run(f"train.note={weights / 'a.txt'}").status == "done"
    with monkeypatch.context() as patch:
        patch.setattr(toy.observer, "started", started)
        result = toy.run(f"train.note={weights / 'a.txt'}", "train.epochs=2")
    assert toy.statuses(result)["train"] == "failed"
    what = "it is gone" if change == "vanishes" else "it changed"
    assert result.steps[3].error == (
        f"{weights / 'a.txt'}: expected a file that stays as it is while the data is read. "
        f"Received: {what}. Run it again when nothing writes there."
    )
    assert len(list((toy.root.path / "artifacts" / "train").iterdir())) == 1


def test_of_many_files_the_folder_is_named_that_they_are_in(toy, meddled, monkeypatch):
    monkeypatch.setattr(fingerprint, "_KEPT", 1)
    (toy.data / "b.txt").write_text("b")
    assert meddled(CHANGES["changes"]).steps[0].error == (
        f"{toy.data}: expected a file that stays as it is while the data is read. "
        "Received: other files or contents than before. Run it again when nothing writes there."
    )


def test_the_next_run_reads_what_is_there_then_and_the_old_data_again(toy, meddled):
    meddled(CHANGES["changes"])
    assert toy.statuses(toy.run())["read"] == "ran"
    (toy.data / "a.txt").write_text("abc")  # what the run that failed began with
    result = toy.run()
    assert toys.CALLS[0] == "read"
    assert (result.steps[0].output / "text").read_text() == "abc"


def test_a_file_that_is_only_touched_or_written_again_has_not_changed(toy, meddled):
    assert meddled(lambda data: os.utime(data / "a.txt", (1, 1))).status == "done"
    (toy.data / "a.txt").write_text("other")
    assert meddled(lambda data: (data / "a.txt").write_text("other")).status == "done"


def test_an_editors_lock_and_what_is_still_being_written_may_come(toy, meddled):
    assert meddled(lambda data: (data / ".#a.txt").symlink_to("nobody@here")).status == "done"
    assert meddled(lambda data: (data / "b.txt.part").write_text("b")).status == "done"
