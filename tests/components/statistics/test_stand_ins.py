"""Values that stand for a missing one are found, and those that are only rare or far are not."""

import numpy as np
import pytest

from millrace.components.statistics import stand_ins

RANDOM = np.random.default_rng(11)


def column(*extra, low=0.0, high=10.0, rows=200):
    return np.concatenate([RANDOM.uniform(low, high, rows).round(2), np.array(extra, float)])


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (column(*[-200] * 17), "-200"),
        (column(-999, -999), "-999"),
        (column(*[999.9] * 3), "999.9"),
        (column(*[9999] * 5, high=6000), "9999"),
        (column(*[99999] * 5, high=41310), "99999"),
        (column(-1, -1, low=100, high=300), "-1"),
        (column(-99.9, -99.9, low=-20, high=40), "-99.9"),
        (column(1e20, 1e20, np.nan), "1e+20"),
    ],
)
def test_a_repeated_value_far_outside_is_found(cells, text):
    (found,) = stand_ins.among(cells)
    assert found.text == text
    assert found.rows == (cells == found.value).sum()
    assert str(found).startswith(f"{text} stands in {found.rows} rows, all others between ")


def test_one_is_enough_of_nines_and_one_row_is_no_rows():
    (found,) = stand_ins.among(np.append(np.linspace(0, 10, 50), -999))
    assert str(found) == "-999 stands in 1 row, all others between 0 and 10"


def test_several_are_found_one_behind_the_other_and_on_both_sides():
    both = column(-9999, -9999, -999, -999)
    assert [each.text for each in stand_ins.among(both)] == ["-9999", "-999"]
    sides = column(-999, -999, 9999, 9999)
    assert {each.text for each in stand_ins.among(sides)} == {"-999", "9999"}
    assert {each.greatest <= 10 for each in stand_ins.among(sides)} == {True}


@pytest.mark.parametrize(
    "cells",
    [
        column(),
        column(-200),  # once
        column(999, high=600),  # once, and not far
        column(-1, -1),  # near
        column(*[0] * 60, low=4000, high=6000),  # closed on Sundays
        column(*[10] * 60),  # the end of a scale
        np.array([1.0, 2.0] * 50 + [900] * 9),  # two kinds
        np.array([]),
        np.full(40, np.nan),
        np.exp(RANDOM.normal(0, 2, 500)).round(1),  # a long tail
        np.array([1, 2, 3, 4, 5, 6, -99, -99.0]),  # few rows
    ],
)
def test_what_is_rare_near_or_a_scales_end_is_a_value(cells):
    assert stand_ins.among(cells) == []
