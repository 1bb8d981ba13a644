"""The versions of a model: which are there, and which run pushed each."""

import pytest

from millrace.pipeline import registry
from tests.pipeline.test_pushed import _push


@pytest.fixture
def found(toy):
    def find():
        with toy.store.session() as session:
            return registry.versions_of(session, toy.store, toy.root, "toy")

    return find


def test_the_newest_version_is_served_and_each_knows_its_run_and_verdict(toy, found):
    first, second = _push(toy, 1), _push(toy, 2, "train.epochs=2")
    newest, before = found()
    assert [(one.number, one.state) for one in (newest, before)] == [(2, "served"), (1, "kept")]
    assert [one.push.run for one in (newest, before)] == [second.run, first.run]
    assert newest.push.recipe == "toy"
    assert newest.push.judged.metrics == {"accuracy": 0.5}
    assert newest.push.model.uri == str(second.artifacts["train"].path)


def test_versions_withdrawn_and_deleted_are_still_told(toy, found):
    for version in (1, 2, 3):
        _push(toy, version, f"train.epochs={version}")
    folder = toy.root.serving / "toy"
    (folder / ".withdrawn").mkdir()
    (folder / "3").rename(folder / ".withdrawn" / "3")
    (folder / "1").rmdir()
    states = {one.number: one.state for one in found()}
    assert states == {3: "withdrawn", 2: "served", 1: "deleted"}


def test_a_version_that_no_run_pushed_is_there_without_a_past(toy, found):
    (toy.root.serving / "toy" / "7").mkdir(parents=True)
    ((number, state, push),) = [(one.number, one.state, one.push) for one in found()]
    assert (number, state, push) == (7, "served", None)


def test_of_several_models_each_has_its_own_newest(toy):
    _push(toy, 5)
    (toy.root.serving / "other" / "5").mkdir(parents=True)
    with toy.store.session() as session:
        newest = registry.newest_of(session, toy.store, toy.root, ["toy", "other"])
    assert newest["toy"][0].push is not None
    assert newest["other"][0].push is None


def test_an_evaluation_whose_folder_has_gone_judges_no_more(toy, found):
    result = _push(toy, 1)
    result.artifacts["judge"].path.rmtree()
    result.artifacts["train"].path.rmtree()
    (one,) = found()
    assert one.push.judged is None
    assert one.push.description == {}
