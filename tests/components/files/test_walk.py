"""What lies below a folder: files, and what is not a readable file, with the reason."""

import os
import pathlib
import socket

import pytest
from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.files.walk import is_hidden, is_unfinished, problem, unreadable, walk


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.png").write_bytes(b"")
    (tmp_path / "2.png").write_bytes(b"")
    return tmp_path


def test_files_are_named_below_the_folder_sorted(root):
    assert list(walk(Path(root)).items()) == [("2.png", ""), ("a/b/1.png", "")]


def test_links_are_followed_and_loops_end(root):
    (root / "c").symlink_to(root / "a")
    (root / "a" / "up").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "above").symlink_to(root.parent)
    assert walk(Path(root)) == {
        "2.png": "",
        "a/b/1.png": "",
        "a/up": "a link to a folder that holds it",
        "above": "a link to a folder that holds it",
        "c/b/1.png": "",
        "c/up": "a link to a folder that holds it",
        "self": "a link that leads back to itself",
    }


def test_what_is_not_a_file_is_reported_and_never_opened(root, tmp_path_factory):
    os.mkfifo(root / "pipe")
    (root / "to-pipe").symlink_to("pipe")
    (root / "zero").symlink_to("/dev/zero")
    (root / "gone").symlink_to("nowhere")
    at = os.open(root, os.O_DIRECTORY)  # a socket's address is short, a test's folder is not
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{at}/socket")
    os.close(at)
    assert walk(Path(root)) == {
        "2.png": "",
        "a/b/1.png": "",
        "gone": "a link to nothing",
        "pipe": "a pipe, not a file",
        "socket": "a socket, not a file",
        "to-pipe": "a pipe, not a file",
        "zero": "a device, not a file",
    }


def test_a_name_that_is_not_utf8_is_shown_with_its_bytes(root):
    for name in (b"caf\xe9.png", rb"caf\xe9.png", b"line\nbreak.png"):
        (root / os.fsdecode(name)).write_bytes(b"")
    folder = pathlib.Path(root, "\udcff")
    folder.mkdir()
    (folder / "1.png").write_bytes(b"")
    assert walk(Path(root)) == {
        "2.png": "",
        "a/b/1.png": "",
        r"caf\xe9.png": "",
        r"caf\xe9.png?": "its name is not UTF-8: rename it",
        "line\nbreak.png": "",
        r"\xff/1.png": "its name is not UTF-8: rename it",
    }


def test_a_file_without_permission_is_reported(root, monkeypatch):
    monkeypatch.setattr(
        "millrace.components.files.walk.os.access", lambda path, mode: "2.png" not in str(path)
    )
    assert walk(Path(root)) == {"2.png": "cannot be read: Permission denied", "a/b/1.png": ""}


def denied_below(name, monkeypatch):
    """Let nobody list the folder `name`, whoever runs the tests."""
    scandir = os.scandir

    def denied(path):
        if os.fspath(path).rstrip("/").endswith(name):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("millrace.components.files.walk.os.scandir", denied)


def test_a_folder_that_cannot_be_read_is_refused_for_its_files_cannot_be_counted(root, monkeypatch):
    denied_below("a/b", monkeypatch)
    with pytest.raises(
        DataError,
        match=r"/a/b/: expected a folder that can be read\. Received: Permission denied\. Correct",
    ):
        walk(Path(root))


def test_a_hidden_folder_that_cannot_be_read_is_none_of_the_data(root, monkeypatch):
    (root / ".cache").mkdir()
    denied_below(".cache", monkeypatch)
    assert walk(Path(root))[".cache"] == "a folder that cannot be read: Permission denied"


def test_what_vanishes_meanwhile_is_named(root, monkeypatch):
    def vanishing(entry):
        if entry.name == "1.png":
            pathlib.Path(entry.path).unlink()
        return entry.is_dir()

    monkeypatch.setattr("millrace.components.files.walk._is_folder", vanishing)
    with pytest.raises(
        DataError, match=r"/a/b/1\.png: expected a file that stays .* Received: it is gone\. Run it"
    ):
        walk(Path(root))


def test_a_missing_folder_and_a_file_are_refused(root):
    with pytest.raises(
        DataError, match=r"/nowhere: expected a folder\. Received: no such folder\."
    ):
        walk(Path(root / "nowhere"))
    with pytest.raises(DataError, match=r"/2\.png: expected a folder\. Received: a file\. Give a"):
        walk(Path(root / "2.png"))
    with pytest.raises(FileNotFoundError):
        problem(root / "nowhere")


def test_a_dot_within_a_name_hides_nothing_and_what_is_being_written_is_hidden():
    assert not is_hidden("a.b/c.d.png")
    assert is_hidden("a/b/.c/d.png")
    assert is_hidden("__MACOSX/x")
    assert is_hidden("log/1.tfrecord.part")
    assert is_unfinished("log/1.tfrecord.part")
    assert not is_unfinished("a.part/1")


def test_files_that_cannot_be_read_come_with_their_reasons(root):
    entries = {"a.png": "", "b.png": "a pipe, not a file", "c.png": ""}
    assert unreadable(Path(root), entries, ["a.png", "b.png"]) == {"b.png": "a pipe, not a file"}
    assert unreadable(Path(root), entries, []) == {}


def test_files_of_which_none_can_be_read_are_refused(root):
    entries = {"a.png": "", "b.png": "a pipe, not a file"}
    with pytest.raises(
        DataError,
        match=r"expected a file that can be read\. Received: 1 that cannot, such as b\.png: a pipe",
    ):
        unreadable(Path(root), entries, ["b.png"])
