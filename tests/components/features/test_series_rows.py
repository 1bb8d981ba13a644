"""Raw records of series to the records of windows, and what is set aside."""

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Rejected
from millrace.components.features import precision
from millrace.components.features.series_rows import LACKING, UNKNOWN, transform
from millrace.serving.example import decode, encode
from tests.components.features.test_series import FILLED, ONE, SPEC

DAY = 86400


def row(rows, name=b"a", **columns):
    values = {"load": np.arange(rows, dtype=np.float32)} | columns
    folds = np.arange(rows, dtype=np.int64) // 4
    return {
        "series": [name],
        "time": np.arange(rows, dtype=np.int64) * DAY,
        "fold": folds,
        **values,
    }


def windows(rows, spec=ONE, others=(), left_out=None):
    rejected = []
    pairs = [(each, f"record {number}") for number, each in enumerate(rows)]
    found = transform(pairs, spec, rejected, lambda: others, left_out)
    return [decode(bytes(raw)) for block in found for raw in block], rejected


def test_windows_bear_the_time_and_the_fold_of_their_first_forecast_row():
    found, rejected = windows([row(6)])
    assert [each["window"].tolist() for each in found] == [[0, 1, 2], [1, 2, 3]]
    assert [each["future"].tolist() for each in found] == [[3, 4], [4, 5]]
    assert [each["time"].tolist() for each in found] == [[3 * DAY], [4 * DAY]]
    assert [each["fold"].tolist() for each in found] == [[0], [1]]
    assert [each["series"] for each in found] == [[b"a"], [b"a"]]
    assert rejected == []


def test_no_window_crosses_from_one_record_to_the_next():
    found, _ = windows([row(5), row(5, b"b", load=np.arange(50, 55, dtype=np.float32))])
    assert [each["future"].tolist() for each in found] == [[3, 4], [53, 54]]


def test_columns_known_ahead_are_written_beside():
    more = {"wind": np.zeros(5, np.float32), "holiday": np.arange(5, dtype=np.float32)}
    (found,), _ = windows([row(5, **more)], SPEC)
    assert found["known"].tolist() == [3, 4]
    assert len(found["window"]) == 9


def test_what_gives_no_window_is_set_aside_with_its_reason():
    found, rejected = windows([row(4), {"series": [b"c"]}])
    assert found == []
    assert rejected[0] == Rejected("a", "4 rows, fewer than the 5 of a window", "record 0")
    assert rejected[1].source == "c"
    assert "expected the int64 feature 'time'" in rejected[1].reason


@pytest.mark.parametrize(("spec", "kept", "lacking"), [(FILLED, 5, 0), (ONE, 1, 4)])
def test_windows_that_say_nothing_are_left_out_and_counted(spec, kept, lacking):
    gap = np.array([0, 1, 2, np.nan, np.nan, 5, 6, 7, 8, 9], np.float32)
    left_out = Counter()
    found, rejected = windows([row(10, load=gap)], spec, left_out=left_out)
    assert (len(found), rejected) == (kept, [])
    assert left_out == {UNKNOWN: 1, LACKING: lacking}


def part(first, last, name=b"a"):
    """The rows from `first` to before `last` of a series whose values are their numbers."""
    places = np.arange(first, last)
    load = places.astype(np.float32)
    return row(last - first, name, time=places.astype(np.int64) * DAY, load=load)


def test_a_window_looks_back_over_the_cut_and_forecasts_this_side_of_it():
    others = [part(8, 12), part(0, 4), part(0, 4, b"b")]  # what comes later, and another series
    found, rejected = windows([part(4, 8)], others=others)
    assert [each["window"].tolist() for each in found] == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert [each["future"].tolist() for each in found] == [[4, 5], [5, 6], [6, 7]]
    assert [each["time"].tolist() for each in found] == [[4 * DAY], [5 * DAY], [6 * DAY]]
    assert rejected == []


