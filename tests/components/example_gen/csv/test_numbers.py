"""Numbers in every form that is read: written and read back."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.example_gen.csv import numbers
from millrace.components.example_gen.csv.numbers import FORMS, PLAIN, NumberForm

WRAPPINGS = ["{}", "$ {}", "{} €", "USD {}", "{}%", "R$ {}", "{} kr"]


def read(cell, form=PLAIN, mark="", *, whole=False, lenient=False):
    values, misfits = numbers.read(pa.array([cell]), form, mark, whole=whole, lenient=lenient)
    return None if misfits[0].as_py() else values[0].as_py()


@pytest.mark.parametrize(
    ("cell", "form", "mark", "number"),
    [
        ("+5", PLAIN, "", 5),
        ("(5.5)", PLAIN, "", -5.5),
        ("10-", PLAIN, "", -10),
        ("\u22125", PLAIN, "", -5),
        ("$1,234.50", NumberForm(".", ","), "$", 1234.5),
        ("($1,234.50)", NumberForm(".", ","), "$", -1234.5),
        ("-$5", PLAIN, "$", -5),
        ("$-5", PLAIN, "$", -5),
        ("1.234,50 €", NumberForm(",", "."), "€", 1234.5),
        ("€ 5", PLAIN, "€", 5),
        ("USD 5", PLAIN, "USD", 5),
        ("45%", PLAIN, "%", 0.45),
        ("(4,5 %)", NumberForm(",", ""), "%", -0.045),
        ("1 234,5", NumberForm(",", " "), "", 1234.5),
        ("1\u00a0234\u202f567\u2009890", NumberForm(",", " "), "", 1234567890),
        ("1\u2019234.50", NumberForm(".", "'"), "", 1234.5),
        ("12,34,567.5", NumberForm(".", ","), "", 1234567.5),
        ("1e-3", PLAIN, "", 0.001),
        (" .5 ", PLAIN, "", 0.5),
    ],
)
def test_a_number_as_people_write_it(cell, form, mark, number):
    assert read(cell, form, mark) == number


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("12,34", NumberForm(".", ",")),
        ("1,2345", NumberForm(".", ",")),
        ("0,234", NumberForm(".", ",")),
        ("1 23", NumberForm(".", " ")),
        *(
            (cell, PLAIN)
            for cell in ("--5", "(-5)", "5 apples", "0x10", "1e400", "inf", "1.2.3", "$")
        ),
        ("9007199254740993", PLAIN),
    ],
)
def test_what_is_no_number_of_the_form_is_none(cell, form):
    assert read(cell, form, numbers.taken_apart(pa.array([cell])).marks[0].as_py() or "") is None


@given(
    st.integers(-(10**12), 10**12), st.integers(0, 999), st.sampled_from(FORMS),
    st.sampled_from(WRAPPINGS), st.sampled_from(["minus", "brackets", "last"]),
)  # fmt: skip
def test_a_number_in_any_form_is_read_back(whole, fraction, form, wrapping, sign):
    grouped = f"{abs(whole):,}".replace(",", form.thousands)
    body = wrapping.format(f"{grouped}{form.decimal}{fraction:03}")
    if whole < 0:
        body = {"minus": f"-{body}", "brackets": f"({body})", "last": f"{body}-"}[sign]
    mark = wrapping.replace("{}", "").strip()
    expected = float(f"{whole}.{fraction:03}") if whole >= 0 else -float(f"{-whole}.{fraction:03}")
    found = read(body, form, mark)
    assert found == (expected / 100 if mark == "%" else expected)


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(FORMS))
def test_a_whole_number_keeps_all_its_digits(number, form):
    cell = f"{number:,}".replace(",", form.thousands)
    assert read(cell, form, whole=True) == number


def test_a_lenient_reader_takes_plain_numbers_too():
    german = NumberForm(",", ".")
    assert read("1234.5", german) is None
    assert read("1234.5", german, lenient=True) == 1234.5
    assert read("1.234", german, lenient=True) == 1234
    assert read("0.45", mark="%", lenient=True) == 0.45
    assert read("45%", mark="%", lenient=True) == 0.45
    assert read("45", mark="%") is None
    assert read("5", mark="$") == 5
    assert read("€5", mark="$", lenient=True) is None


def test_codes_begin_with_a_zero():
    cells = pa.array(["007", "0", "0.5", "-07", "$07", "70", "x07"])
    found = numbers.has_leading_zero(numbers.taken_apart(cells))
    assert found.tolist() == [True, False, False, False, False, False, False]


def test_values_that_float64_does_not_hold_as_written_are_looked_at_again():
    assert numbers.are_plain(pa.array([2**53, None]))
    assert not numbers.are_plain(pa.array([2**53 + 1]))
    assert not numbers.are_plain(pa.array([float("nan")]))
    assert not numbers.are_plain(pa.array([float("inf")]))
    assert numbers.are_plain(pa.array([None], pa.float64()))
