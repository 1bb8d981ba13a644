"""Dates in every form that is read: written, found and read back."""

import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.example_gen.csv import dates

AS_STRFTIME = [form for form in dates.FORMS if "%" in form and form[:2] != "%G" and form != "%b %y"]
MOMENTS = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2060, 1, 1))


def found(*cells, name="date"):
    """The forms that all `cells` are of."""
    array = pa.array(cells)
    return [f for f, fit in dates.fits(array, dates.candidates(name)) if fit.all()]


def read(cell, form):
    return dates.read(pa.array([cell]), form)[0].as_py()


def utc(*parts):
    return datetime.datetime(*parts)


@pytest.mark.parametrize(
    ("cell", "form", "moment"),
    [
        ("2020-01-31", "%Y-%m-%d", utc(2020, 1, 31)),
        ("2020-1-3", "%Y-%m-%d", utc(2020, 1, 3)),
        ("2020-01-31T10:00:00.25+02:00", "%Y-%m-%d %H:%M", utc(2020, 1, 31, 8, 0, 0, 250_000)),
        ("2020-01-31 10:00:00,5", "%Y-%m-%d %H:%M", utc(2020, 1, 31, 10, 0, 0, 500_000)),
        ("31.01.2020 10.30", "%d.%m.%Y %H:%M", utc(2020, 1, 31, 10, 30)),
        ("31.07.2020 10:00 (MESZ)", "%d.%m.%Y %H:%M", utc(2020, 7, 31, 8)),
        ("2020-01-31 10:00 [CET]", "%Y-%m-%d %H:%M", utc(2020, 1, 31, 9)),
        ("2020-01-31T10:00:00+01:00[Europe/Berlin]", "%Y-%m-%d %H:%M", utc(2020, 1, 31, 9)),
        ("2020-01-31 10", "%Y-%m-%d %H:%M", utc(2020, 1, 31, 10)),
        ("2020-01-31 24:00", "%Y-%m-%d %H:%M", utc(2020, 2, 1)),
        ("2020-01-31T10:00Z", "%Y-%m-%d %H:%M", utc(2020, 1, 31, 10)),
        ("2020-01-31 10:00 UTC", "%Y-%m-%d %H:%M", utc(2020, 1, 31, 10)),
        ("2020/1/3 6:00 PM", "%Y/%m/%d %H:%M", utc(2020, 1, 3, 18)),
        ("2020/1/3 12:05 a.m.", "%Y/%m/%d %H:%M", utc(2020, 1, 3, 0, 5)),
        ("31.01.20", "%d.%m.%y", utc(2020, 1, 31)),
        ("31/12/1999 23:59:59", "%d/%m/%Y %H:%M", utc(1999, 12, 31, 23, 59, 59)),
        ("12-31-99", "%m-%d-%y", utc(1999, 12, 31)),
        ("Jan 2020", "%b %Y", utc(2020, 1, 1)),
        ("September 2020", "%b %Y", utc(2020, 9, 1)),
        ("Jan-20", "%b %y", utc(2020, 1, 1)),
        ("2020 Jan", "%Y %b", utc(2020, 1, 1)),
        ("6-Jan-20", "%d %b %y", utc(2020, 1, 6)),
        ("1st March 2020", "%d %b %Y", utc(2020, 3, 1)),
        ("1st of March, 2020", "%d %b %Y", utc(2020, 3, 1)),
        ("31JAN2020", "%d %b %Y", utc(2020, 1, 31)),
        ("31. Januar 2020", "%d %b %Y", utc(2020, 1, 31)),
        ("Samstag, 15.Mär.2020", "%d %b %Y", utc(2020, 3, 15)),
        ("15. März 2020, 14:30 Uhr", "%d %b %Y %H:%M", utc(2020, 3, 15, 14, 30)),
        ("3. Mrz. 20", "%d %b %y", utc(2020, 3, 3)),
        ("31 janv. 2020", "%d %b %Y", utc(2020, 1, 31)),
        ("1er FÉVRIER 2020", "%d %b %Y", utc(2020, 2, 1)),
        ("sam. 15 aou\u0302t 2020 14h30", "%d %b %Y %H:%M", utc(2020, 8, 15, 14, 30)),
        ("31 de enero de 2020", "%d %b %Y", utc(2020, 1, 31)),
        ("1.º de março de 2020", "%d %b %Y", utc(2020, 3, 1)),
        ("1º de marco de 2020", "%d %b %Y", utc(2020, 3, 1)),
        ("segunda-feira, 6 de janeiro de 2020", "%d %b %Y", utc(2020, 1, 6)),
        ("7 settembre 2020", "%d %b %Y", utc(2020, 9, 7)),
        ("7-mrt-2020", "%d %b %Y", utc(2020, 3, 7)),
        ("okt. 2020", "%b %Y", utc(2020, 10, 1)),
        ("diciembre de 2020", "%b %Y", utc(2020, 12, 1)),
        ("Mai-20", "%b %y", utc(2020, 5, 1)),
        ("Mon, 06 Jan 2020 10:00:00 +0000", "%d %b %Y %H:%M", utc(2020, 1, 6, 10)),
        ("Mon Jan 6 2020", "%b %d, %Y", utc(2020, 1, 6)),
        ("January 5, 2020 10:15", "%b %d, %Y %H:%M", utc(2020, 1, 5, 10, 15)),
        ("2021-07-01 01:00 CEST", "%Y-%m-%d %H:%M", utc(2021, 6, 30, 23)),
        ("2021-01-01 01:00 CET", "%Y-%m-%d %H:%M", utc(2021, 1, 1)),
        ("01/31/2021 7:00 PM EST", "%m/%d/%Y %H:%M", utc(2021, 2, 1)),
        ("20200131", "%Y%m%d", utc(2020, 1, 31)),
        ("20200131T103000", "%Y%m%d %H:%M", utc(2020, 1, 31, 10, 30)),
        ("2020-01", "%Y-%m", utc(2020, 1, 1)),
        ("01/2020", "%m/%Y", utc(2020, 1, 1)),
        ("202001", "%Y%m", utc(2020, 1, 1)),
        ("2012M07", "%YM%m", utc(2012, 7, 1)),
        ("2012-Q3", "quarter", utc(2012, 7, 1)),
        ("2012Q3", "quarter", utc(2012, 7, 1)),
        ("Q3 2012", "quarter", utc(2012, 7, 1)),
        ("2020-W05", "%G-W%V", utc(2020, 1, 27)),
        ("2020-W05-7", "%G-W%V", utc(2020, 2, 2)),
        ("2020W53", "%G-W%V", utc(2020, 12, 28)),
        ("43831", "excel", utc(2020, 1, 1)),
        ("43831.5", "excel", utc(2020, 1, 1, 12)),
        ("2020013117", "%Y%m%d%H", utc(2020, 1, 31, 17)),  # DWD's, which may be Unix time of 2034
        ("202001311730", "%Y%m%d%H%M", utc(2020, 1, 31, 17, 30)),
        ("20200131173059", "%Y%m%d%H%M%S", utc(2020, 1, 31, 17, 30, 59)),
        ("1580428800", "unix", utc(2020, 1, 31)),
        ("1580428800123", "unix", utc(2020, 1, 31, 0, 0, 0, 123_000)),
        ("1580428800123456", "unix", utc(2020, 1, 31, 0, 0, 0, 123_456)),
    ],
)
def test_a_date_is_found_in_its_form_and_read(cell, form, moment):
    assert found(cell)[0] == form
    assert read(f" {cell} ", form) == moment


