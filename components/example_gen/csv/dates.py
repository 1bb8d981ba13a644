"""Dates and times as people write them: one table of forms, recognised and read by Arrow.

A form has the name that strptime would give it. Those that are looked for (`FORMS`) come without
and with a time of day, `%H:%M` at their end; the time may then be left out, have seconds, a
fraction of them, AM or PM, and an offset from UTC. A pattern that is asked for is read as it says.
Several joined by `|` are a form too: that of the first which a cell is of.
"""

import functools
import itertools
import re
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv.dialect import DayFirst
from millrace.components.example_gen.csv.months import MONTHS

QUARTER, EXCEL, UNIX, CLOCK = "quarter", "excel", "unix", "clock"
"""Forms without strptime's directives: `2012-Q3`; days since 1899-12-30; seconds, or milli-, micro-
or nanoseconds, since 1970; `18:30`, a time of any day, read as that of 1970-01-01."""

_TIME, _OR = " %H:%M", "|"
_ABBREVIATED = {  # those of RFC 2822, and others of one meaning
    **{"EST": "-05", "EDT": "-04", "CST": "-06", "CDT": "-05", "MST": "-07", "MDT": "-06"},
    **{"PST": "-08", "PDT": "-07", "WET": "+00", "WEST": "+01", "CET": "+01", "CEST": "+02"},
    **{"MEZ": "+01", "MESZ": "+02"},
    **{"EET": "+02", "EEST": "+03", "MSK": "+03", "JST": "+09", "AEST": "+10", "AEDT": "+11"},
}
_OF_DAY = (
    r"(?P<hour>\d{1,2})(?:[:h.]?(?P<minute>\d{2})(?::?(?P<second>\d{2})"
    r"(?:[.,](?P<fraction>\d{1,9})\d*)?)?)?(?: ?(?P<half>[AaPp]\.?[Mm]\.?))?"
    r"(?: ?(?:Uhr|h))?"
)
_ZONES = "|".join(_ABBREVIATED)
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
_US = 1_000_000
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
    unwanted = {"yes": "%m{}%d", "no": "%d{}%m", "auto": "never"}[day_first]
    starts = tuple(unwanted.format(separator) for separator in "/-.")
    if day_first == "yes":
        starts = (*starts, "%y/", "%y-", "%y.")
    of_spans = [form for form, called in _SPANS_CALLED.items() if called.search(name)]
    numbers = _NUMBERS if _CALLED.search(name) else of_spans
    return tuple(
        form
        for form in (*FORMS, *([CLOCK] if clock else []))
        if not form.startswith(starts) and (form in numbers or form not in _NUMBERS)
    )


def outranks_numbers(form: str, name: str) -> bool:
    """Whether cells of a column called `name` are rather of the `form` than numbers."""
    return is_digits(form) or (form == _DOTTED and len(candidates(name)) > len(candidates("")))


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
        numbers = _numbers(cells)
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
        return _counted(cells, form), np.ones(len(cells), bool)
    groups = pc.extract_regex(cells, _expression(form))
    if groups.null_count == len(cells):
        return np.full(len(cells), "NaT", "datetime64[us]"), np.zeros(len(cells), bool)
    fields = _fields(groups)
    fits = next(iter(fields.values())).is_valid().to_numpy(zero_copy_only=False)
    parts = {
        name: _whole(field)
        for name, field in fields.items()
        if name not in ("name", "half", "offset", "fraction")
    }
    if "name" in fields:
        parts["month"] = month_numbers(fields["name"])
    days, valid = _days(parts, len(cells))
    moments, at_valid, has_time = _within_day(fields, parts, len(cells))
    found = days.astype("datetime64[us]") + moments.astype("timedelta64[us]")
    found[~(fits & valid & at_valid)] = np.datetime64("NaT")
    return found, has_time


def _fields(found: pa.StructArray) -> dict[str, pa.StringArray]:
    names = [field.name for field in found.type]
    return dict(zip(names, found.flatten(), strict=True))


def _whole(field: pa.StringArray, missing: int = -1) -> NDArray[np.int64]:
    """Digits as int64, `missing` where there are none."""
    filled = pc.if_else(pc.equal(field, ""), pa.scalar(None, pa.string()), field)
    return filled.cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False)


