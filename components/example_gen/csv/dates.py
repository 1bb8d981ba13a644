"""Dates and times as people write them: one table of forms, recognised and read by Arrow.

A form has the name that strptime would give it. Those that are looked for (`FORMS`) come without
and with a time of day, `%H:%M` at their end; the time may then be left out, have seconds, a
fraction of them, AM or PM, and an offset from UTC. A pattern that is asked for is read as it says.
Several joined by `|` are a form too: that of the first which a cell is of.
"""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import timestamps
from millrace.components.example_gen.csv.dialect import DayFirst
from millrace.components.example_gen.csv.months import MONTHS

QUARTER, EXCEL, UNIX, CLOCK = "quarter", "excel", "unix", "clock"
"""Forms without strptime's directives: `2012-Q3`; days since 1899-12-30; seconds, or milli-, micro-
or nanoseconds, since 1970; `18:30`, a time of any day, read as that of 1970-01-01."""

_TIME, _OR = " %H:%M", "|"
_OF_DAY = (
    r"(?P<hour>\d{1,2})(?:[:h.]?(?P<minute>\d{2})(?::?(?P<second>\d{2})"
    r"(?:[.,](?P<fraction>\d{1,9})\d*)?)?)?(?: ?(?P<half>[AaPp]\.?[Mm]\.?))?"
    r"(?: ?(?:Uhr|h))?"
)
_ZONES = "|".join(timestamps.ZONES)
_AT = (
    rf"(?:(?:[T ] *|, ){_OF_DAY}"
    rf"(?: ?[(\[]?(?P<offset>Z|z|UTC|GMT|{_ZONES}|[+-]\d{{2}}:?(?:\d{{2}})?)[)\]]?"
    r"(?:\[[A-Za-z_/]+\])?)?)?"
)
_DIRECTIVES = {
    **{"Y": r"(?P<year>\d{4})", "y": r"(?P<short>\d{2})", "G": r"(?P<year>\d{4})"},
    **{"m": r"(?P<month>\d{1,2})", "d": r"(?P<day>\d{1,2})", "e": r" ?(?P<day>\d{1,2})"},
    **dict.fromkeys("bBh", r"(?P<name>[\p{L}\p{M}]{3,12})\.?"),
    **dict.fromkeys("aA", r"[\p{L}\p{M}-]{2,14}\.?"),
    **{"j": r"(?P<ordinal>\d{1,3})", "V": r"(?P<week>\d{1,2})", "u": r"(?P<weekday>[1-7])"},
    **{"q": r"(?P<quarter>[1-4])", "H": r"(?P<hour>\d{1,2})", "I": r"(?P<hour>\d{1,2})"},
    **{"M": r"(?P<minute>\d{1,2})", "S": r"(?P<second>\d{1,2})", "f": r"(?P<fraction>\d{1,9})"},
    **{"p": r"(?P<half>[AaPp]\.?[Mm]\.?)", "z": r"(?P<offset>Z|[+-]\d{2}:?\d{2})", "%": "%"},
}
_SHORTHANDS = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y"}
_NUMERIC = frozenset("YymdHMSjGV")
_WEEKDAY, _TH = r"(?:[^\d\s.,/]{2,14}\.?,? )?", r"(?:st|nd|rd|th|er|ème|\.?[ºª°e])?"
_NAME, _DAY = r"(?P<name>[^\d\s.,/-]{3,12})\.?", r"(?P<day>\d{1,2})"
_YEAR, _SHORT = r"(?P<year>\d{4})", r"(?P<short>\d{2})"
_OF = r"(?:\.? ?|[ /-]| +(?:of|de|del|di) +)"  # between the day, the name of the month and the year
_DAYS: dict[str, str] = {
    **dict.fromkeys(("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"), ""),
    **dict.fromkeys((f"%d{s}%m{s}{year}" for s in "/-." for year in ("%Y", "%y")), ""),
    **dict.fromkeys((f"%m{s}%d{s}{year}" for s in "/-." for year in ("%Y", "%y")), ""),
    **dict.fromkeys(("%y/%m/%d", "%y-%m-%d", "%y.%m.%d"), ""),
    "%d %b %Y": rf"{_WEEKDAY}{_DAY}{_TH}{_OF}{_NAME},?{_OF}{_YEAR}",
    "%d %b %y": rf"{_WEEKDAY}{_DAY}{_TH}{_OF}{_NAME},?{_OF}'?{_SHORT}",
    "%b %d, %Y": rf"{_WEEKDAY}{_NAME}[ -]+{_DAY}{_TH}(?:,? |-){_YEAR}",
    "%Y %b %d": rf"{_YEAR}[ /-]{_NAME}[ /-]{_DAY}",
    "%Y%m%d": "",
}
"""The forms of a day, and their expressions where they take more than the form says."""

