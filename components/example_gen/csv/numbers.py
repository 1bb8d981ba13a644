"""Numbers as people write them: one table of forms, recognised and read by Arrow.

Beside the digits a cell may have a sign on either side, `(5.5)` for a negative number, a currency
on either side or a percent sign, and spaces between them. `45%` is 0.45, and beside such cells so
is 0.45, whereas 45 may be either.
"""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_EXACT = 2**53  # whole numbers up to which float64 holds them all
_MOST = 60  # letters of what may be a number
PERCENT = "%"
_FRACTION = r"^(?:0*(?:[.,]\d*)?|\d(?:[.,]\d*)?[eE]-0*[1-9]\d*)$"
_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES "
    "KRW MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD "
    "VND ZAR"
)
_CURRENCY = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|{'|'.join(_CODES.split())}|kr\.?|zł|Kč|Ft|Rs\.?|Fr\.?)"
_EXPRESSION = (
    rf"^(?P<minus>[-(]?) ?\+?(?P<before>{_CURRENCY}?) ?(?P<inner>-?) ?"
    rf"(?P<digits>(?:\d[\d.,' ]*|[.,]\d+)(?:[eE][+-]?\d+)?) ?"
    rf"(?P<percent>%?)(?P<after>{_CURRENCY}?) ?(?P<last>-?)$"
)


@dataclasses.dataclass(frozen=True)
class NumberForm:
    """What stands between the digits of a number; `thousands` may be empty."""

    decimal: str = "."
    thousands: str = ""

    @property
    def whole(self) -> str:
        """An expression for whole numbers."""
        if not self.thousands:
            return r"\d+"
        group = re.escape(self.thousands)
        indian = rf"|[1-9]\d?(?:{group}\d{{2}})+{group}\d{{3}}" if self.thousands == "," else ""
        return rf"(?:\d+|[1-9]\d{{0,2}}(?:{group}\d{{3}})+{indian})"

    @property
    def fractional(self) -> str:
        """An expression for any numbers."""
        decimal = re.escape(self.decimal)
        return rf"(?:{self.whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?"


PLAIN = NumberForm()
FORMS = (
    *(PLAIN, NumberForm(".", ","), NumberForm(",", ""), NumberForm(",", ".")),
    *(NumberForm(decimal, group) for group in "' " for decimal in ".,"),
)
"""All that are looked for, the ones preferred first. Spaces of any width are one, and so are
apostrophes."""


def forms(decimal: str, thousands: str) -> tuple[NumberForm, ...]:
    """Those that are left where a dialect names the `decimal` ("auto": none) or the `thousands`."""
    if thousands:
        decimals = [decimal] if decimal != "auto" else [each for each in ".," if each != thousands]
        return tuple(NumberForm(each, thousands) for each in decimals)
    return tuple(form for form in FORMS if decimal in ("auto", form.decimal))


@dataclasses.dataclass(frozen=True)
class Bodies:
    """Cells taken apart.

    Attributes:
        digits: with what stands between them, null where the cell cannot be a number.
        is_negative: bool [cells].
        marks: `%`, a currency or nothing.
    """

    digits: pa.StringArray
    is_negative: NDArray[np.bool_]
    marks: pa.StringArray


def taken_apart(cells: pa.StringArray) -> Bodies:
    """Signs, marks and digits of `cells`."""
    text = pc.utf8_trim_whitespace(cells)
    text = pc.if_else(
        pc.less_equal(pc.utf8_length(text), _MOST), text, pa.scalar(None, pa.string())
    )
    text = pc.replace_substring_regex(text, r"[\pZ\t]", " ")
    text = pc.replace_substring_regex(text, "[\u2212\u2012\u2013\ufe63\uff0d]", "-")
    text = pc.replace_substring_regex(text, "[\u2019\u02bc`\u00b4]", "'")
    text = pc.replace_substring_regex(text, r"^\((.*)\)( ?%?)$", r"(\1\2")
    names = ("minus", "before", "inner", "digits", "percent", "after", "last")
    found = dict(zip(names, _matched(text), strict=True))
    minus = pc.binary_join_element_wise(found["minus"], found["inner"], found["last"], "")
    signs = pc.binary_length(minus).fill_null(0).to_numpy(zero_copy_only=False)
    marks = pc.binary_join_element_wise(found["percent"], found["before"], found["after"], "")
    digits = pc.utf8_rtrim_whitespace(found["digits"])
    is_one = pa.array(signs <= 1)
    digits = pc.if_else(is_one, digits, pa.scalar(None, pa.string()))
    return Bodies(digits, signs == 1, marks)


def _matched(text: pa.StringArray) -> list[pa.StringArray]:
    return pc.extract_regex(text, _EXPRESSION).flatten()


def fits(bodies: Bodies, form: NumberForm, *, whole: bool) -> NDArray[np.bool_]:
    """Which cells are numbers of the `form`, bool [cells]."""
    expression = form.whole if whole else form.fractional
    found = pc.match_substring_regex(bodies.digits, f"^{expression}$")
    found = found.fill_null(fill_value=False)
    plain = _plain(bodies.digits, form)
    is_held = _fits_int64(plain, bodies.is_negative) if whole else _is_exact(plain)
    found = pc.and_(found, is_held.fill_null(fill_value=False))
    if not whole and found.true_count:
        kept = pc.if_else(found, plain, pa.scalar(None, pa.string()))
        found = pc.and_(found, pc.is_finite(kept.cast(pa.float64())).fill_null(fill_value=False))
    return found.to_numpy(zero_copy_only=False)


