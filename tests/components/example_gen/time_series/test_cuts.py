"""Cuts in time: shares, dates, folds; every row in one split, none before the one before it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.example_gen.time_series import cuts
from millrace.components.example_gen.time_series.cuts import Cuts
from millrace.components.example_gen.time_series.options import SHARES

TIMES = np.arange(100, dtype=np.int64) * 10


def rows(found, times=TIMES):
    return {name: (place.start, place.stop) for name, place in found.places(times).items()}


def test_shares_cut_the_rows_in_the_order_of_time():
    assert rows(cuts.by_shares(TIMES, SHARES)) == {
        "train": (0, 70),
        "eval": (70, 85),
        "test": (85, 100),
    }


@given(st.integers(7, 400), st.integers(1, 10**6))
def test_every_row_is_in_one_split_and_all_before_those_of_the_next(count, step):
    times = np.arange(count, dtype=np.int64) * step - 10**9
    places = rows(cuts.by_shares(times, SHARES), times)
    assert [place[0] for place in places.values()][1:] == [place[1] for place in places.values()][
        :-1
    ]
    assert (places["train"][0], places["test"][1]) == (0, count)


def test_dates_begin_splits():
    found = cuts.by_dates(TIMES, "train", {"validation": 500, "test": 805})
    assert rows(found) == {"train": (0, 50), "eval": (50, 81), "test": (81, 100)}


def test_a_date_for_the_first_split_leaves_out_what_is_before_it():
    found = cuts.by_dates(TIMES, "train", {"Training": 205, "test": 805})
    assert rows(found) == {"train": (21, 81), "test": (81, 100)}
    early = cuts.by_dates(TIMES, "train", {"train": -50, "test": 805})
    assert rows(early) == {"train": (0, 81), "test": (81, 100)}


def test_folds_of_one_model_part_the_last_split():
    found = cuts.roll_forward(cuts.by_shares(TIMES, SHARES), TIMES, 3, 0, "expanding")
    assert rows(found)["test"] == (85, 100)
    assert found.fold_of(TIMES[[0, 84, 85, 89, 90, 95, 99]]).tolist() == [0, 0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("origin", "fold", "expected"),
    [
        ("expanding", 1, {"train": (0, 70), "eval": (70, 85), "test": (85, 90)}),
        ("expanding", 3, {"train": (0, 80), "eval": (80, 95), "test": (95, 100)}),
        ("sliding", 2, {"train": (5, 75), "eval": (75, 90), "test": (90, 95)}),
        ("sliding", 3, {"train": (10, 80), "eval": (80, 95), "test": (95, 100)}),
    ],
)
def test_a_fold_moves_the_splits_before_it_along(origin, fold, expected):
    found = cuts.roll_forward(cuts.by_shares(TIMES, SHARES), TIMES, 3, fold, origin)
    assert rows(found) == expected
    assert found.fold_of(TIMES[expected["test"][0] :][:1]).tolist() == [fold]


@given(st.integers(40, 300), st.integers(1, 5), st.sampled_from(["expanding", "sliding"]))
def test_the_folds_one_by_one_judge_every_row_of_the_last_split_once(count, folds, origin):
    times = np.arange(count, dtype=np.int64)
    whole = cuts.by_shares(times, SHARES)
    judged = []
    for fold in range(1, folds + 1):
        found = cuts.roll_forward(whole, times, folds, fold, origin)
        places = found.places(times)
        assert places["train"].stop == places["eval"].start
        assert places["eval"].stop == places["test"].start
        judged += times[places["test"]].tolist()
    assert judged == times[whole.places(times)["test"]].tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: cuts.by_dates(TIMES, "train", {"test": 5000}),
            "begin one after another before the data's end, 1970-01-01T00:16:30. Received: train "
            "from 1970-01-01T00:00:00, test from 1970-01-01T01:23:20, of 100 rows. Give",
        ),
        (
            lambda: cuts.by_dates(TIMES, "train", {"eval": 800, "test": 500}),
            "eval from 1970-01-01T00:13:20, test from 1970-01-01T00:08:20, of 100 rows. Give "
            "ascending dates up to the end by series_example_gen.split_dates",
        ),
        (
            lambda: cuts.by_dates(TIMES, "train", {"eval": 500, "valid": 600, "test": 800}),
            "option split_dates: expected each split once. Received: eval, valid, test, which "
            "are eval, eval, test. Leave one out",
        ),
        (
            lambda: cuts.by_shares(TIMES[:2], SHARES),
            "expected splits that begin one after another",
        ),
        (
            lambda: cuts.roll_forward(cuts.by_shares(TIMES, SHARES), TIMES, 2, 3, "sliding"),
            r"option fold: expected 0 \(all\) to 2\. Received: 3\. Raise",
        ),
        (
            lambda: cuts.roll_forward(cuts.by_shares(TIMES, SHARES), TIMES, 16, 0, "sliding"),
            "option folds: expected no more than the 15 rows of split 'test'. Received: 16",
        ),
    ],
)
def test_splits_that_cannot_be_are_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_a_series_outside_the_cuts_has_no_rows_there():
    found = Cuts(("train", "test"), (0, 50, 100), (50,))
    assert rows(found, np.array([60, 70, 200], np.int64)) == {"train": (0, 0), "test": (0, 2)}