_SPANS: dict[str, str] = {
    QUARTER: rf"(?:{_YEAR}[-/. ]?[Qq](?P<quarter>[1-4])|[Qq](?P<quarter2>[1-4])[-/. ]?"
    r"(?P<year2>\d{4}))",
    "%G-W%V": rf"{_YEAR}-?W(?P<week>\d{{2}})(?:-?(?P<weekday>[1-7]))?",
    **dict.fromkeys(("%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%m.%Y", "%YM%m"), ""),
    "%b %Y": rf"{_NAME},?{_OF}{_YEAR}",
    "%b %y": rf"{_NAME}[ /-]'?{_SHORT}",
    "%Y %b": rf"{_YEAR}[ -]{_NAME}",
}
"""The same of months, quarters and weeks, which begin with the day that they mean."""

_HOURS = ("%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S")
_NUMBERS = ("%Y%m", "%G%V", *_HOURS, EXCEL, UNIX)  # only in columns that are called like a time
_CALLED = re.compile(
    r"date|datum|fecha|^zeit(raum|punkt|stempel)?$|\btime\b|time_?stamp|_time\b|Time\b|^t$|^ts$|^ds$|epoch|unix|when|period"
    r"|\bmonth\b|\bmonat\b|\bmois\b|(_|\b)(at|on)$|[a-z]At$",
    re.IGNORECASE,
)
_SPANS_CALLED = {
    "%Y%m": re.compile(r"month|monat|mois|\bmes(e|es)?\b|^ym$|yyyymm|yearmon", re.IGNORECASE),
    "%G%V": re.compile(r"week|woche|^kw$|semaine|semana|yyyyww", re.IGNORECASE),
}
"""What columns are called that hold months or weeks, and no other numbers that are times."""
_MAY_BE_CALLED = re.compile(
    r"(^|[_\W])(start|begin|end|due|from|to|until|since|expir\w*|deadline|birth|born|dob|hired?"
    r"|joined|opened|closed|shipped|delivered|ordered|issued|paid|arrival|departure|admission"
    r"|discharge|beginn|ende|f\w*llig|von|bis|geburt\w*|d\wbut|fin|inicio|data|dia|jour|tag)([_\W]|$)",
    re.IGNORECASE,
)
FORMS = (*itertools.chain(*((day, day + _TIME) for day in _DAYS)), *_SPANS, *_NUMBERS)
"""All that are looked for, the ones preferred first."""

_SHOWN = {
    QUARTER: "2012-Q3",
    EXCEL: "43831.5, an Excel serial date",
    UNIX: "Unix time",
    CLOCK: "18:30",
}
_DIGITS_LOOK, _CLOCK_LOOK = r"^\d{5,}", r"^\d{1,2} ?(?:[:h]\d{2}|[AaPp]\.?[Mm])"
_DOTTED, _DOTTED_LOOK = "%m.%Y", r"^\d{1,2}\.\d{4}$"  # which looks like a number as well
_MOST = 60  # letters of what may be a date
_EXCEL_DAYS = (20_000, 75_000)  # 1954 to 2105: what a column may hold to be taken for dates
_UNIX_SECONDS = (1e8, 4.2e9)  # 1973 to 2103
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
PARTS = {
    "year": pc.year,
    "month": pc.month,
    "day": pc.day,
    "weekday": pc.day_of_week,
    "hour": pc.hour,
    "minute": pc.minute,
}
"""What becomes of a date; the last two where it has a time."""

