"""Which steps a run is for, and choices that leave none."""

import pytest

from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes import catalog
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import ALL_STEPS, RunRequest, Selection


def machines(strategy="multi_worker"):
    """The steps of a recipe that trains by that strategy."""
    settings = [f"trainer.strategy={strategy}"]
    return catalog.wire("line-fit", Root("nowhere"), settings=settings)


def test_steps_between_two_are_chosen(toy):
    assert Selection(("count",), ("validate",)).chosen(toy.dag()) == {"count", "validate"}


def test_from_a_step_to_one_before_it_is_refused(toy):
    with pytest.raises(
        UsageError,
        match=r"^--from train --to read: expected a step on the way from the one to the other\. "
        r"Received: none\. The order is read, count, validate, train, judge\.$",
    ):
        Selection(("train",), ("read",)).chosen(toy.dag())


@pytest.mark.parametrize(
    "selection", [Selection(("no",)), Selection((), ("no",)), Selection(force=("no",))]
)
def test_a_step_that_there_is_not_is_refused(toy, selection):
    with pytest.raises(UsageError, match=r"^Pipeline toy: no step `no`\."):
        selection.chosen(toy.dag())


def test_a_step_that_is_left_out_cannot_be_forced(toy):
    with pytest.raises(
        UsageError, match=r"^--force train: expected a step of this run\. Received: one that --only"
    ):
        Selection(only="count", force=("train",)).chosen(toy.dag())
    assert Selection(only="count", force=("count",)).chosen(toy.dag()) == {"count"}


@pytest.mark.parametrize("selection", [ALL_STEPS, Selection(only="trainer")])
def test_a_training_on_machines_that_tf_config_does_not_name_is_refused(selection, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UsageError, match=r"^trainer\.strategy=multi_worker: expected TF_CONFIG in"):
        RunRequest(machines(), "line-fit", "", selection=selection)
    cluster = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
    monkeypatch.setenv("TF_CONFIG", cluster)
    with pytest.raises(UsageError, match=r"expected the first rank of TF_CONFIG, a:1"):
        RunRequest(machines(), "line-fit", "", selection=selection)
    monkeypatch.setenv("TF_CONFIG", cluster.replace('"index": 1', '"index": 0'))
    RunRequest(machines(), "line-fit", "", selection=selection)


def test_what_does_not_train_needs_no_machines(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    RunRequest(machines(), "line-fit", "", selection=Selection(last=("transform",)))
    RunRequest(machines("mirrored"), "line-fit", "")