@pytest.mark.parametrize(
    "cell",
    [
        *("2020-02-30", "31/02/2020", "2020-13-01", "2020-01-31 25:00", "2020-01-31 13:00 PM"),
        *("x", "2021-W53", "30000101", "Foo 2020", "1 Foo 2020", "32/13/2020", "12:30", "5.5"),
    ],
)
def test_what_is_no_date_is_of_no_form(cell):
    assert found(cell) == []


@pytest.mark.parametrize(
    "name", ["date", "saleDate", "sale_date", "timestamp", "Month", "created_at"]
)
def test_numbers_are_looked_for_in_columns_called_like_a_time(name):
    assert found("43831", name=name) == ["excel"]
    assert found("202001", name=name) == ["%Y%m", "%G%V"]
    assert found("202053", name=name) == ["%G%V"]
    assert found("43831", name="price") == found("202001", name="code") == []


def test_columns_called_like_months_or_weeks_hold_no_other_numbers_of_time():
    assert found("202001", name="monthly") == ["%Y%m"]
    assert found("202001", name="Week") == ["%G%V"]
    assert found("43831", name="monthly_income") == found("43831", name="weekly") == []


def test_months_with_a_point_are_no_numbers_in_a_column_called_so():
    assert dates.outranking_numbers(["%d.%m.%Y", "%m.%Y"], "Monat") == ("%m.%Y",)
    assert dates.outranking_numbers(["%d.%m.%Y", "%m.%Y"], "price") == ()
    assert found("01.3020", name="Monat") == []


@pytest.mark.parametrize(
    ("cell", "seconds"), [("18:30", 66600), ("6:00:30 PM", 64830), ("7h05", 25500), ("6 pm", 64800)]
)
def test_a_time_alone_is_looked_for_where_it_is_wanted(cell, seconds):
    wanted = dates.candidates("start", clock=True)
    assert [form for form, _ in dates.fits(pa.array([cell]), wanted)] == ["clock"]
    assert dates.seconds(dates.read(pa.array([cell]), "clock")).to_pylist() == [seconds]
    assert found(cell) == []
    assert dates.parts_of("clock") == ["hour", "minute"]


