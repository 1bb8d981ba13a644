"""What blesses a model and what does not, from the content of `metrics.json` alone."""

import pytest

from millrace.components.evaluating import verdict
from millrace.components.evaluating.thresholds import Thresholds

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


def reach(found, not_compared="", allow_inconclusive=False, **bounds):
    names = ("at_least", "at_most", "change_at_least", "change_at_most")
    thresholds = Thresholds(**{name: bounds.get(name, {}) for name in names})
    reached = verdict.reach(found, verdict.Rules(thresholds, allow_inconclusive), not_compared)
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
