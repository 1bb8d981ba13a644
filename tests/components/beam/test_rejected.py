"""Too much set aside is refused, naming the first, and saying which limit lets it pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Rejected
from millrace.components.beam.rejected import check_rejected, first_rejected
from millrace.components.errors import DataError


def aside(count):
    return [Rejected(f"{number}.png", "empty file") for number in range(count)]


def test_over_the_limit_the_first_are_named_with_their_reasons():
    rejected = [Rejected(f"{n}.png", "empty file") for n in (6, 0, 5, 1, 4, 2, 3)]
    with pytest.raises(DataError) as caught:
        check_rejected("step", rejected, 100, 0.05)
    assert str(caught.value) == (
        "step: expected at most 5.00% of the inputs to be unusable. Received: 7 of 100 (7.00%):\n"
        "  0.png: empty file\n  1.png: empty file\n  2.png: empty file\n  3.png: empty file\n"
        "  4.png: empty file\n  and 2 more\n"
        "Correct or remove them, or allow more by `--set step.max_rejected=0.08`."
    )
    check_rejected("step", rejected, 100, 0.07)


def test_all_of_them_are_too_many_whatever_the_limit():
    with pytest.raises(DataError, match=r"1 of 1 \(100\.00%\):\n.*\nCorrect or remove them\.$"):
        check_rejected("step", aside(1), 1, 1.0, what="rows")


@pytest.mark.parametrize(("count", "found"), [(0, 0), (0, 5), (1, 2)])
def test_none_or_few_enough_pass(count, found):
    check_rejected("step", aside(count), found, 0.5)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_the_limit_that_is_named_lets_them_pass(count, usable, limit):
    try:
        check_rejected("step", aside(count), count + usable, limit)
    except DataError as error:
        named = str(error).rpartition("max_rejected=")[2].rstrip("`.")
        check_rejected("step", aside(count), count + usable, float(named))


def test_the_lines_are_in_the_order_of_sources_and_numbers():
    items = [Rejected("a.csv", "no label", f"line {n}") for n in (10, 9)]
    assert first_rejected([Rejected("b\n.csv", "empty"), *items]) == [
        "a.csv, line 9: no label",
        "a.csv, line 10: no label",
        r"b\n.csv: empty",
    ]
