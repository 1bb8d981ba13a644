"""What cells can be read as, and how they are read."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import columns, dates, numbers
from millrace.components.example_gen.csv.columns import TEXT, ColumnReading, Evidence

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


def test_grouped_digits_are_numbers_where_their_separator_is_named():
    ours = columns.readings(",", ".", comma_parts_cells=False)
    reading = ColumnReading("float", "", ",", ".")
    assert best("1.234,5", "-7,25", readings=ours) == reading
    values, misfits = columns.convert(pa.array(["1.234,5", "12.34,5", "1234567,5"]), reading)
    assert values.to_pylist() == [1234.5, None, 1234567.5]
    assert misfits.to_pylist() == [False, True, False]
    assert best("1.234.567", "890", readings=ours) == ColumnReading("int", "", ",", ".")


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


@example(["1000000000000000000", "0.0"], ColumnReading("int"))
@given(st.lists(CELLS, max_size=12), st.sampled_from(ALL))
def test_each_cell_is_read_as_it_is_alone(cells, reading):
    values, misfits = columns.convert(pa.array(cells, pa.string()), reading)
    alone = [columns.convert(pa.array([cell], pa.string()), reading) for cell in cells]
    pairs = zip(values.to_pylist(), misfits.to_pylist(), strict=True)
    kept = [None if bad else value for value, bad in pairs]
    assert misfits.to_pylist() == [bad[0].as_py() for _, bad in alone]
    assert kept == [None if bad[0].as_py() else value[0].as_py() for value, bad in alone]


@given(
    st.integers(-(2**64), 2**64)
    | st.integers(2**63 - 2, 2**63 + 1).flatmap(lambda number: st.sampled_from([number, -number])),
    st.integers(0, 3),
)
def test_a_whole_number_is_read_beside_another_cell_just_if_it_has_64_bits(number, zeros):
    cell = f"{'-' if number < 0 else ''}{'0' * zeros}{abs(number)}"
    values, misfits = columns.convert(pa.array([cell, "x"]), ColumnReading("int"))
    fits = -(2**63) <= number < 2**63
    assert (values.to_pylist(), misfits.to_pylist()) == (
        [number if fits else None, None],
        [not fits, True],
    )


def test_a_time_with_an_offset_is_that_of_utc():
    cells = pa.array(["2012-01-31T00:30:00.75+02:00", "2012-01-31T00:30:00", None, "soon"])
    values, misfits = columns.convert(cells, ColumnReading("date", "%Y-%m-%d %H:%M"))
    assert values.type == pa.timestamp("us")
    assert values.cast(pa.int64()).to_pylist() == [1327962600750000, 1327969800000000, None, None]
    assert dates.seconds(values).to_pylist() == [1327962600, 1327969800, None, None]
    assert misfits.to_pylist() == [False, False, False, True]


def test_a_time_that_does_not_exist_is_not_a_time_beside_others_that_there_are():
    cells = pa.array(["2012-02-30T00:30:00.5Z", "2012-02-28T00:30:00.5Z"])
    values, misfits = columns.convert(cells, ColumnReading("date", "%Y-%m-%d %H:%M"))
    assert (values.null_count, misfits.to_pylist()) == (1, [True, False])


def test_a_date_becomes_its_parts_or_its_seconds():
    reading = ColumnReading("date", "%Y-%m-%d %H:%M")
    values, _ = columns.convert(pa.array(["2012-01-01 07:30", None]), reading)
    parts = columns.features("Date", values, reading, "parts")
    assert {name: array.to_pylist() for name, array in parts.items()} == {
        "Date/year": [2012, None],
        "Date/month": [1, None],
        "Date/day": [1, None],
        "Date/weekday": [6, None],
        "Date/hour": [7, None],
        "Date/minute": [30, None],
    }
    seconds = columns.features("Date", values, reading, "seconds")
    assert seconds["Date"].to_pylist() == [1325403000, None]
    assert seconds["Date"].type == pa.int64()
    assert (
        columns.feature_names("Date", ColumnReading("date", "%Y-%m-%d"), "parts")[-1]
        == "Date/weekday"
    )


def test_text_loses_the_spaces_around_it():
    values, misfits = columns.convert(pa.array([" a b ", "  ", None]), ColumnReading("text"))
    assert values.to_pylist() == ["a b", None, None]
    assert not misfits.true_count


def test_a_type_of_no_column_or_of_no_name_is_refused():
    with pytest.raises(
        OptionError,
        match=r"^step, option csv\.types: expected columns of the table: a, b\. Received: 'c'\.",
    ):
        columns.check_types("step", {"c": "int"}, ["a", "b"])
    with pytest.raises(
        OptionError, match=r"option csv\.types\.a: expected int, float, .*\. Received: 'bool'\."
    ):
        columns.check_types("step", {"a": "bool"}, ["a", "b"])
    columns.check_types("step", {"a": "date:%d.%m.%y", "b": "text"}, ["a", "b"])


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        *((each, "Set csv.types.a=text.") for each in ("category", "String", "VARCHAR(20)")),
        *((each, "Set csv.types.a=date.") for each in ("datetime64[ns]", "timestamp")),
        *(("float64", "Set csv.types.a=float."), ("numeric", "Set csv.types.a=number.")),
        ("colour", "Correct it."),
    ],
)
def test_a_type_under_another_name_is_refused_with_the_one_that_is_meant(kind, meant):
    with pytest.raises(OptionError) as refused:
        columns.check_types("step", {"a": kind}, ["a"])
    assert str(refused.value).endswith(f" Received: {kind!r}. {meant}")


def test_a_given_type_leaves_its_own_readings():
    assert {each.kind for each in columns.of_type("int", ALL)} == {"int"}
    assert {each.kind for each in columns.of_type("float", ALL)} == {"float"}
    assert {each.kind for each in columns.of_type("number", ALL)} == {"int", "float"}
    assert columns.of_type("text", ALL) == (TEXT,)
    assert columns.of_type("date:%d %b %Y", ALL) == (ColumnReading("date", "%d %b %Y"),)


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


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_keep_all_their_digits_until_a_table_makes_float32_of_them(given_numbers):
    cells = pa.array([None if each is None else repr(each) for each in given_numbers], pa.string())
    values, misfits = columns.convert(cells, ColumnReading("float"))
    assert (values.type, values.to_pylist()) == (pa.float64(), given_numbers)
    assert not misfits.true_count
    narrow, too_large = numbers.narrowed(values)
    assert narrow.type == pa.float32()
    with np.errstate(over="ignore"):
        expected = [each is not None and np.isinf(np.float32(each)) for each in given_numbers]
    assert too_large.to_pylist() == expected