_WITHOUT_TIME = 4  # of the parts


def candidates(name: str, day_first: DayFirst = "auto", *, clock: bool = False) -> tuple[str, ...]:
    """The forms to look for in a column called `name`, the ones preferred first.

    Numbers are dates only in columns that are called like a time, but for `20200131`. A time of day
    is looked for where `clock` says so.
    """
    of_spans = tuple(form for form, called in _SPANS_CALLED.items() if called.search(name))
    return _candidates(_NUMBERS if _CALLED.search(name) else of_spans, day_first, clock)


@functools.cache  # most columns of a table have the same
def _candidates(numbers: tuple[str, ...], day_first: DayFirst, clock: bool) -> tuple[str, ...]:
    unwanted = {"yes": "%m{}%d", "no": "%d{}%m", "auto": "never"}[day_first]
    starts = tuple(unwanted.format(separator) for separator in "/-.")
    if day_first == "yes":
        starts = (*starts, "%y/", "%y-", "%y.")
    return tuple(
        form
        for form in (*FORMS, *([CLOCK] if clock else []))
        if not form.startswith(starts) and (form in numbers or form not in _NUMBERS)
    )


def outranking_numbers(forms: Iterable[str], name: str) -> tuple[str, ...]:
    """Those of `forms` that cells of a column called `name` rather are of than numbers."""
    is_of_time = len(candidates(name)) > len(candidates(""))
    return tuple(form for form in forms if is_digits(form) or (form == _DOTTED and is_of_time))


def may_be_serials(name: str) -> bool:
    """Whether numbers in a column called `name` may be Excel's days, though it says no time."""
    return not _CALLED.search(name) and _MAY_BE_CALLED.search(name) is not None


def is_digits(form: str) -> bool:
    """Whether its cells are numbers as well."""
    return form in (*_NUMBERS, "%Y%m%d", "%Y%m%d" + _TIME)


def swapped(form: str) -> str:
    """The form with day and month in the other order, if cells of `form` may be of that; or ""."""
    if form.startswith(("%d/%m", "%d-%m", "%m/%d", "%m-%d")):
        return form[3:5].join(("", form[2])) + form[:2] + form[5:]
    return ""


def year_first(form: str) -> str:
    """The form that begins with the year, if cells of `form` (`20/01/31`) may be of it; or ""."""
    found = re.match(r"%d([/.-])%m\1%y", form)
    return f"%y{found[1]}%m{found[1]}%d{form[found.end() :]}" if found else ""