def test_several_forms_are_one_that_reads_each():
    form = "%Y-%m-%d|%d.%m.%Y %H:%M"
    dates.check_form("types", form)
    cells = pa.array(["2020-01-31", "31.01.2020 10:00", "1/31/2020"])
    assert dates.read(cells, form).to_pylist() == [utc(2020, 1, 31), utc(2020, 1, 31, 10), None]
    assert dates.has_time(form)
    assert not dates.has_time("%Y-%m-%d|%Y/%m/%d")
    assert dates.shown("excel|quarter") == "43831.5, an Excel serial date or 2012-Q3"
    with pytest.raises(OptionError, match=r"'%d', without a year"):
        dates.check_form("types", "%Y-%m-%d|%d")


def test_forms_are_put_together_by_the_order_that_more_cells_have():
    assert dates.together({"%Y-%m-%d": 5, "%Y/%m/%d": 2}) == "%Y-%m-%d|%Y/%m/%d"
    mixed = {"%Y-%m-%d": 5, "%d/%m/%Y": 4, "%m/%d/%Y": 3}
    assert dates.together(mixed) == "%Y-%m-%d|%d/%m/%Y"
    assert dates.together(mixed | {"%m/%d/%Y": 4}) == ""
    assert dates.together({"%Y-%m-%d": 2, "%Y-%m-%d %H:%M": 3}) == ""


@pytest.mark.parametrize("name", ["start", "due", "date_of_birth due", "Beginn", "valid_from"])
def test_columns_that_may_hold_serial_dates_are_known_by_name(name):
    assert dates.may_be_serials(name) == ("date" not in name)
    assert not dates.may_be_serials("price")
    assert not dates.may_be_serials("weekend")


@given(MOMENTS, st.sampled_from(AS_STRFTIME))
def test_a_date_in_any_form_is_read_back(moment, form):
    cell = moment.strftime(form)
    assert datetime.datetime.strptime(cell, form) == read(cell, form)
    assert form in found(cell)


@given(st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 31)))
def test_iso_keeps_every_microsecond(moment):
    assert read(moment.isoformat(), "%Y-%m-%d %H:%M") == moment


@given(st.dates(datetime.date(1954, 10, 3), datetime.date(2100, 1, 1)), st.integers(0, 1439))
def test_excel_and_unix_are_read_back(day, minute):
    moment = datetime.datetime(day.year, day.month, day.day) + datetime.timedelta(minutes=minute)
    days = (moment - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)
    assert read(repr(days), "excel") == moment
    unix = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
    assert read(str(unix), "unix") == moment


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)))
def test_iso_weeks_are_read_back(day):
    year, week, weekday = day.isocalendar()
    assert read(f"{year}-W{week:02}-{weekday}", "%G-W%V").date() == day


@given(MOMENTS)
def test_a_pattern_of_ones_own_is_read_as_strptime_reads_it(moment):
    for form in ("%d%m%Y %H%M", "%Y-%j", "%I:%M:%S %p on %B %d, %Y", "%F %T.%f", "%d.%m.%y"):
        dates.check_form("o", form)
        cell = moment.strftime(form.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S"))
        expected = datetime.datetime.strptime(
            cell, form.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")
        )
        assert read(cell, form) == expected


@pytest.mark.parametrize(
    ("form", "received"), [("%U %Y", "%U in '%U %Y'"), ("%H:%M", "'%H:%M', without a year")]
)
def test_a_pattern_that_cannot_be_read_is_refused(form, received):
    with pytest.raises(OptionError, match=r"^o: expected strptime's directives .*%G.* excel") as e:
        dates.check_form("o", form)
    assert f"Received: {received}. Correct it" in str(e.value)


def test_weeks_may_be_asked_for():
    dates.check_form("o", "%G-W%V")
    assert read("2020-W05", "%G-W%V") == utc(2020, 1, 27)


def test_the_order_of_day_and_month_may_be_given():
    cell = pa.array(["01-02-2020"])
    forms = {o: [f for f, _ in dates.fits(cell, dates.candidates("d", o))] for o in ("yes", "no")}
    assert forms == {"yes": ["%d-%m-%Y", "%d-%m-%Y %H:%M"], "no": ["%m-%d-%Y", "%m-%d-%Y %H:%M"]}


def test_offsets_are_seen():
    form = "%Y-%m-%d %H:%M"
    assert dates.have_offsets(pa.array(["2020-01-31 10:00", "2020-01-31 10:00+01"]), form)
    assert not dates.have_offsets(pa.array(["2020-01-31 10:00"]), form)
    assert not dates.have_offsets(pa.array(["43831"]), "excel")


def test_years_of_two_digits_are_of_this_century_up_to_68():
    found = dates.read(pa.array(["01.01.68", "01.01.69"]), "%d.%m.%y").to_pylist()
    assert [moment.year for moment in found] == [2068, 1969]
