"""What cells can be read as, and how they are read."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import columns, dates
from millrace.components.example_gen.csv.columns import ColumnReading, Evidence

ALL = columns.readings("auto", "", comma_parts_cells=False)
CELLS = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(str),
    st.sampled_from(["a", "1,5", "01/02/2012", "31/12/2012", "2012-05-06", "0x1F", " 7 ", "+7"]),
)


def best(*cells, readings=ALL):
    return Evidence(readings).seen(pa.array(cells, pa.string())).survivors[0]


@pytest.mark.parametrize(
    ("cells", "reading"),
    [
        (["1", "-2", None], ColumnReading("int")),
        ([" 1", "+2 "], ColumnReading("int")),
        (["9223372036854775807"], ColumnReading("int")),
        (["9223372036854775808"], ColumnReading("float")),
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
        (["2012-01-31 23:59:59"], ColumnReading("date", "%Y-%m-%d %H:%M:%S")),
        (["2012-01-31T23:59:59Z"], ColumnReading("date", "%Y-%m-%dT%H:%M:%SZ")),
        (["2012-01-31", "soon"], ColumnReading("text")),
        (["31/01/20", "01/02/20"], ColumnReading("date", "%d/%m/%y")),
        (["31 Jan 2012", "1 Feb 2012"], ColumnReading("date", "%d %b %Y")),
        (["March 1, 2012"], ColumnReading("date", "%b %d, %Y")),
        (["2012-01-31T10:00:00.5", "2012-01-31 10:00:01"], ColumnReading("date", "ISO8601")),
        (["2012-01-31T10:00:00+02:00", "2012-01-31T10:00:00Z"], ColumnReading("date", "ISO8601")),
        (["2012-13-31T10:00:00+02:00"], ColumnReading("text")),
    ],
)
def test_the_first_reading_that_all_cells_fit_is_taken(cells, reading):
    assert best(*cells) == reading


def test_a_comma_between_cells_is_not_a_decimal_one():
    ours = columns.readings("auto", "", comma_parts_cells=True)
    assert best("1,5", readings=ours) == ColumnReading("text")


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
    assert seen.seen(pa.array(["31/12/2012"])).ambiguous == ()
    assert Evidence(ALL).seen(pa.array(["a"])).ambiguous == ()


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
    values, misfits = columns.convert(cells, ColumnReading("date", "ISO8601"))
    assert values.type == pa.timestamp("us")
    assert values.cast(pa.int64()).to_pylist() == [1327962600750000, 1327969800000000, None, None]
    assert dates.seconds(values).to_pylist() == [1327962600, 1327969800, None, None]
    assert misfits.to_pylist() == [False, False, False, True]


def test_a_time_that_does_not_exist_is_not_a_time_beside_others_that_there_are():
    cells = pa.array(["2012-02-30T00:30:00.5Z", "2012-02-28T00:30:00.5Z"])
    values, misfits = columns.convert(cells, ColumnReading("date", "ISO8601"))
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
        match=r"^step, option types: expected columns of the table: a, b\. Received: 'c'\. Correct",
    ):
        columns.check_types("step", {"c": "int"}, ["a", "b"])
    with pytest.raises(
        OptionError, match=r"option types\.a: expected int, float, .*\. Received: 'bool'\."
    ):
        columns.check_types("step", {"a": "bool"}, ["a", "b"])
    columns.check_types("step", {"a": "date:%d.%m.%y", "b": "text"}, ["a", "b"])


def test_a_given_type_leaves_its_own_readings():
    assert columns.of_type("int", ALL) == (ColumnReading("int"),)
    assert columns.of_type("float", ALL) == (
        ColumnReading("float"),
        ColumnReading("float", "", ","),
    )
    assert columns.of_type("date:%d %b %Y", ALL) == (ColumnReading("date", "%d %b %Y"),)


@given(
    st.datetimes(max_value=datetime.datetime(9999, 1, 1), min_value=datetime.datetime(1000, 1, 1)),
    st.sampled_from([form for form in dates.FORMS if form.startswith("%")]),
    st.sampled_from(["", " ", "\t"]),
)
def test_what_may_be_a_date_looks_like_one(moment, form, around):
    cell = around + moment.strftime(form) + around
    assert dates.look_like_dates(pa.array([cell]))
    assert not dates.look_like_dates(pa.array([cell, "7"]))


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_keep_all_their_digits_until_a_table_makes_float32_of_them(numbers):
    cells = pa.array([None if each is None else repr(each) for each in numbers], pa.string())
    values, misfits = columns.convert(cells, ColumnReading("float"))
    assert (values.type, values.to_pylist()) == (pa.float64(), numbers)
    assert not misfits.true_count
    narrow, too_large = columns.narrowed(values)
    assert narrow.type == pa.float32()
    with np.errstate(over="ignore"):
        expected = [each is not None and np.isinf(np.float32(each)) for each in numbers]
    assert too_large.to_pylist() == expected
