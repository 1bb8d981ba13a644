"""`verify` reads every output, names what is damaged, and sets it aside where it is asked to."""

from millrace.components.artifacts import Examples, Statistics
from millrace.components.files import folders
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.verification import verify
from tests.pipeline import toys
from tests.pipeline.test_damage import dead, empty, flip


def test_whole_outputs_are_counted(toy):
    toy.run()
    found = verify(toy.store, toy.root, repair=False)
    assert (found.checked, found.gone, found.damaged) == (5, 0, ())


def test_one_turned_bit_is_found_and_named(toy):
    result = toy.run()
    folder = result.output(Statistics).path
    flip(folder / "count")
    toy.run()
    assert toys.CALLS == []
    (one,) = verify(toy.store, toy.root, repair=False).damaged
    assert one.as_json() == {
        "artifact": 3,
        "type": "Statistics",
        "step": "count",
        "run": result.run,
        "path": str(folder),
        "files": [{"file": str(folder / "count"), "problem": "has other content"}],
        "set_aside": None,
    }
    assert folder.exists()


def test_repair_sets_aside_what_is_damaged_and_the_next_run_makes_it_again(toy):
    folder = toy.run().output(Statistics).path
    flip(folder / "count")
    (one,) = verify(toy.store, toy.root, repair=True).damaged
    assert one.set_aside == toy.root.path / "damaged" / folder.relative_to(toy.root.path)
    assert (one.set_aside / "count").exists()
    assert not folder.exists()
    found = verify(toy.store, toy.root, repair=True)
    assert (found.checked, found.gone, found.damaged) == (4, 1, ())
    toy.run()
    assert toys.CALLS == ["count"]


def test_every_damaged_file_is_named(toy):
    folder = toy.run().output(Examples).path
    empty(folder / "text")
    (folder / "examples.json").unlink()
    (one,) = verify(toy.store, toy.root, repair=False).damaged
    assert [str(each) for each in one.files] == [
        "examples.json is missing",
        "text has 0 bytes instead of 3",
    ]


def test_an_output_of_an_older_store_is_held_to_its_digest_and_its_files_are_known_then(toy):
    result = toy.run()
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE artifact SET files = NULL")
    flip(result.output(Statistics).path / "count")
    (one,) = verify(toy.store, toy.root, repair=False).damaged
    assert (one.step, str(one.files[0])) == ("count", "it has other content")
    empty(result.output(Examples).path / "text")
    toy.run()
    assert toys.CALLS == ["read"]


def test_what_is_found_whole_after_a_death_is_not_read_again(toy, monkeypatch):
    result = toy.run()
    dead(toy, result.run)
    assert verify(toy.store, toy.root, repair=False).damaged == ()
    read = []
    digest_of = folders.file_digest
    monkeypatch.setattr(folders, "file_digest", lambda f: read.append(f.name) or digest_of(f))
    toy.run()
    assert set(read) <= {"a.txt"}


def test_outputs_of_a_root_that_was_moved_are_counted_as_elsewhere(toy, tmp_path):
    toy.run()
    moved = Root(tmp_path / "moved")
    found = verify(toy.store, moved, repair=False)
    assert (found.checked, found.gone, found.elsewhere, found.damaged) == (0, 0, 5, ())


def test_outputs_of_other_roots_in_a_shared_store_are_none_of_this_ones(toy, tmp_path):
    toy.run()
    shared = Store(toy.store.engine, str(tmp_path / "other"))
    found = verify(shared, Root(tmp_path / "other"), repair=False)
    assert (found.checked, found.gone, found.elsewhere) == (0, 0, 0)
