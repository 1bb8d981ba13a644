"""A person's own modules as an archive: what is in it, and how a worker gets them."""

import hashlib
import importlib
import io
import os
import sys
import time
import zipfile

import pytest

from millrace.components.user_code import modules, packed, source_code


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of a person's own, importable, which is forgotten at the end."""
    folder = tmp_path / "project"
    (folder / "mine").mkdir(parents=True)
    (folder / "mine" / "__init__.py").touch()
    (folder / "mine" / "words.txt").write_text("sun")
    (folder / "mine" / "other.py").write_text("FILE = 'words.txt'\n")
    (folder / "mine" / "model.py").write_text("from mine import other\n\ndef build(): return 1\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(packed, "_own", set())
    monkeypatch.setattr(packed, "_used", [])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(modules, "imported", lambda: [])
    source_code.forget()
    before = list(sys.path)
    yield folder
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]
    source_code.forget()


def _names(archive):
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_what_a_pickle_names_is_packed_with_all_that_it_reaches(project):
    archive = packed.pack(b"...mine.model:build... keras:Model... nothing:here")
    assert _names(archive) == [
        "mine/__init__.py",
        "mine/model.py",
        "mine/other.py",
        "mine/words.txt",
    ]
    assert packed.pack(b"mine.model:build") == archive


def test_modules_that_were_imported_are_packed(project, monkeypatch):
    monkeypatch.setattr(modules, "imported", lambda: [("mine.other", None)])
    assert _names(packed.pack(b"")) == ["mine/__init__.py", "mine/other.py", "mine/words.txt"]


def test_without_code_of_ones_own_the_archive_is_empty_and_changes_nothing(project, tmp_path):
    archive, before = packed.pack(b"millrace.run:run keras.models:Model"), list(sys.path)
    assert archive == b""
    packed.unpack(archive)
    assert sys.path == before


def test_another_archive_takes_the_place_of_the_one_before(project, tmp_path, monkeypatch):
    def archive(answer):
        (project / "mine" / "model.py").write_text(f"def build(): return {answer}\n")
        source_code.forget()
        return packed.pack(b"mine.model:build")

    first, second = archive(17), archive(18)
    monkeypatch.setattr(packed, "_own", set())  # as on a worker
    sys.path.remove(str(project))
    before = list(sys.path)
    for each, answer in ((first, 17), (first, 17), (second, 18), (first, 17)):
        packed.unpack(each)
        assert importlib.import_module("mine.model").build() == answer
        assert len(sys.path) == len(before) + 1
    assert len(list(tmp_path.glob("millrace-code-*"))) == 2


def test_the_process_that_packed_keeps_its_own(project, tmp_path):
    archive, before = packed.pack(b"mine.model:build"), list(sys.path)
    packed.unpack(archive)
    assert sys.path == before


@pytest.mark.parametrize("taken", ["a folder of another user", "a link to one's own folder"])
def test_nothing_is_imported_from_a_folder_that_somebody_else_has_put_there(
    project, tmp_path, monkeypatch, taken
):
    archive = packed.pack(b"mine.model:build")
    monkeypatch.setattr(packed, "_own", set())  # as on a worker
    sys.path.remove(str(project))
    theirs = tmp_path / "theirs"
    (theirs / "mine").mkdir(parents=True)
    (theirs / "mine" / "model.py").write_text("def build(): return 'theirs'\n")
    digest = hashlib.sha256(archive).hexdigest()[:16]
    place = tmp_path / f"millrace-code-{os.getuid()}-{digest}"
    if taken.startswith("a link"):
        place.symlink_to(theirs)
    elif os.getuid():
        pytest.skip("only root can give a folder to somebody else")
    else:
        theirs.rename(place)
        os.chown(place, 65534, 65534)
    packed.unpack(archive)
    assert importlib.import_module("mine.model").build() == 1


def test_of_unpacked_folders_that_nobody_uses_any_more_the_last_few_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "_KEPT", 2)
    for number, age in enumerate((9000, 8000, 7000, 10)):
        folder = tmp_path / f"millrace-code-{number}"
        folder.mkdir()
        os.utime(folder, (time.time() - age,) * 2)
    packed._remove_old(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == [
        *("millrace-code-2", "millrace-code-3")
    ]
    monkeypatch.setattr(packed, "_KEPT", 1)
    os.utime(tmp_path / "millrace-code-2")
    packed._remove_old(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
