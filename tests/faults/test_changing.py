"""Data that change meanwhile: that an opening is met, and what is done to the file then."""

import os

import pytest

from tests.faults import changing


@pytest.fixture
def opening(tmp_path):
    def make(change, left):
        (tmp_path / "data").mkdir()
        for name in ("a", "b"):
            (tmp_path / "data" / f"{name}.txt").write_text(f"{name}123")
        return changing.Opening(tmp_path / "data", left, changing.CHANGES[change], is_on=True)

    return make


LEFT = {
    "is cut off": {"a.txt": "a123", "b.txt": "b1"},
    "grows": {"a.txt": "a123", "b.txt": "b123b123"},
    "is replaced": {"a.txt": "a123", "b.txt": "b123b123"},
    "is written anew": {"a.txt": "a123", "b.txt": "321b"},
    "vanishes": {"a.txt": "a123"},
    "another comes": {"a.txt": "a123", "b.txt": "b123", "new.txt": "b123"},
}


@pytest.mark.parametrize("change", changing.CHANGES)
def test_the_file_is_changed_that_is_opened_at_that_moment(opening, change):
    hook = opening(change, 2)
    folder = hook.folder
    before = (folder / "b.txt").stat().st_mtime_ns
    for path in (folder / "a.txt", folder.parent / "other", os.fsencode(folder / "b.txt"), 3):
        hook("open", (path if isinstance(path, bytes | int) else str(path), "r", 0))
    assert (hook.seen, hook.file) == (2, folder / "b.txt")
    assert {file.name: file.read_text() for file in folder.iterdir()} == LEFT[change]
    if change == "is written anew":
        assert (folder / "b.txt").stat().st_mtime_ns == before


def test_nothing_is_done_before_the_component_is_at_work(opening):
    hook = opening("vanishes", 1)
    hook.is_on = False
    hook("open", (str(hook.folder / "a.txt"), "r", 0))
    assert (hook.seen, hook.file) == (0, None)
