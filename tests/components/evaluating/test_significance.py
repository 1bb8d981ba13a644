"""What rows can tell: intervals of changes, checked against scipy, and rows that cannot judge."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from millrace.components.evaluating import scoring, significance
from millrace.components.evaluating.significance import Change, Differences

INTEGERS = st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=30)


def change(was, now, interval, *, metric="accuracy", better="more", noise=0.0):
    return Change(metric, better, was, now, 28, interval, noise)


@given(INTEGERS, st.integers(0, 30))
def test_differences_are_the_same_in_any_parts(values, cut):
    parts = [{"test": Differences.of(part)} for part in (values[:cut], values[cut:])]
    assert scoring.added(parts) == {"test": Differences.of(values)}


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=60))
def test_the_interval_of_a_share_excludes_0_just_where_mcnemars_exact_test_rejects(values):
    low, high = significance.of_shares(Differences.of(values))
    lost, gained = values.count(-1), values.count(1)
    rejected = lost + gained > 0 and stats.binomtest(gained, lost + gained).pvalue < 0.05
    assert (low > 0 or high < 0) == rejected
    assert low <= sum(values) / len(values) <= high


def test_six_rows_lost_and_none_won_are_a_drop_and_five_are_not():
    six, five = (Differences.of([-1] * lost + [0] * (28 - lost)) for lost in (6, 5))
    # none of six: at most 1 - 0.025 ** (1 / 6) of them, by Clopper and Pearson
    assert significance.of_shares(six) == pytest.approx(
        (-6 / 28, 6 / 28 * (1 - 2 * 0.025 ** (1 / 6)))
    )
    assert change(1.0, 22 / 28, significance.of_shares(six)).is_drop
    assert not change(1.0, 23 / 28, significance.of_shares(five)).is_drop


def test_models_that_are_right_on_the_same_rows_did_not_change():
    assert significance.of_shares(Differences.of([0] * 9)) == (0.0, 0.0)
    assert not change(0.5, 0.5, (0.0, 0.0)).is_drop


@given(INTEGERS)
def test_the_interval_of_a_mean_is_that_of_the_paired_t_test(values):
    found = significance.of_means(Differences.of(values), shift=8)
    scaled = np.array(values) / 2**8
    if np.ptp(scaled) == 0:
        assert found == (scaled[0], scaled[0])
        return
    expected = stats.ttest_1samp(scaled, 0).confidence_interval(0.95)
    assert found == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-6)


def test_the_mean_may_be_of_more_than_rows():
    low, high = significance.of_means(Differences.of([2, 4]), shift=0)
    assert significance.of_means(Differences.of([2, 4]), shift=0, per=4) == (low / 4, high / 4)


def test_one_row_has_no_interval_and_is_no_drop():
    assert significance.of_means(Differences.of([7]), shift=0) is None
    found = change(1.0, 8.0, None, metric="mae", better="less")
    assert not found.is_drop
    assert found.said == (
        "mae: was 1, now 8 on the same 28 rows; these are too few for an interval of the change"
    )


def forecasts(values, overlap, times=None, counts=None):
    sums = np.array(values, float)
    times = np.arange(len(values)) if times is None else np.array(times)
    return significance.of_forecasts(sums, np.array(counts or [1] * len(values)), times, overlap)


def test_windows_that_do_not_overlap_are_held_to_the_paired_t_test():
    values = [1.0, 3.0, -2.0, 0.5]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert forecasts(values, 1) == pytest.approx((expected.low, expected.high))


def test_windows_that_overlap_tell_less_than_as_many_that_do_not():
    values = np.repeat([1.0, 3.0, 2.0, 4.0, 2.5], 4)  # as neighbours that share their steps
    apart, overlapping = forecasts(values, 1), forecasts(values, 4)
    assert overlapping[0] < apart[0] < apart[1] < overlapping[1]
    # by hand: the Bartlett weights 1, 3/4, 1/2, 1/4 of the lags, and the short-sample factor
    off = values - values.mean()
    weighted = [
        (1 if lag == 0 else 2) * (1 - lag / 4) * (off[lag:] @ off[: 20 - lag]) for lag in range(4)
    ]
    short = 20 / (20 + 1 - 8 + 12 / 20)
    reach = stats.t.ppf(0.975, 19) * math.sqrt(sum(weighted) * short) / 20
    assert overlapping == pytest.approx((values.mean() - reach, values.mean() + reach))


def test_series_that_move_together_tell_no_more_than_one_of_them():
    values, times = [1.0, 3.0, -2.0, 0.5], [0, 1, 2, 3]
    assert forecasts(values * 3, 1, times * 3) == pytest.approx(forecasts(values, 1))


def test_a_window_counts_by_the_values_that_it_forecasts():
    low, high = forecasts([2.0, 6.0, -4.0, 1.0], 1, counts=[2, 2, 2, 2])
    assert (low, high) == pytest.approx(forecasts([1.0, 3.0, -2.0, 0.5], 1))


def test_no_more_windows_than_share_a_step_have_no_interval():
    assert forecasts([1.0, 2.0, 3.0], 3) is None
    assert forecasts([1.0, 2.0, 3.0, 4.0], 3) is not None


@pytest.mark.parametrize(
    ("better", "interval", "noise", "is_drop"),
    [
        ("more", (-0.3, -0.1), 0.0, True),
        ("more", (-0.3, 0.0), 0.0, False),
        ("more", (0.1, 0.3), 0.0, False),
        ("less", (0.1, 0.3), 0.0, True),
        ("less", (0.0, 0.3), 0.0, False),
        ("less", (-0.3, -0.1), 0.0, False),
        ("less", (0.1, 0.3), 0.2, False),
    ],
)
def test_a_drop_is_a_change_whose_whole_interval_is_worse(better, interval, noise, is_drop):
    assert change(0.5, 0.4, interval, better=better, noise=noise).is_drop is is_drop


def test_a_change_is_said_with_both_figures_and_the_bound_that_allows_it():
    found = change(1.0, 22 / 28, (-0.214, -0.0177))
    assert found.said == (
        "accuracy: was 1.000, now 0.786 on the same 28 rows; change -0.214, 95% interval -0.214 "
        "to -0.0177"
    )
    assert found.bound == "evaluator.change_at_least.accuracy=-0.216"
    found = change(1.5, 2.0, (0.25, 0.75), metric="mae", better="less")
    assert found.bound == "evaluator.change_at_most.mae=0.505"


@given(st.floats(1e-6, 1e6))
def test_the_bound_that_is_named_allows_the_change(size):
    found = change(0.0, size, (size, size), metric="mae", better="less")
    assert float(found.bound.partition("=")[2]) >= size


@pytest.mark.parametrize(
    ("counts", "chance"),
    [
        ([1], 1),
        ([20], 1),
        ([1, 1], 1 / 4),
        ([2, 1], 4 / 27),
        ([2, 2], 1 / 16),
        ([3, 2], 108 / 3125),
        ([4, 2], 16 / 729),
        ([1, 1, 1], 1 / 27),
        ([9, 1], 0.9**9 / 10),
        ([10**9, 10**9], 0),
    ],
)
def test_guesses_from_the_truths_are_all_right_by_chance(counts, chance):
    assert significance.of_guesses(counts) == pytest.approx(chance)


def test_luck_one_time_in_twenty_is_rare_enough_to_judge():
    assert significance.cannot_judge(1 / 20, "is lucky") == ""
    assert significance.cannot_judge(1 / 16, "is lucky") == (
        "a model that knows nothing is lucky 1 time in 16, and 95% confidence allows 1 in 20"
    )
    assert [significance.of_signs(count) for count in (1, 4, 5)] == [1 / 2, 1 / 16, 1 / 32]


def test_rounding_is_four_halves_of_an_epsilon():
    assert significance.rounding(10.0) == 10.0 * 2 * 2.0**-23
