"""What cells say about how their column is to be read."""

import datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.example_gen.csv import columns, evidence
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading
from millrace.components.example_gen.csv.evidence import Evidence

ALL = columns.readings("auto", "", comma_parts_cells=False)
CELLS = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(str),
    st.sampled_from(["a", "1,5", "01/02/2012", "31/12/2012", "2012-05-06", "0x1F", " 7 ", "+7"]),
)


def best(*cells, readings=ALL):
    return Evidence(readings).seen(pa.array(cells, pa.string())).settled.reading


@pytest.mark.parametrize(
    ("cells", "reading"),
    [
        (["1", "-2", None], ColumnReading("int")),
        ([" 1", "+2 "], ColumnReading("int")),
        (["9223372036854775807"], ColumnReading("int")),
        (["9223372036854775808"], TEXT),
        (["9007199254740993", "1.5"], TEXT),
        (["02116", "10001"], TEXT),
        (["1,234", "5"], ColumnReading("float", decimal=",")),
        (["45%", "3 %"], ColumnReading("float", mark="%")),
        (["$5", "1"], ColumnReading("int", mark="$")),
        (["$5", "€1"], TEXT),
        (["1", "2.5"], ColumnReading("float")),
        (["1e-3", ".5", "5."], ColumnReading("float")),
        (["1,5", "2"], ColumnReading("float", decimal=",")),
        (["1,5", "2.5"], ColumnReading("text")),
        (["0x10"], ColumnReading("text")),
        (["inf"], ColumnReading("text")),
        (["1e300"], ColumnReading("float")),
        (["1e400"], ColumnReading("text")),
        (["true", "false"], ColumnReading("text")),
        (["31/12/2012", "01/02/2012"], ColumnReading("date", "%d/%m/%Y")),
        (["12/31/2012", "01/02/2012"], ColumnReading("date", "%m/%d/%Y")),
        (["2012-01-31 23:59:59"], ColumnReading("date", "%Y-%m-%d %H:%M")),
        (["2012-01-31T23:59:59Z"], ColumnReading("date", "%Y-%m-%d %H:%M")),
        (["2012-01-31", "soon"], ColumnReading("text")),
        (["31/01/20", "01/02/20"], ColumnReading("date", "%d/%m/%y")),
        (["31 Jan 2012", "1 Feb 2012"], ColumnReading("date", "%d %b %Y")),
        (["March 1, 2012"], ColumnReading("date", "%b %d, %Y")),
        (["2012-01-31T10:00:00.5", "2012-01-31 10:00:01"], ColumnReading("date", "%Y-%m-%d %H:%M")),
        (
            ["2012-01-31T10:00:00+02:00", "2012-01-31T10:00:00Z"],
            ColumnReading("date", "%Y-%m-%d %H:%M"),
        ),
        (["2012-13-31T10:00:00+02:00"], ColumnReading("text")),
    ],
)
def test_the_first_reading_that_all_cells_fit_is_taken(cells, reading):
    assert best(*cells) == reading


def test_a_comma_is_between_thousands_rather_where_commas_part_the_cells():
    ours = columns.readings("auto", "", comma_parts_cells=True)
    assert best("1,234", readings=ours) == ColumnReading("int", "", ".", ",")
    assert best("1,5", readings=ours) == ColumnReading("float", "", ",")


def test_days_that_may_be_months_are_reported():
    seen = Evidence(ALL).seen(pa.array(["01/02/2012"]))
    assert [each.pattern for each in seen.ambiguous] == ["%d/%m/%Y", "%m/%d/%Y"]
    assert seen.orders == 1
    assert Evidence(ALL).seen(pa.array(["01/01/2012"])).ambiguous == ()
    assert seen.seen(pa.array(["31/12/2012"])).ambiguous == ()
    assert Evidence(ALL).seen(pa.array(["a"])).ambiguous == ()


def test_a_year_comes_first_where_the_last_parts_run_through_all_days_of_few_years():
    every = columns.readings("auto", "", comma_parts_cells=True, name="date")
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=day) for day in range(60)]
    forms = ("%y/%m/%d", "%d/%m/%y", "%m/%d/%y", "%y-%m-%d", "%d.%m.%y")
    for form in forms:
        cells = pa.array([day.strftime(form) for day in days])
        assert Evidence(every).seen(cells).settled == (ColumnReading("date", form), 0)
        parts = Evidence(every).seen(cells.slice(0, 9)) + Evidence(every).seen(cells.slice(9))
        assert parts.settled.reading.pattern == form
    months = pa.array([f"01/{month:02d}/{year:02d}" for year in range(1, 28) for month in (1, 2)])
    assert Evidence(every).seen(months).best.reading.pattern == "%d/%m/%y"


