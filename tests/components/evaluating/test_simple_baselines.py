"""One figure beside those of simple baselines: objections, and what is to a model's credit."""

import pytest

from millrace.components.evaluating.simple_baselines import (
    BaselineResults,
    SimpleBaseline,
    compare,
    improve_or_leave_out,
)

FIRST = SimpleBaseline(2.0, "naive's 2", "Look back further")
SECOND = SimpleBaseline(3.0, "the mean's 3", "Train for longer")


def test_all_that_is_beaten_is_said_on_one_line():
    assert compare("mae", 1.5, [FIRST, SECOND]) == BaselineResults(
        merits=("mae 1.5 beats naive's 2 and the mean's 3 on the same rows",)
    )


def test_the_same_figure_beats_none_and_each_objection_names_its_remedy():
    found = compare("mae", 3.0, [FIRST, SECOND])
    assert found.merits == ()
    assert found.objections == (
        "mae: expected less than naive's 2 on the same rows. Received: 3. Look back further",
        "mae: expected less than the mean's 3 on the same rows. Received: 3. Train for longer",
    )


def test_of_some_figures_more_is_better():
    found = compare("recall", 2.5, [FIRST, SECOND], better="more")
    assert found == BaselineResults(
        objections=(
            "recall: expected more than the mean's 3 on the same rows. Received: 2.5. "
            "Train for longer",
        ),
        merits=("recall 2.5 beats naive's 2 on the same rows",),
    )
    assert compare("recall", 2.0, [FIRST], better="more").merits == ()


def test_no_figure_at_all_beats_none():
    assert len(compare("mae", float("nan"), [FIRST, SECOND]).objections) == 2
    assert len(compare("mae", float("nan"), [PERFECT], noise=1e-6).objections) == 1


PERFECT = SimpleBaseline(0.0, "seasonal_naive's 0", "Look back further")


@pytest.mark.parametrize(("value", "noise"), [(0.0, 0.0), (0.0, 1e-6), (1e-6, 1e-6)])
def test_as_good_as_one_that_is_never_off_is_enough(value, noise):
    found = compare("mae", value, [FIRST, PERFECT], noise=noise)
    assert found == BaselineResults(
        merits=(
            f"mae {value:.6g} beats naive's 2 on the same rows",
            f"mae {value:.6g} is as good as seasonal_naive's 0 on the same rows",
        )
    )


@pytest.mark.parametrize(("noise", "aside"), [(0.0, ""), (4e-7, ", rounding of 4e-07 aside")])
def test_an_error_beyond_rounding_is_not_as_good_as_none(noise, aside):
    found = compare("mae", 1e-6, [PERFECT], noise=noise)
    assert found.merits == ()
    assert found.objections == (
        f"mae: expected no more than seasonal_naive's 0 on the same rows{aside}. Received: 1e-06. "
        "Look back further",
    )


def test_less_by_rounding_alone_beats_none():
    found = compare("mae", 2.0 - 1e-7, [FIRST], noise=1e-6)
    assert found.objections == (
        "mae: expected less than naive's 2 on the same rows, rounding of 1e-06 aside. Received: 2. "
        "Look back further",
    )
    assert compare("mae", 2.0 - 2e-6, [FIRST], noise=1e-6).objections == ()


def test_without_baselines_there_is_nothing_to_say():
    assert compare("mae", 1.5, []) == BaselineResults((), (), ())


def test_the_remedy_names_the_option():
    assert improve_or_leave_out("naive") == (
        "Improve the model, or leave naive out of evaluator.must_beat"
    )