def read(
    cells: pa.StringArray, form: NumberForm, mark: str, *, whole: bool, lenient: bool = False
) -> tuple[pa.Array, pa.BooleanArray]:
    """int64 or finite float64, null where a cell does not fit, and where it does not.

    Args:
        cells: maybe null.
        form: of the digits.
        mark: that the numbers have: `%` all of them but fractions, a currency some.
        whole: whether only whole numbers fit.
        lenient: whether plain numbers fit beside those of the form, as a person would ask about.
    """
    bodies = taken_apart(cells)
    is_plain = is_fraction(bodies) if mark == PERCENT else pc.equal(bodies.marks, "")
    is_marked = pc.or_(pc.equal(bodies.marks, mark), is_plain)
    marked = is_marked.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    of_form = fits(bodies, form, whole=whole) & marked
    plain = _plain(bodies.digits, form)
    if lenient and form != PLAIN:
        also = fits(bodies, PLAIN, whole=whole) & marked & ~of_form
        plain = pc.if_else(pa.array(also), bodies.digits, plain)
        of_form |= also
    kept = pc.if_else(pa.array(of_form), plain, pa.scalar(None, pa.string()))
    signed = pc.if_else(
        pa.array(bodies.is_negative), pc.binary_join_element_wise("-", kept, ""), kept
    )
    values = signed.cast(pa.int64() if whole else pa.float64())
    if mark == PERCENT:
        is_percent = pc.equal(bodies.marks, PERCENT)
        values = pc.if_else(is_percent, pc.divide(values, 100.0), values)
    return values, pc.and_(cells.is_valid(), pa.array(~of_form))


def is_fraction(bodies: Bodies) -> pa.BooleanArray:
    """Which cells, if they are numbers, are below 1 and without a mark: a percentage may be so."""
    found = pc.match_substring_regex(bodies.digits, _FRACTION)
    return pc.and_(found, pc.equal(bodies.marks, "")).fill_null(fill_value=False)


def has_leading_zero(bodies: Bodies) -> NDArray[np.bool_]:
    """Which cells are digits alone that begin with a zero, as codes do."""
    found = pc.and_(pc.match_substring_regex(bodies.digits, r"^0\d+$"), pc.equal(bodies.marks, ""))
    return found.fill_null(fill_value=False).to_numpy(zero_copy_only=False) & ~bodies.is_negative


def are_plain(cells: pa.Array) -> bool:
    """Whether `cells`, int64 or float64, are all as they are written: finite and exact."""
    if not len(cells) or cells.null_count == len(cells):
        return True
    ends = pc.min_max(cells)
    return all(abs(each) <= _EXACT for each in (ends["min"].as_py(), ends["max"].as_py())) and (
        pa.types.is_int64(cells.type) or not pc.any(pc.is_nan(cells)).as_py()
    )


def finite(values: pa.Array) -> tuple[pa.Array, pa.BooleanArray]:
    """`values`, null where not finite, and which of them are not."""
    if not pa.types.is_floating(values.type):
        return values, pa.repeat(pa.scalar(value=False), len(values))
    is_finite = pc.is_finite(values)
    infinite = pc.invert(is_finite).fill_null(fill_value=False)
    if not infinite.true_count:
        return values, infinite
    return pc.if_else(is_finite, values, pa.scalar(None, values.type)), infinite


def narrowed(values: pa.Array) -> tuple[pa.Array, pa.BooleanArray]:
    """float64 as float32, and which are too large for it, null; any other type as it is."""
    if not pa.types.is_float64(values.type):
        return values, pa.repeat(pa.scalar(value=False), len(values))
    return finite(pc.cast(values, pa.float32(), safe=False))


def _plain(digits: pa.StringArray, form: NumberForm) -> pa.StringArray:
    if form.thousands:
        digits = pc.replace_substring(digits, form.thousands, "")
    return digits if form.decimal == "." else pc.replace_substring(digits, form.decimal, ".")


def _fits_int64(whole: pa.StringArray, is_negative: NDArray[np.bool_]) -> pa.BooleanArray:
    """Which whole numbers lie within 64 bits: 18 digits always fit, 19 may."""
    most = pc.if_else(pa.array(is_negative), str(2**63), str(2**63 - 1))
    digits = pc.ascii_ltrim(whole, "0")
    length = pc.utf8_length(digits)
    may_fit = pc.and_(pc.equal(length, 19), pc.less_equal(digits, most))
    return pc.or_(pc.less(length, 19), may_fit)


def _is_exact(plain: pa.StringArray) -> pa.BooleanArray:
    """Which are no whole numbers that float64 would round: they name something."""
    digits = pc.ascii_ltrim(plain, "0")
    length = pc.utf8_length(digits)
    may_be = pc.or_(
        pc.less(length, 16),
        pc.and_(pc.equal(length, 16), pc.less_equal(digits, str(_EXACT))),
    )
    return pc.or_(may_be, pc.match_substring_regex(plain, r"\D"))
