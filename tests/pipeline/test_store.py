"""Runs are found by their beginning, files are read again only when they changed."""

import os
import time

import pytest
from etils.epath import Path

from millrace.components.files import folders
from millrace.pipeline import lineage
from millrace.pipeline.errors import StoreError, UsageError
from millrace.pipeline.root import Root
from millrace.pipeline.runs import runs
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


def test_of_the_roots_that_share_a_store_each_sees_its_own_runs(toy, tmp_path, monkeypatch):
    first, second = toy.root, Root(tmp_path / "second")
    here = toy.run().run
    toy.root = second
    there = toy.run().run
    monkeypatch.setenv("MILLRACE_STORE", first.store_url)
    for root, run in ((first, here), (second, there)):
        store = Store.of(root)
        assert [one.id for one in runs(root.path)] == [run]
        with store.session() as session:
            assert store.find_run(session, "latest").id == run
            assert store.last_execution(session, "toy", "train").run_id == run
            (output,) = store.outputs(session, "toy", "train")
            assert lineage.find_artifact(session, "train", store.within) is output
            assert root.contains(output.uri)


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
