"""A run has a set of plain words and one note; what cannot be either is refused whole."""

import pytest
import sqlalchemy as sa

from millrace.pipeline.errors import UsageError
from millrace.pipeline.runs import open_run, runs
from millrace.pipeline.store import Store


def told(toy, run):
    """The tags and the note of `run`, as Python sees them."""
    found = open_run(run, toy.root.path)
    return found.tags, found.note


def test_a_run_keeps_a_set_of_words_and_the_last_note(toy):
    run = toy.run().run
    assert told(toy, run) == ((), "")
    toy.store.tag(run, ["good", "keep", "good"], note="first try")
    toy.store.tag(run, ["keep", "v1.2-b_ä"])
    assert told(toy, run) == (("good", "keep", "v1.2-b_ä"), "first try")
    toy.store.tag(run, remove=["good", "absent"], note="better than the last")
    assert told(toy, run) == (("keep", "v1.2-b_ä"), "better than the last")
    toy.store.tag(run, note="")
    assert told(toy, run) == (("keep", "v1.2-b_ä"), "")


def test_only_the_runs_with_every_one_of_the_tags_are_listed(toy):
    first, second, third = (toy.run(f"train.epochs={n}").run for n in (1, 2, 3))
    toy.store.tag(first, ["a", "b"])
    toy.store.tag(third, ["b"])

    def listed(*tags):
        with toy.store.session() as session:
            return [run.id for run in toy.store.runs(session, tags)]

    assert listed("b") == [third, first]
    assert listed("a", "b") == [first]
    assert listed("c") == []
    assert listed() == [third, second, first]


def test_the_tags_of_many_runs_are_one_query(toy):
    first, second = toy.run().run, toy.run("train.epochs=2").run
    toy.store.tag(first, ["b", "a"])
    asked = []
    with toy.store.session() as session:
        sa.event.listen(toy.store.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
        assert toy.store.tags(session, [first, second]) == {first: ["a", "b"], second: []}
        assert toy.store.tags(session) == {first: ["a", "b"]}
    assert sum(each.startswith("SELECT") for each in asked) == 2
    assert [run.tags for run in runs(toy.root.path)] == [(), ("a", "b")]


@pytest.mark.parametrize("text", ["", "two words", "-x", "a/b", "<b>", "a" * 65, "a\n"])
def test_what_is_no_word_is_refused_and_nothing_is_changed(toy, text):
    run = toy.run().run
    with pytest.raises(UsageError, match=r"Tag '.*: expected a word of letters.*--note TEXT"):
        toy.store.tag(run, ["good", text], note="new")
    assert told(toy, run) == ((), "")


@pytest.mark.parametrize("text", ["a" * 10_001, "a\0b"])
def test_what_cannot_be_a_note_is_refused_and_nothing_is_changed(toy, text):
    run = toy.run().run
    with pytest.raises(UsageError, match=r"Note: expected a text of at most 10,000 letters"):
        toy.store.tag(run, ["good"], note=text)
    assert told(toy, run) == ((), "")


def test_two_who_tag_a_run_at_once_both_have_their_way(toy):
    run = toy.run().run
    other = Store.open(toy.root.store_url)
    toy.store.tag(run, ["same", "mine"])
    other.tag(run, ["same", "theirs"])
    assert told(toy, run)[0] == ("mine", "same", "theirs")
