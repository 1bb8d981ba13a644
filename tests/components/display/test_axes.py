"""Ranges, ticks and their texts, thinning, and texts that fit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.display import axes

NUMBERS = st.lists(st.none() | st.floats(), max_size=30)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.12, 0.87], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([1, 12], ["0", "5", "10", "15"]),
        ([0, 1], ["0", "1"]),
        ([-3.0, 12000.0], ["-5k", "0", "5k", "10k", "15k"]),
        ([1_000_000, 1_000_004], [f"{n}" for n in range(1_000_000, 1_000_005)]),
        ([2.1e6, 4.8e6], ["2M", "3M", "4M", "5M"]),
        ([0.5], ["0.44", "0.46", "0.48", "0.50", "0.52", "0.54", "0.56"]),
        ([2e-9, 8e-9], ["2e-09", "4e-09", "6e-09", "8e-09"]),
        ([], ["0", "1"]),
    ],
)
def test_ticks_are_round_numbers_with_the_digits_that_tell_them_apart(values, texts):
    assert [text for _, text in axes.axis(values, 0, 100).ticks] == texts


def test_an_axis_that_is_tight_ends_with_the_values():
    found = axes.axis([1, 12], 0, 110, tight=True)
    assert (found.low, found.high) == (1, 12)
    assert found.ticks == ((5.0, "5"), (10.0, "10"))
    assert found.at(1) == 0
    assert found.at(12) == 110


def test_a_logarithmic_axis_has_powers_of_ten():
    found = axes.log_axis([0.002, 0.5, 0, -1, None], 0, 300)
    assert found.ticks == ((0.001, "0.001"), (0.01, "0.01"), (0.1, "0.1"), (1.0, "1"))
    assert found.at(0.01) == pytest.approx(100)
    assert not found.has(0.0)


@given(NUMBERS)
def test_ticks_are_told_apart_and_hold_all_values(values):
    found = axes.axis(values, 0, 100)
    texts = [text for _, text in found.ticks]
    assert len(set(texts)) == len(texts) >= 2
    known = [value for value in values if axes.is_known(value)]
    assert all(0 <= found.at(value) <= 100 for value in known)
    assert all(found.low <= value <= found.high for value in known)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 100)), max_size=300))
def test_thinning_loses_no_extreme_and_keeps_four_for_a_pixel(points):
    points.sort(key=lambda point: point[0])
    kept = axes.thinned(points)
    assert len(kept) <= 4 * 21
    assert set(kept) <= set(points)
    if points:
        heights = [y for _, y in points]
        assert {min(heights), max(heights)} <= {y for _, y in kept}
        assert (kept[0], kept[-1]) == (points[0], points[-1])


def test_gaps_part_points():
    assert axes.runs([None, (1, 1), (2, 2), None, None, (3, 3)]) == [[(1, 1), (2, 2)], [(3, 3)]]


@given(st.text(), st.floats(20, 200))
def test_a_text_fits_or_is_cut(text, pixels):
    shown = axes.fitted(text, pixels, 11)
    assert axes.width_of(shown, 11) <= pixels + 1e-6
    assert shown == axes.clean(text) or shown.endswith("…")


def test_what_would_turn_or_break_other_text_is_left_out():
    assert axes.clean("a\N{RIGHT-TO-LEFT OVERRIDE}b\x00\ud800\n c") == "ab\ufffd\ufffd c"


def test_no_number_is_known_that_cannot_be_drawn():
    assert [axes.is_known(value) for value in (None, math.nan, math.inf, 1e301, 0.0)] == [
        *[False] * 4,
        True,
    ]
