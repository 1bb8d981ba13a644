"""Which figures are good enough, and what is said of them."""

import math

import pytest

from millrace.components.errors import OptionError
from millrace.components.evaluating.thresholds import Thresholds, judge

METRICS = {"accuracy": 0.9, "loss": 0.5}


def thresholds(**given):
    names = ("at_least", "at_most", "change_at_least", "change_at_most")
    return Thresholds(**{name: given.get(name, {}) for name in names})


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
    verdict = judge(thresholds(**given), METRICS, {"accuracy": 0.95, "loss": 0.4})
    assert (verdict.blessed, verdict.reasons) == (blessed, (line,))


def test_one_bound_not_held_is_enough_and_all_are_said():
    verdict = judge(thresholds(at_least={"accuracy": 0.5}, at_most={"loss": 0.1}), METRICS, None)
    assert not verdict.blessed
    assert len(verdict.reasons) == 2


def test_without_a_threshold_a_model_is_blessed_and_that_is_said():
    verdict = judge(thresholds(), METRICS, None)
    assert (verdict.blessed, verdict.reasons) == (True, ("no threshold is set",))


def test_changes_pass_where_there_is_nothing_to_compare_with():
    verdict = judge(thresholds(change_at_least={"accuracy": 0.0}), METRICS, None)
    assert verdict.blessed
    assert verdict.reasons == ("changes are not judged: there is no blessed model to compare with",)


def test_a_figure_that_is_not_a_number_holds_no_bound():
    metrics = {"loss": math.nan}
    assert not judge(thresholds(at_most={"loss": 1}), metrics, None).blessed
    assert not judge(thresholds(at_least={"loss": 1}), metrics, None).blessed


def test_an_unknown_metric_is_refused_with_those_there_are():
    with pytest.raises(
        OptionError,
        match=r"change_at_most: expected a metric of split 'test': accuracy, loss\. "
        r"Received: 'acuracy'\. Choose one",
    ):
        thresholds(change_at_most={"acuracy": 1}).check_names(METRICS, "split 'test'")
