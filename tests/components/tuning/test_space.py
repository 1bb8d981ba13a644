"""Ranges are read as a person writes them, and drawn within their ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.tuning.space import Choice, Range, parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("log 1e-4..1e-1", Range(1e-4, 0.1, is_log=True)),
        ("uniform 0..0.5", Range(0.0, 0.5)),
        ("uniform -1 .. 0.5", Range(-1.0, 0.5)),
        ("uniform 0..0.5 step 0.2", Range(0.0, 0.4, 0.2)),
        ("int 16..128 step 16", Range(16, 128, 16, is_whole=True)),
        ("int 1..4", Range(1, 4, is_whole=True)),
        ("int 1..6 step 2", Range(1, 5, 2, is_whole=True)),
        ("int log 1..1024", Range(1, 1024, is_log=True, is_whole=True)),
        ("choice 64|128|64,64", Choice(("64", "128", "64,64"))),
        (" choice relu | tanh ", Choice(("relu", "tanh"))),
    ],
)
def test_a_range_is_read(text, found):
    assert parse(text, "p") == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1..2",
        "log 0..1",
        "log 1..0.5",
        "log 1..2 step 1",
        "uniform 1..1",
        "uniform 0..1 step 2",
        "uniform 0..1 step 0",
        "int 0.5..2",
        "int 0..4 step 1.5",
        "choice",
        "choice a||b",
        "uniform 0...1",
    ],
)
def test_what_is_no_range_is_refused(text):
    with pytest.raises(OptionError) as caught:
        parse(text, "tuner.search.rate")
    assert str(caught.value) == (
        "tuner.search.rate: expected a range such as `log 1e-4..1e-1`, `uniform 0..0.5`, "
        "`int 16..128 step 16` or `choice relu|tanh`, the lower end first (above 0 for log, "
        f"without a step). Received: {text!r}. Write it so."
    )


@given(
    low=st.integers(-100, 100),
    steps=st.integers(1, 50),
    step=st.one_of(st.none(), st.integers(1, 9)),
)
def test_a_range_of_whole_numbers_reads_back_from_its_text(low, steps, step):
    found = Range(low, low + steps * (step or 1), step, is_whole=True)
    assert parse(str(found), "p") == found


@given(st.floats(1e-8, 1e3), st.floats(1.001, 1e6), st.booleans())
def test_a_range_of_numbers_reads_back_from_its_text(low, factor, is_log):
    found = Range(low, low * factor, is_log=is_log)
    assert parse(str(found), "p") == found


@given(st.lists(st.from_regex(r"[a-z0-9,.]+", fullmatch=True), min_size=1))
def test_a_choice_reads_back_from_its_text(values):
    found = Choice(tuple(values))
    assert parse(str(found), "p") == found
    assert found.probes == tuple(values)


def test_the_probes_are_texts_of_the_ends_and_of_one_between():
    assert parse("int 16..128 step 16", "p").probes == ("16", "32", "128")
    assert parse("uniform 0..1 step 0.25", "p").probes == ("0.0", "0.25", "1.0")
    assert parse("log 1..7", "p").probes == ("1.0", "3.0", "7.0")
