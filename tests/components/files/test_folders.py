"""Copies and digests of whole folders."""

import os
import pathlib

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.files.folders import copy_tree, digests, file_digest, files, sync_tree


@pytest.fixture
def folder(tmp_path):
    source = Path(tmp_path / "source")
    (source / "b" / "empty").mkdir(parents=True)
    (source / "b" / "two.bin").write_bytes(b"\x00\x01" * 700_000)
    (source / ".dot").write_text("one")
    return source


def test_a_copy_has_the_same_files_and_folders(folder, tmp_path):
    copy_tree(folder, Path(tmp_path / "deep" / "copy"))
    copied = Path(tmp_path / "deep" / "copy")
    assert [name for name, _ in files(copied)] == [".dot", "b/two.bin"]
    assert (copied / "b" / "empty").is_dir()
    assert digests(copied) == digests(folder)


def test_the_folders_are_synced_after_their_files(folder, monkeypatch):
    synced = []

    def note(descriptor):
        synced.append(pathlib.Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    pathlib.Path(folder / "dangling").symlink_to("nowhere")
    sync_tree(folder)
    names = [str(path.relative_to(folder)) for path in synced]
    assert (set(names[:2]), set(names[2:])) == ({"b/two.bin", ".dot"}, {"b/empty", "b", "."})
    assert len(names) == 5
    sync_tree(folder / ".dot")
    assert synced[-1] == pathlib.Path(folder / ".dot")


def test_the_digest_of_a_file_is_the_sha_256_of_its_bytes(tmp_path):
    file = tmp_path / "abc"
    file.write_bytes(b"abc")  # the example of FIPS 180-2, appendix B.1
    said = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(file) == said
    assert digests(Path(tmp_path)) == {"abc": said}


def test_digests_change_with_a_byte_and_with_a_name(folder):
    before = digests(folder)
    (folder / ".dot").write_text("two")
    after = digests(folder)
    assert before[".dot"] != after[".dot"]
    assert before["b/two.bin"] == after["b/two.bin"]
    (folder / ".dot").rename(folder / ".dott")
    assert digests(folder) == {"b/two.bin": after["b/two.bin"], ".dott": after[".dot"]}


@given(
    contents=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.binary(max_size=3), max_size=3),
        min_size=2,
        max_size=2,
    )
)
def test_digests_are_equal_only_for_equal_content(tmp_path_factory, contents):
    found = []
    for content in contents:
        folder = Path(tmp_path_factory.mktemp("digest"))
        for name, data in content.items():
            (folder / name).write_bytes(data)
        found.append(digests(folder))
    assert (found[0] == found[1]) == (contents[0] == contents[1])
