"""Which steps a run is for, and choices that leave none."""

import pytest

from millrace.pipeline.errors import UsageError
from millrace.pipeline.run_request import Selection


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
