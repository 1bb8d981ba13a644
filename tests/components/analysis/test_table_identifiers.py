"""Columns that only tell rows apart, by what a survey knows of them."""

import uuid

import numpy as np
import pytest

from millrace.components.analysis import table_identifiers, table_survey
from millrace.components.files import columns
from millrace.components.statistics.dataset import fold
from millrace.serving.example import encode


def reason(name, values, rows=0):
    records = [encode({} if value is None else {name: value}) for value in values]
    survey = table_survey.of(fold(columns.batches(records, "here"), "here"), 4)
    return table_identifiers.reason(name, survey, rows or len(values))


UUIDS = [str(uuid.UUID(int=number)) for number in range(5)] * 4


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("id", list(range(30)), "it numbers the rows"),
        ("PassengerId", list(range(30, 0, -1)), "it numbers the rows"),
        ("column_1", list(range(1, 31)), "it numbers the rows"),
        ("id", np.arange(30, dtype=np.float32), "it numbers the rows"),
        ("account", [7 * n for n in range(30)], "an identifier: 30 distinct values in 30 rows"),
        ("order no.", [f"A{n}" for n in range(30)], "an identifier: 30 distinct values in 30 rows"),
        ("who", UUIDS, "an identifier: UUIDs"),
        (
            "anything",
            [2**53 + 2 * n for n in range(9)],
            "an identifier: whole numbers beyond 2^53, of which many would become equal",
        ),
    ],
)
def test_identifiers_and_row_numbers_are_known(name, values, why):
    assert reason(name, values) == why


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("area", [7 * n for n in range(30)]),
        ("v", list(range(30))),
        ("id", list(range(9))),
        ("id", [0, *range(29)]),
        ("column_1", [7 * n for n in range(30)]),
        ("id/year", list(range(30))),
        ("index", [np.float32(n / 7) for n in range(30)]),
        ("who", [*UUIDS, "me"]),
        ("big", [2**53] * 9),
    ],
)
def test_measurements_are_none(name, values):
    assert reason(name, values) == ""


def test_row_numbers_of_a_part_of_the_rows_lie_among_all_of_them():
    assert reason("n", [1, 5, 9] * 4, rows=12) == ""
    assert reason("id", range(0, 24, 2), rows=24) == "it numbers the rows"
    assert reason("id", range(0, 24, 2)) == "an identifier: 12 distinct values in 12 rows"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        pytest.param(np.arange(1, 12_001), "it numbers the rows", id="as spread as a count"),
        pytest.param(np.arange(6000, 16_000), "", id="from the middle on"),
        pytest.param(np.arange(10_000) ** 2 // 8400, "", id="ever farther apart"),
    ],
)
def test_more_numbers_than_are_told_apart_number_the_rows_if_they_are_spread_like_it(values, why):
    some = np.random.default_rng(0).permutation(values)[:9500]
    assert reason("instant", some.tolist(), rows=16_000 if why == "" else 12_000) == why