def fits(cells: pa.StringArray, forms: tuple[str, ...]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each of `forms` that any of `cells`, none null, is of, and which are: bool [cells]."""
    text = pc.utf8_trim_whitespace(cells)
    is_short = pc.less_equal(pc.utf8_length(text), _MOST)
    digits = tuple(form for form in forms if is_digits(form))
    dotted = tuple(form for form in forms if form == _DOTTED)
    clocks = tuple(form for form in forms if form == CLOCK)
    others = tuple(form for form in forms if form not in (*digits, *dotted, *clocks))
    looks = (_DIGITS_LOOK, _DOTTED_LOOK, _CLOCK_LOOK, _look())
    for some, look in zip((digits, dotted, clocks, others), looks, strict=True):
        may_be = pc.and_(is_short, pc.match_substring_regex(text, look))
        where = may_be.to_numpy(zero_copy_only=False)
        if not where.any():
            continue
        for form, found in _fits(text.filter(may_be), some):
            if found.any():
                whole = np.zeros(len(cells), bool)
                whole[where] = found
                yield form, whole


def _fits(cells: pa.StringArray, forms: tuple[str, ...]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for form in forms:
        if form.endswith(_TIME):
            continue
        timed = form + _TIME
        if timed in forms:
            found, has_time = _moments(cells, timed)
            fit = _are_of_today(found) if form == "%Y%m%d" else ~np.isnat(found)
            yield form, fit & ~has_time
            yield timed, fit
        elif form in (*_NUMBERS, _DOTTED):
            yield form, _are_plausible(cells, form)
        else:
            yield form, ~np.isnat(_moments(cells, form)[0])


def _are_plausible(cells: pa.StringArray, form: str) -> NDArray[np.bool_]:
    """Which numbers are such dates as one would have today."""
    if form in (EXCEL, UNIX):
        numbers = timestamps.plain_numbers(cells)
        if form == EXCEL:
            return (numbers >= _EXCEL_DAYS[0]) & (numbers < _EXCEL_DAYS[1])
        least, most = _UNIX_SECONDS
        scaled = [(numbers >= least * unit) & (numbers < most * unit) for unit in _UNITS]
        return np.logical_or.reduce(scaled)
    return _are_of_today(_moments(cells, form)[0])


def _are_of_today(moments: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    return (moments >= np.datetime64("1900")) & (moments < np.datetime64("2100"))


def read(cells: pa.StringArray, form: str) -> pa.TimestampArray:
    """Timestamps in microseconds, of UTC where the cells have an offset.

    Null where they do not fit.
    """
    encoded = pc.utf8_trim_whitespace(cells).dictionary_encode()
    values = np.full(len(encoded.dictionary), "NaT", "datetime64[us]")
    for each in parts(form):
        values = np.where(np.isnat(values), _moments(encoded.dictionary, each)[0], values)
    return pa.array(values, pa.timestamp("us")).take(encoded.indices)


def parts(form: str) -> list[str]:
    """The forms that `form` is joined of."""
    return form.split(_OR) if form else []


def have_offsets(cells: pa.StringArray, form: str) -> bool:
    """Whether any of `cells` of the `form` says how far from UTC it is."""
    if _OR in form:
        return any(have_offsets(cells, each) for each in parts(form))
    if form in (EXCEL, UNIX):
        return False
    found = pc.extract_regex(pc.utf8_trim_whitespace(cells), _expression(form))
    fields = _fields(found)
    return "offset" in fields and bool(pc.any(pc.not_equal(fields["offset"], "")).as_py())


def has_time(form: str) -> bool:
    """Whether dates of the `form` have a time of day."""
    return any(each in (EXCEL, UNIX, CLOCK) or "%H" in each or "%I" in each for each in parts(form))


def together(counts: Mapping[str, int]) -> str:
    """The forms of days that a column may mix, each with how many of its cells are of it, as one.

    Of two that differ in the order of day and month it is the one that more cells are of. Empty if
    there is one form only, or such two have as many cells.
    """
    kept = []
    for day in _DAYS:
        timed = day + _TIME
        form = timed if counts.get(timed, 0) > counts.get(day, 0) else day
        count, others = counts.get(form, 0), counts.get(swapped(form), 0)
        if count and count == others:
            return ""
        if count > others and not is_digits(day) and not day.startswith("%y"):
            kept.append(form)
    return _OR.join(kept) if len(kept) > 1 else ""


def check_form(option: str, form: str) -> None:
    """Refuse a pattern that cannot be read.

    Raises:
        OptionError: it has an unknown directive, or says no year.
    """
    if _OR in form:
        for each in parts(form):
            check_form(option, each)
        return
    if form in (QUARTER, EXCEL, UNIX, CLOCK):
        return
    expression, unknown = _compiled(form)
    if unknown or not re.search(r"<(year|short)>", expression):
        what = f"{unknown} in {form!r}" if unknown else f"{form!r}, without a year"
        known = " ".join(f"%{each}" for each in "YymdbjHIMSfpzGVuq")
        raise OptionError(
            f"{option}: expected strptime's directives ({known}), {QUARTER}, {EXCEL}, {UNIX} "
            f"or {CLOCK}. Received: {what}. Correct it, such as to %d.%m.%Y %H:%M."
        )


def seconds(values: pa.TimestampArray) -> pa.Int64Array:
    """Whole seconds since 1970, those of a fraction before it."""
    return pc.floor_temporal(values, unit="second").cast(pa.timestamp("s")).cast(pa.int64())


def parts_of(form: str) -> list[str]:
    """The names in `PARTS` of what a date of the `form` has."""
    if form == CLOCK:
        return list(PARTS)[_WITHOUT_TIME:]
    return list(PARTS) if has_time(form) else list(itertools.islice(PARTS, _WITHOUT_TIME))


def shown(form: str) -> str:
    """The form as a message names it."""
    return " or ".join(_SHOWN.get(each, each) for each in parts(form))


@functools.cache
def _look() -> str:
    """An expression for all that is of one of the forms, but for those that look like numbers."""
    days = "|".join(_ungrouped(_day_expression(form)) for form in _DAYS if not is_digits(form))
    spans = "|".join(_ungrouped(_day_expression(form)) for form in _SPANS if form != _DOTTED)
    found = rf"^(?:(?:{days}){_ungrouped(_AT)}|{spans})$"
    return re.sub(r"\[\\p\{L\}.*?\]", r"[^\\d\\s]", found)  # all letters take long to compile


def _ungrouped(expression: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", expression)


def _day_expression(form: str) -> str:
    return _OF_DAY if form == CLOCK else (_DAYS | _SPANS).get(form) or _compiled(form)[0]


@functools.cache
def _expression(form: str) -> str:
    """Named groups for the parts of a date."""
    day = form.removesuffix(_TIME)
    if day in _DAYS and day != form:
        return f"^{_day_expression(day)}{_AT}$"
    return f"^{_day_expression(form)}$"


def _compiled(form: str) -> tuple[str, str]:
    """Strptime's pattern as an expression of named groups, and its first unknown directive."""
    for short, whole in _SHORTHANDS.items():
        form = form.replace(short, whole)
    parts: list[str] = re.findall(r"%.?|[^%]", form, re.DOTALL)
    made = []
    for place, part in enumerate(parts):
        if not part.startswith("%"):
            made.append(" +" if part.isspace() else re.escape(part))
            continue
        if part[1:] not in _DIRECTIVES:
            return "", part
        beside = [*parts[max(0, place - 1) : place], *parts[place + 1 : place + 2]]
        is_beside = any(each[0] == "%" and each[1:] in _NUMERIC for each in beside)
        expression = _DIRECTIVES[part[1:]]
        made.append(expression.replace("{1,2}", "{2}") if is_beside else expression)
    found = "".join(made)
    groups: list[str] = re.findall(r"<(\w+)>", found)
    twice = next((each for each in groups if groups.count(each) > 1), "")
    return ("", f"{twice} twice") if twice else (found, "")


def month_numbers(names: pa.StringArray) -> NDArray[np.int64]:
    """The number of each month by its name, whole or short; -1 of what is none."""
    known = pa.array(list(MONTHS), pa.string())
    letters = pc.utf8_normalize(pc.utf8_lower(names), "NFD")
    places = pc.index_in(pc.replace_substring_regex(letters, r"[\p{M}.\s]", ""), known)
    numbers = np.array([*MONTHS.values(), -1])
    found: NDArray[np.int64] = numbers[places.fill_null(-1).to_numpy(zero_copy_only=False)]
    return found


def _moments(cells: pa.StringArray, form: str) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """datetime64[us] of UTC, NaT where a cell is not of the form, and which have a time of day."""
    if form in (EXCEL, UNIX):
        return timestamps.counted(cells, excel=form == EXCEL), np.ones(len(cells), bool)
    groups = pc.extract_regex(cells, _expression(form))
    if groups.null_count == len(cells):
        return np.full(len(cells), "NaT", "datetime64[us]"), np.zeros(len(cells), bool)
    fields = _fields(groups)
    fits = next(iter(fields.values())).is_valid().to_numpy(zero_copy_only=False)
    parts = {
        name: timestamps.whole_numbers(field)
        for name, field in fields.items()
        if name not in ("name", "half", "offset", "fraction")
    }
    if "name" in fields:
        parts["month"] = month_numbers(fields["name"])
    days, valid = timestamps.day_of(parts, len(cells))
    moments, at_valid, has_time = timestamps.within_day(fields, parts, len(cells))
    found = days.astype("datetime64[us]") + moments.astype("timedelta64[us]")
    found[~(fits & valid & at_valid)] = np.datetime64("NaT")
    return found, has_time


def _fields(found: pa.StructArray) -> dict[str, pa.StringArray]:
    names = [field.name for field in found.type]
    return dict(zip(names, found.flatten(), strict=True))
