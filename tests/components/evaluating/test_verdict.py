"""What blesses a model and what does not, from the content of `metrics.json` alone."""

import math

import pytest

from millrace.components.errors import OptionError
from millrace.components.evaluating import verdict
from millrace.components.evaluating.verdict import Thresholds, check

BETTER = "accuracy 0.9 beats 0.5 on the same rows"
DROP = {
    "metric": "accuracy",
    "is_drop": True,
    "said": "accuracy: was 1.000, now 0.786 on the same 28 rows",
    "bound": "evaluator.change_at_least.accuracy=-0.216",
}


def summary(**more):
    return {
        "split": "test",
        "count": 28,
        "metrics": {"accuracy": 0.786},
        "baseline": None,
        "comparison": None,
        "cannot_judge": "",
        "rejected": 0,
        "objections": [],
        "merits": [BETTER],
        "not_asked": [],
    } | more


def thresholds(**given):
    names = ("at_least", "at_most", "change_at_least", "change_at_most")
    return Thresholds(**{name: given.get(name, {}) for name in names})


def reach(found, not_compared="", allow_inconclusive=False, **bounds):
    reached = verdict.reach(
        found,
        thresholds(**bounds),
        allow_inconclusive=allow_inconclusive,
        not_compared=not_compared,
    )
    return reached.blessed, list(reached.reasons)


JUDGED = "judged by 28 rows of split 'test'"


def test_a_model_is_blessed_for_its_merits():
    assert reach(summary()) == (True, [BETTER, JUDGED])


def test_rows_that_cannot_judge_bless_nothing_and_the_option_is_named():
    assert reach(summary(cannot_judge="every row is of the class 'neg'")) == (
        False,
        [
            "split 'test' cannot judge a model: every row is of the class 'neg'. Give it more "
            "rows, and of more than one kind, or set evaluator.allow_inconclusive=true",
            BETTER,
            JUDGED,
        ],
    )


def test_a_person_may_bless_on_rows_that_cannot_judge_and_that_is_said():
    found = summary(cannot_judge="every row is of the class 'neg'")
    assert reach(found, allow_inconclusive=True) == (
        True,
        [
            BETTER,
            "split 'test' cannot judge a model: every row is of the class 'neg'; "
            "evaluator.allow_inconclusive blesses all the same",
            JUDGED,
        ],
    )


def test_a_drop_is_not_blessed_and_the_threshold_that_allows_it_is_named():
    found = summary(comparison=DROP, baseline={"metrics": {"accuracy": 1.0}})
    assert reach(found) == (
        False,
        [
            "accuracy: was 1.000, now 0.786 on the same 28 rows. Improve the model, or allow the "
            "drop by evaluator.change_at_least.accuracy=-0.216",
            BETTER,
            JUDGED,
        ],
    )


@pytest.mark.parametrize(("least", "blessed"), [(-0.216, True), (-0.2, False)])
def test_a_threshold_on_the_change_takes_the_place_of_the_interval(least, blessed):
    found = summary(comparison=DROP, baseline={"metrics": {"accuracy": 1.0}})
    assert reach(found, change_at_least={"accuracy": least}) == (
        blessed,
        [
            f"change of accuracy: expected at least {least}. Received: -0.214. "
            + ("Held" if blessed else "Not held"),
            BETTER,
            DROP["said"],
            JUDGED,
        ],
    )


def test_a_threshold_on_another_change_does_not():
    both = {"accuracy": 1.0, "loss": 0.1}
    metrics = {"accuracy": 0.786, "loss": 0.1}
    found = summary(comparison=DROP, metrics=metrics, baseline={"metrics": both})
    assert not reach(found, change_at_most={"loss": 0.5})[0]


def test_a_change_that_is_no_drop_is_said():
    found = summary(comparison=DROP | {"is_drop": False})
    assert reach(found) == (True, [BETTER, DROP["said"], JUDGED])


def test_a_model_that_cannot_be_compared_holds_up_nothing_and_that_is_said():
    assert reach(summary(), "its label is 'a', not 'b'") == (
        True,
        [
            BETTER,
            JUDGED,
            "the last blessed model cannot be compared: its label is 'a', not 'b'",
        ],
    )


def test_a_bound_on_a_figure_that_rows_of_one_class_do_not_have_does_not_hold():
    found = summary(cannot_judge="every row is of one class")
    blessed, reasons = reach(found, allow_inconclusive=True, at_least={"auc": 0.5})
    assert not blessed
    assert (
        reasons[0] == "auc: expected at least 0.5. Received: no such figure of these rows. Not held"
    )


METRICS = {"accuracy": 0.9, "loss": 0.5}


@pytest.mark.parametrize(
    ("given", "blessed", "line"),
    [
        (
            {"at_least": {"accuracy": 0.9}},
            True,
            "accuracy: expected at least 0.9. Received: 0.9. Held",
        ),
        (
            {"at_least": {"accuracy": 0.901}},
            False,
            "accuracy: expected at least 0.901. Received: 0.9. Not held",
        ),
        ({"at_most": {"loss": 0.5}}, True, "loss: expected at most 0.5. Received: 0.5. Held"),
        ({"at_most": {"loss": 0.4}}, False, "loss: expected at most 0.4. Received: 0.5. Not held"),
        (
            {"change_at_least": {"accuracy": 0.0}},
            False,
            "change of accuracy: expected at least 0. Received: -0.05. Not held",
        ),
        (
            {"change_at_most": {"loss": 0.1}},
            True,
            "change of loss: expected at most 0.1. Received: 0.1. Held",
        ),
    ],
)
def test_a_bound_is_judged_and_said(given, blessed, line):
    found = check(thresholds(**given), METRICS, {"accuracy": 0.95, "loss": 0.4})
    assert (found.blessed, found.reasons) == (blessed, (line,))


def test_one_bound_not_held_is_enough_and_all_are_said():
    found = check(thresholds(at_least={"accuracy": 0.5}, at_most={"loss": 0.1}), METRICS, None)
    assert not found.blessed
    assert len(found.reasons) == 2


def test_without_a_threshold_a_model_is_blessed_and_that_is_said():
    found = check(thresholds(), METRICS, None)
    assert (found.blessed, found.reasons) == (True, ("no threshold is set",))


def test_changes_pass_where_there_is_nothing_to_compare_with():
    found = check(thresholds(change_at_least={"accuracy": 0.0}), METRICS, None)
    assert found.blessed
    assert found.reasons == ("changes are not judged: there is no blessed model to compare with",)


def test_a_figure_that_is_not_a_number_holds_no_bound():
    metrics = {"loss": math.nan}
    assert not check(thresholds(at_most={"loss": 1}), metrics, None).blessed
    assert not check(thresholds(at_least={"loss": 1}), metrics, None).blessed


def test_an_unknown_metric_is_refused_with_those_there_are():
    with pytest.raises(
        OptionError,
        match=r"change_at_most: expected a metric of split 'test': accuracy, loss\. "
        r"Received: 'acuracy'\. Choose one",
    ):
        thresholds(change_at_most={"acuracy": 1}).check_names(METRICS, "split 'test'")
