"""Raw records of series to the records of windows, and what is set aside."""

import dataclasses

import numpy as np

from components.artifacts import Rejected
from components.features.series_rows import transform
from serving.example import decode
from tests.components.features.test_series import ONE, SPEC

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


def windows(rows, spec=ONE):
    rejected = []
    pairs = [(each, f"record {number}") for number, each in enumerate(rows)]
    return [decode(raw) for raw in transform(pairs, spec, rejected)], rejected


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
    gap = np.array([0, 1, 2, 3, 4, np.nan, 6], np.float32)
    found, rejected = windows([row(4), row(7, b"b", load=gap), {"series": [b"c"]}])
    assert len(found) == 1
    assert rejected[:2] == [
        Rejected("a", "4 rows, fewer than the 5 of a window", "record 0"),
        Rejected("b", "2 of 3 windows have a missing value", "record 1"),
    ]
    assert rejected[2].source == "c"
    assert "expected the int64 feature 'time'" in rejected[2].reason


def test_a_stride_leaves_windows_out():
    found, _ = windows([row(9)], dataclasses.replace(ONE, stride=3))
    assert [each["window"].tolist() for each in found] == [[0, 1, 2], [3, 4, 5]]