def _days(
    parts: Mapping[str, NDArray[np.int64]], count: int
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """datetime64[D], and where there is such a day."""
    if "hour" in parts and not {"year", "short"} & parts.keys():
        return np.zeros(count, "datetime64[D]"), np.ones(count, bool)
    year = parts.get("year", np.full(count, -1))
    if "short" in parts:
        year = parts["short"] + np.where(parts["short"] < 69, 2000, 1900)  # as POSIX has it
    if "year2" in parts:
        year = np.where(year < 0, parts["year2"], year)
    valid = year >= 1
    start = (np.where(valid, year, 1970) - 1970).astype("datetime64[Y]")
    if "week" in parts:
        return _in_week(start, parts, valid)
    if "ordinal" in parts:
        days = start.astype("datetime64[D]") + (parts["ordinal"] - 1).astype("timedelta64[D]")
        is_there = (parts["ordinal"] >= 1) & (days.astype("datetime64[Y]") == start)
        return days, np.asarray(valid & is_there, bool)
    if "quarter" in parts:
        quarter = np.maximum(parts["quarter"], parts.get("quarter2", parts["quarter"]))
        month = 3 * quarter - 2
    else:
        month = parts.get("month", np.ones(count, np.int64))
    day = parts.get("day", np.ones(count, np.int64))
    valid &= (month >= 1) & (month <= 12)
    months = start.astype("datetime64[M]") + np.where(valid, month - 1, 0)
    days = months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    return days, np.asarray(valid & (day >= 1) & (days.astype("datetime64[M]") == months), bool)


def _in_week(
    start: NDArray[np.datetime64], parts: Mapping[str, NDArray[np.int64]], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """ISO 8601: week 1 is that of the fourth of January, and weeks begin on Monday."""
    fourth = start.astype("datetime64[D]") + 3
    monday = fourth - (fourth.astype(np.int64) + 3) % 7
    weekday = np.maximum(parts.get("weekday", np.ones_like(parts["week"])), 1)
    first = monday + 7 * (parts["week"] - 1)
    thursday = first + 3
    is_there = (parts["week"] >= 1) & (thursday.astype("datetime64[Y]") == start)
    return first + (weekday - 1).astype("timedelta64[D]"), np.asarray(valid & is_there, bool)


def _within_day(
    fields: Mapping[str, pa.StringArray], parts: Mapping[str, NDArray[np.int64]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Microseconds since midnight of UTC, where there is such a time, and which cells have one."""
    if "hour" not in parts:
        return np.zeros(count, np.int64), np.ones(count, bool), np.zeros(count, bool)
    has_time = parts["hour"] >= 0
    hour = np.maximum(parts["hour"], 0)
    rest = {name: np.maximum(parts.get(name, hour * 0), 0) for name in ("minute", "second")}
    valid = (hour <= 24) & (rest["minute"] <= 59) & (rest["second"] <= 59)
    if "half" in fields:
        half = pc.utf8_lower(pc.utf8_slice_codeunits(fields["half"], 0, 1)).fill_null("")
        is_pm = pc.equal(half, "p").to_numpy(zero_copy_only=False)
        is_of_half = is_pm | pc.equal(half, "a").to_numpy(zero_copy_only=False)
        valid &= ~is_of_half | ((hour >= 1) & (hour <= 12))
        hour = np.where(is_of_half, hour % 12 + 12 * is_pm, hour)
    micros = ((hour * 60 + rest["minute"]) * 60 + rest["second"]) * _US
    valid &= micros <= 24 * 3600 * _US
    if "fraction" in fields:
        digits = pc.utf8_slice_codeunits(pc.utf8_rpad(fields["fraction"], 6, "0"), 0, 6)
        micros = micros + _whole(digits, 0)
    if "offset" in fields:
        micros = micros - _offset(fields["offset"])
    return micros, valid, has_time


def _offset(field: pa.StringArray) -> NDArray[np.int64]:
    """`+02:00` or `CEST` in microseconds, 0 where it is Z or nothing."""
    place = pc.index_in(field, pa.array(list(_ABBREVIATED)))
    field = pc.coalesce(pa.array(list(_ABBREVIATED.values())).take(place), field)
    sign = np.where(
        pc.starts_with(field, "-").fill_null(fill_value=False).to_numpy(zero_copy_only=False), -1, 1
    )
    digits = pc.replace_substring_regex(field, r"\D", "")
    hours = _whole(pc.utf8_slice_codeunits(digits, 0, 2), 0)
    minutes = _whole(pc.utf8_slice_codeunits(digits, 2, 4), 0)
    return sign * (hours * 60 + minutes) * 60 * _US


def _numbers(cells: pa.StringArray) -> NDArray[np.float64]:
    """Plain numbers as float64, NaN for what is none."""
    is_number = pc.match_substring_regex(cells, r"^-?\d+(?:\.\d+)?$")
    kept = pc.if_else(is_number, cells, pa.scalar(None, pa.string()))
    return kept.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)


def _counted(cells: pa.StringArray, form: str) -> NDArray[np.datetime64]:
    """Excel's days, or Unix time in the unit that its size says, each cell for itself."""
    numbers = _numbers(cells)
    if form == EXCEL:
        limit, start = 3e6, np.datetime64("1899-12-30", "us")
        scale = np.full(len(numbers), 86_400.0 * _US)
    else:
        size = np.abs(np.nan_to_num(numbers))
        limit, start = 1e20, np.datetime64(0, "us")
        scale = _US / np.select([size >= 1e17, size >= 1e14, size >= 1e11], [1e9, 1e6, 1e3], 1.0)
    fits = np.abs(numbers) < limit
    micros = np.rint(np.where(fits, numbers, 0) * scale)
    fits &= np.abs(micros) < 9e18
    if form == EXCEL:  # a float has no more than these digits of a day
        micros = np.rint(micros / 1_000) * 1_000
    found = start + np.where(fits, micros, 0).astype(np.int64).astype("timedelta64[us]")
    found[~fits] = np.datetime64("NaT")
    return found