@given(st.lists(CELLS, max_size=12), st.integers(0, 12))
def test_parts_of_a_column_say_together_what_the_whole_says(cells, cut):
    whole = Evidence(ALL).seen(pa.array(cells, pa.string()))
    one, two = (Evidence(ALL).seen(pa.array(p, pa.string())) for p in (cells[:cut], cells[cut:]))
    assert one + two == whole
    assert two + one == whole
    assert one.seen(pa.array(cells[cut:], pa.string())) == whole


@pytest.mark.parametrize(
    ("cells", "settled"),
    [
        (["1"] * 19 + ["x"], ("int", 1)),
        (["1"] * 8 + ["x"], ("text", 0)),
        (["1"] * 9 + ["x"], ("int", 1)),
        (["1"] * 8 + ["x"] * 2, ("text", 0)),
        (["1"] * 95 + ["x"] * 5, ("int", 5)),
        (["1"] * 94 + ["x"] * 6, ("text", 0)),
        (["1.5", "Unknown", " - ", "2"], ("float", 2)),
        (["1.5", "unknown", "-"], ("text", 0)),
        (["2012-01-31"] * 19 + ["soon"], ("date", 1)),
        (["1"] * 99 + ["007"], ("text", 0)),
    ],
)
def test_a_column_is_of_numbers_or_dates_where_all_but_a_few_cells_are(cells, settled):
    found = Evidence(ALL).seen(pa.array(cells)).settled
    assert (found.reading.kind, found.misfits) == settled


def test_a_repeated_header_says_nothing():
    assert Evidence(ALL).seen(pa.array(["3", "a"]), "a").settled.reading == ColumnReading("int")
    assert Evidence(ALL).seen(pa.array(["3", "a"]), "b").settled.reading == TEXT


@pytest.mark.parametrize(
    ("cells", "guess"),
    [
        ([], None),
        (["1"], ColumnReading("int")),
        (["007"], None),
        (["20120506"], None),  # may be a date
        (["1", "2.5"], ColumnReading("float")),
        (["1e5"], None),  # may have a decimal comma further down
        (["1,5"], None),
        (["2012-05-06"], None),
        (["x"], None),
    ],
)
def test_a_column_is_read_as_a_number_where_it_can_be_nothing_else(cells, guess):
    assert Evidence(ALL).seen(pa.array(cells, pa.string())).guess == guess


@settings(max_examples=20)
@given(
    st.tuples(*[st.lists(CELLS, max_size=12)] * 3),
    st.sampled_from(["a", "1,5", " "]),
)
def test_columns_looked_at_together_say_what_each_says_alone(cells, name):
    every = (ALL, columns.readings("auto", "", comma_parts_cells=True, name="date"), ALL)
    names = (name, "date", "b")
    arrays = {each: pa.array(some, pa.string()) for each, some in zip(names, cells, strict=True)}
    nothing = {each: Evidence(readings) for each, readings in zip(names, every, strict=True)}
    found = evidence.seen_in(nothing, arrays)
    assert found == {each: nothing[each].seen(arrays[each], each) for each in names}
    examples = {each: nothing[each].seen(arrays[each], each).examples for each in names}
    assert {each: seen.examples for each, seen in found.items()} == examples


def test_cells_beyond_the_first_are_taken_for_numbers_of_their_kind_just_if_all_are(monkeypatch):
    monkeypatch.setattr(evidence, "HEAD", 2)
    int_, float_ = ColumnReading("int"), ColumnReading("float")
    found = Evidence((int_, float_, TEXT)).seen(pa.array(["1", "2", "3", None, "-4"]))
    assert (found.filled, dict(found.fits), found.is_exact) == (4, {int_: 4, float_: 4}, False)
    found = Evidence((int_, float_, TEXT)).seen(pa.array(["1", "2", "3.5", None, "-4"]))
    assert (found.filled, dict(found.fits), found.is_exact) == (4, {int_: 3, float_: 4}, True)
