"""What cells can be read as, and how they are read."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import columns, dates, numbers
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


def test_grouped_digits_are_numbers_where_their_separator_is_named():
    ours = columns.readings(",", ".", comma_parts_cells=False)
    reading = ColumnReading("float", "", ",", ".")
    assert best("1.234,5", "-7,25", readings=ours) == reading
    values, misfits = columns.convert(pa.array(["1.234,5", "12.34,5", "1234567,5"]), reading)
    assert values.to_pylist() == [1234.5, None, 1234567.5]
    assert misfits.to_pylist() == [False, True, False]
    assert best("1.234.567", "890", readings=ours) == ColumnReading("int", "", ",", ".")


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
