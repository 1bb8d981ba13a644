"""An earlier model pushed again: by its version, by its run, and only if it was blessed."""

import json

import pytest

from millrace.components.artifacts import InfraBlessing
from millrace.components.pusher import pusher
from millrace.pipeline import pushed, pushing, registry
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError
from tests.pipeline import toys
from tests.pipeline.cli.conftest import millrace

__all__ = ["millrace"]


def _made(toy, text, *, bless=True, is_pushed=True):
    """A run of a model that holds `text`."""
    dag = Dag("toy")
    model = dag.step(toys.saved, text=text)
    dag.step(toys.judge, model=model, bless=bless)
    if is_pushed:
        dag.step(
            pusher,
            model=model,
            evaluation=dag.steps["judge"],
            model_name="toy",
            serving_root=str(toy.root.serving),
            keep=5,
        )
    return toy.carry_out(dag)


def _served(toy):
    newest = registry.numbers(toy.root, "toy")[0]
    return (toy.root.serving / "toy" / str(newest) / "saved_model.pb").read_text()


def test_an_earlier_version_is_served_again_as_a_new_one_that_a_run_has_pushed(toy, millrace):
    first = _made(toy, "one")
    _made(toy, "two")
    newest, oldest = registry.numbers(toy.root, "toy")
    assert _served(toy) == "two"
    code, out, _ = millrace(f"push toy {oldest} --json --root", toy.root.path)
    said = json.loads(out)
    assert (code, said["recipe"]) == (0, "push")
    assert _served(toy) == "one"
    assert registry.numbers(toy.root, "toy")[0] > newest
    assert len(registry.numbers(toy.root, "toy")) == 3
    assert pushed.last_push(toy.store, "toy")[0] == first.artifacts["saved"].path
    with toy.store.session() as session:
        again, *_ = registry.versions_of(session, toy.store, toy.root, "toy")
    assert (again.push.run, again.push.recipe) == (said["run"], "push")
    assert again.push.judged.blessed


def test_a_withdrawn_version_comes_back_by_its_number_or_its_run(toy, millrace):
    _made(toy, "one")
    run = _made(toy, "two").run
    withdrawn, _, _ = registry.roll_back(toy.root, "toy")
    assert _served(toy) == "one"
    assert millrace(f"push toy {withdrawn} --root", toy.root.path)[0] == 0
    assert _served(toy) == "two"
    registry.roll_back(toy.root, "toy")
    assert millrace(f"push toy {run[:-3]} --root", toy.root.path)[0] == 0
    assert _served(toy) == "two"


def test_without_a_version_it_is_the_newest_run_that_made_one(toy):
    _made(toy, "one")
    second = _made(toy, "two", is_pushed=False)
    found = pushing.find(toy.store, toy.root, "toy")
    assert (found.run, found.objections) == (second.run, [])
    assert found.settings == {"keep": 5}


def test_a_model_that_was_not_blessed_is_refused_unless_that_is_allowed(toy, millrace):
    run = _made(toy, "bad", bless=False).run
    code, _, err = millrace("push toy latest --root", toy.root.path)
    assert (code, err) == (
        2,
        f"millrace: Model 'toy': expected one that is blessed. Received: that of run {run}: the "
        "evaluator did not bless it (told so). Choose another, or push it all the same: "
        "--allow-unblessed.\n",
    )
    assert not toy.root.serving.exists()
    assert millrace("push toy latest --allow-unblessed --root", toy.root.path)[0] == 0
    assert _served(toy) == "bad"


def test_a_model_that_nobody_judged_is_not_blessed(toy):
    dag = Dag("toy")
    dag.step(toys.saved)
    toy.carry_out(dag)
    assert pushing.find(toy.store, toy.root, "toy").objections == ["no evaluator has judged it"]


def test_a_verdict_on_another_model_of_the_same_run_does_not_count(toy):
    dag = Dag("toy")
    judged = dag.step(toys.saved, text="judged")
    dag.step(toys.described)
    dag.step(toys.judge, model=judged, bless=True)
    toy.carry_out(dag)
    found = pushing.find(toy.store, toy.root, "toy")
    assert ("/described/" in found.model.uri, found.verdicts) == (True, {})


def test_what_the_infra_validator_says_counts(toy, tmp_path):
    _made(toy, "one")
    found = pushing.find(toy.store, toy.root, "toy")
    verdict = InfraBlessing(tmp_path / "infra")
    verdict.path.mkdir()
    verdict.write_verdict(blessed=False, reasons=["slow"])
    found.verdicts["infra"] = toy.store.source(verdict.path, "InfraBlessing")
    assert found.objections == ["the infra validator did not bless it (slow)"]


def test_what_is_no_version_and_no_run_of_the_model_is_refused(toy):
    _made(toy, "one")
    (toy.root.serving / "toy" / "99999999999").mkdir()
    for which, told in [
        ("99999999999", "version 99999999999: expected one that a run has pushed"),
        ("7", "Run '7': expected the id of one run"),
    ]:
        with pytest.raises(UsageError, match=told):
            pushing.find(toy.store, toy.root, "toy", which)
    with pytest.raises(UsageError, match="Model 'other': expected a version of it, or a run"):
        pushing.find(toy.store, toy.root, "other")


def test_a_model_that_is_gone_is_named(toy):
    result = _made(toy, "one")
    result.artifacts["saved"].path.rmtree()
    with pytest.raises(UsageError, match=rf"what run {result.run} has left of it\. Received: it"):
        pushing.find(toy.store, toy.root, "toy")
