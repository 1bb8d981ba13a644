"""Runs are found by their beginning, files are read again only when they changed."""

import os
import time

import pytest
from etils.epath import Path

from millrace.components.files import folders
from millrace.pipeline.errors import StoreError, UsageError
from millrace.pipeline.store import Store


def test_a_run_is_found_by_its_id_its_beginning_or_as_the_latest(toy):
    result = toy.run()
    with toy.store.session() as session:
        for name in (result.run, result.run[:-2], "latest"):
            assert toy.store.find_run(session, name).id == result.run


def test_an_unknown_run_lists_those_there_are(toy):
    result = toy.run()
    with (
        toy.store.session() as session,
        pytest.raises(UsageError, match=f"Run 'nope'.*There are: {result.run}"),
    ):
        toy.store.find_run(session, "nope")


def test_a_store_that_cannot_be_opened_says_what_to_check(tmp_path):
    with pytest.raises(StoreError, match=r"x\.db: .*unable to open.*check the path"):
        Store.open(f"sqlite:///{tmp_path}/no/such/folder/x.db")


def test_a_file_with_an_unchanged_stat_is_not_read_again(toy, monkeypatch):
    old = time.time() - 100
    os.utime(toy.data / "a.txt", (old, old))
    monkeypatch.setattr("millrace.pipeline.store.RACY_SECONDS", -1)
    read = []
    digest_of = folders.file_digest
    monkeypatch.setattr(folders, "file_digest", lambda f: read.append(f.name) or digest_of(f))
    first = toy.store.source_digest(Path(toy.data))
    assert toy.store.source_digest(Path(toy.data)) == first
    assert read == ["a.txt"]
    (toy.data / "a.txt").write_text("abd")
    assert toy.store.source_digest(Path(toy.data)) != first
    assert read == ["a.txt", "a.txt"]


def test_a_file_changed_a_moment_ago_is_not_trusted(toy, monkeypatch):
    read = []
    digest_of = folders.file_digest
    monkeypatch.setattr(folders, "file_digest", lambda f: read.append(f.name) or digest_of(f))
    toy.store.source_digest(Path(toy.data))
    toy.store.source_digest(Path(toy.data))
    assert read == ["a.txt", "a.txt"]


def test_a_source_is_recorded_once_while_its_content_is_the_same(toy):
    first = toy.store.source(Path(toy.data), "RawFiles")
    again = toy.store.source(Path(toy.data), "RawFiles")
    (toy.data / "b.txt").write_text("d")
    changed = toy.store.source(Path(toy.data), "RawFiles")
    assert first.id == again.id != changed.id