def test_a_split_shorter_than_a_window_is_forecast_from_the_splits_before_it():
    found, _ = windows([part(6, 8)], others=[part(5, 6), part(0, 5)])
    assert [each["window"].tolist() for each in found] == [[3, 4, 5]]
    assert [each["future"].tolist() for each in found] == [[6, 7]]


@given(
    st.lists(st.none() | st.integers(-9, 9), min_size=8, max_size=40),
    st.data(),
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_windows_of_a_split_are_those_whose_targets_lie_in_it_and_none_sees_what_comes_later(
    cells, data, lookback, horizon, stride
):
    """Also: a window does not change when any cell after its end does."""
    spec = dataclasses.replace(FILLED, lookback=lookback, horizon=horizon, stride=stride)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(cells) - 1), min_size=2, max_size=2)))
    load = np.array([np.nan if cell is None else cell for cell in cells], np.float32)
    edges = [0, *cuts, len(cells)]

    def parts(values):
        return [
            part(first, last) | {"load": values[first:last]}
            for first, last in itertools.pairwise(edges)
        ]

    def of_split(values, index):
        found, *others = np.roll(np.array(parts(values), object), -index)
        return windows([found], spec, others)[0]

    for index, (first, last) in enumerate(itertools.pairwise(edges)):
        found = of_split(load, index)
        expected = [
            start
            for start in range(max(first, lookback), last - horizon + 1, stride)
            if not np.isnan(load[start : start + horizon]).all()
        ]
        assert [int(each["time"][0]) // DAY for each in found] == expected
        for each, start in zip(found, expected, strict=True):
            np.testing.assert_array_equal(each["window"], load[start - lookback : start])
            np.testing.assert_array_equal(each["future"], load[start : start + horizon])
        changed = np.where(np.arange(len(load)) >= last, load + 100, load)
        again = of_split(changed, index)
        assert [each["window"].tobytes() for each in again] == [
            each["window"].tobytes() for each in found
        ]


@given(
    st.lists(st.lists(st.none() | st.integers(-9, 9), max_size=15), max_size=4),
    st.tuples(*[st.integers(1, 4)] * 3),
    st.booleans(),
)
def test_windows_of_several_series_are_those_of_a_plain_loop_to_the_byte(table, sizes, is_filled):
    lookback, horizon, stride = sizes
    spec = dataclasses.replace(
        FILLED if is_filled else ONE, lookback=lookback, horizon=horizon, stride=stride
    )
    rows, expected = [], []
    for number, cells in enumerate(table):
        name = f"series {number}".encode()
        load = np.array([np.nan if cell is None else cell for cell in cells], np.float32)
        rows.append(row(len(cells), name, load=load))
        for first in range(lookback, len(cells) - horizon + 1, stride):
            past, future = load[first - lookback : first], load[first : first + horizon]
            if not np.isnan(future).all() and (is_filled or not np.isnan(past).any()):
                window = {"series": name, "time": first * DAY, "fold": first // 4}
                expected.append(encode(window | {"window": past, "future": future}))
    blocks = transform([(each, "") for each in rows], spec, [])
    assert [bytes(record) for block in blocks for record in block] == expected


def test_a_stride_leaves_windows_out():
    found, _ = windows([row(9)], dataclasses.replace(ONE, stride=3))
    assert [each["window"].tolist() for each in found] == [[0, 1, 2], [3, 4, 5]]


def test_windows_of_a_spec_with_a_base_say_it_beside_each_part():
    based = dataclasses.replace(SPEC, base=(7e9, 0.0, 0.5))
    more = {"wind": np.zeros(5, np.float32), "holiday": np.arange(5, dtype=np.float32)}
    (found,), _ = windows([row(5, **more)], based)
    assert precision.base_in(found, "window").tolist() == [7e9, 0, 0.5]
    assert precision.base_in(found, "known").tolist() == [0.5]
    assert precision.base_in(found, "future").tolist() == [7e9]
