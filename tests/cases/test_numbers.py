"""Numbers and dates as people bring them, from a file to records and to a question about them."""

import logging

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.artifacts import RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.example_gen.unlabelled_rows import tables
from tests.components.example_gen.conftest import records_of


@pytest.fixture
def ingest(case, tmp_path, caplog):
    """Ingests a case by its name, or a text; gives the records and what was said."""
    place = Path(tmp_path)

    def run(source, **options):
        file = place / "t.csv"
        if "\n" in source:
            file.write_text(source)
        else:
            file = case(f"{source}.csv")
        out = place / "out"
        if out.exists():
            out.rmtree()
        out.mkdir()
        caplog.clear()
        caplog.set_level(logging.INFO)
        csv = CsvFormat(**options)
        examples = csv_example_gen(
            RawFiles(file), out, run_on=BeamOptions(), csv=csv, splits={"train": 1.0}
        )
        return examples, caplog.text

    return run


def rows_of(examples):
    return [
        {
            name: value[0].item() if hasattr(value[0], "item") else value[0]
            for name, value in row.items()
        }
        for row in records_of(examples)["train"]
    ]


def column(examples, name):
    return [row.get(name) for row in rows_of(examples)]


def repeated(header, *rows, filler, count=20):
    return "\n".join([header, *rows, *[filler] * count]) + "\n"


def test_money_percents_and_brackets_are_numbers(ingest):
    examples, said = ingest("money")
    assert rows_of(examples)[0] == {
        "rate": np.float32(0.14).item(),
        "price": 4024.5,
        "balance": -6.5,
        "label": b"no",
    }
    assert {type(value) for value in column(examples, "balance")} == {float}
    assert "column 'rate': float in %: 45% is 0.45; csv.types.rate=text keeps it as text" in said
    assert "column 'price': float with ',' between thousands in $" in said


def test_numbers_beyond_64_bits_are_text_and_exact(ingest):
    examples, _ = ingest("huge")
    assert column(examples, "uid")[:2] == [b"12345678901234567890", b"12345678901234567891"]


def test_zeros_before_digits_are_kept(ingest):
    examples, said = ingest("zeros")
    assert set(column(examples, "zip")) == {b"06075", b"02116", b"10001", *column(examples, "zip")}
    assert column(examples, "account")[:2] == [b"00000", b"00001"]
    assert "column 'zip': leading zeros: read as text; csv.types.zip=int reads numbers" in said
    numbers, _ = ingest("zeros", types={"zip": "int"})
    assert column(numbers, "zip")[:2] == [6075, 2116]


@pytest.mark.parametrize(
    ("source", "name", "line", "cell", "rows"),
    [
        ("one_bad_number", "size", 82, "1e39", 81),
        ("feature_na_word", "area", 7, "unknown", 120),
    ],
)
def test_one_stray_cell_leaves_a_column_of_numbers(ingest, source, name, line, cell, rows):
    examples, said = ingest(source)
    values = column(examples, name)
    assert (len(values), values[line - 2]) == (rows, None)
    assert all(isinstance(value, float) for place, value in enumerate(values) if place != line - 2)
    assert (
        f"column {name!r}: {rows - 1} of {rows} cells are numbers; line {line} of {source}.csv is "
        f"{cell!r}: taken as missing; csv.missing={cell} names it, csv.types.{name}=text keeps"
        in said
    )
    assert examples.summary["notes"]["bad_cells"] == 1
    named, said = ingest(source, missing=(cell,))
    assert column(named, name) == values
    assert "taken as missing" not in said
    text, _ = ingest(source, types={name: "text"})
    assert column(text, name)[line - 2] == cell.encode()


def test_a_stray_cell_in_the_label_leaves_numbers_and_a_row_without_one(ingest):
    examples, said = ingest("label_dash")
    assert {type(value) for value in column(examples, "price")} == {int}
    notes = examples.summary["notes"]
    assert (notes["found"], notes["unlabelled"], sum(examples.counts.values())) == (120, 1, 119)
    assert "column 'price': 119 of 120 cells are numbers; line 7 of label_dash.csv is '-'" in said


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("units_row", "line 2", "no cell is of its column's type: '(cm)', '(kg)'"),
        ("header_repeated", "line 153", "it repeats the header"),
    ],
)
def test_a_row_of_units_or_of_names_is_set_aside_whole(ingest, source, line, reason):
    examples, _ = ingest(source)
    assert list(examples.rejected()) == [Rejected(f"{source}.csv", reason, line)]
    assert rows_of(examples)[1] == {"a": 1, "b": np.float32(2.551).item(), "label": b"q"}
    notes = examples.summary["notes"]
    assert (notes["found"], sum(examples.counts.values())) == (301, 300)


def test_what_is_named_as_missing_is_so_beside_empty_cells(ingest):
    examples, _ = ingest(
        "date,y,label\n2020-01-01,1.5,1\n2020-01-02,,2\n2020-01-03,-200,3\n", missing=("-200",)
    )
    assert column(examples, "label") == [1, 2, 3]
    assert column(examples, "y") == [1.5, None, None]


@pytest.mark.parametrize(
    ("cell", "kept"),
    [("-", None), ("N.A.", None), ("tbd", None), ("inf", None), ("1e400", None), ("seven", None)],
)
def test_words_in_a_column_of_numbers_are_missing(ingest, cell, kept):
    examples, said = ingest(repeated("x,y", f"{cell},1", filler="2.5,2"))
    assert column(examples, "x") == [kept] + [2.5] * 20
    assert f"line 2 of t.csv is {cell!r}" in said


def test_a_row_of_totals_is_set_aside(ingest):
    examples, _ = ingest(repeated("id,y", "Total,999", filler="7,2", count=200))
    assert list(examples.rejected()) == [Rejected("t.csv", "a row of totals: 'Total'", "line 2")]


def test_a_word_in_most_cells_is_a_text(ingest):
    examples, _ = ingest("x,y\nunknown,1\nunknown,2\n5,3\n")
    assert column(examples, "x") == [b"unknown", b"unknown", b"5"]


@pytest.mark.parametrize(
    ("rows", "options", "values"),
    [
        ('"1,234";a\n"12,345";b\n', {"delimiter": ";", "thousands": ","}, [1234, 12345]),
        ('"1,234";a\n"12,345";b\n', {"delimiter": ";", "decimal": ","}, [1.234, 12.345]),
        ('"1,234",a\n"12,345",b\n', {}, [1234, 12345]),
        ("1.234;a\n12.345;b\n", {}, [1.234, 12.345]),
        ("1.234;a\n1.234,5;b\n", {}, [1234, 1234.5]),
        ("0,234;a\n1,234;b\n", {}, [0.234, 1.234]),
    ],
)
def test_a_comma_and_a_point_are_what_the_column_says(ingest, rows, options, values):
    delimiter = ";" if ";" in rows else ","
    examples, _ = ingest(f"x{delimiter}y\n" + rows, **options)
    assert column(examples, "x") == [np.float32(value).item() for value in values]


def test_a_comma_that_may_be_either_is_refused_unless_another_column_says(ingest):
    with pytest.raises(DataError, match=r"column 'x': expected a number that says what its comma"):
        ingest("x;y\n1,234;a\n5,678;b\n")
    examples, said = ingest("x;z;y\n1.234;1,5;a\n5.678;2,5;b\n")
    assert column(examples, "x") == [1234, 5678]
    assert "column 'x': numbers such as 1.234 are read as 1234; csv.decimal=. says" in said


def test_days_and_months_that_cannot_be_told_apart_are_refused_with_a_fix_that_works(ingest):
    text = "when,y\n01/02/2020,1\n03/04/2020,2\n"
    with pytest.raises(
        DataError,
        match=r"t\.csv, column 'when': expected dates with a day above 12, .*, such as "
        r"'01/02/2020' in line 2 of t\.csv\. Set csv_example_gen"
        r"\.csv\.day_first to yes or no, or csv_example_gen\.csv\.types\.when=date:%d/%m/%Y, ",
    ):
        ingest(text)
    assert column(ingest(text, day_first="yes")[0], "when/month") == [2, 4]
    assert column(ingest(text, day_first="no")[0], "when/month") == [1, 3]
    assert column(ingest(text, types={"when": "date:%d/%m/%Y"})[0], "when/month") == [2, 4]
    assert column(ingest(text, types={"when": "text"})[0], "when") == [b"01/02/2020", b"03/04/2020"]


def test_dates_of_several_forms_and_times_alone_are_read(ingest):
    rows = ("2020-01-31,18:30,1", "2020/02/01,6:00 PM,2", "3. März 2020,07:00,3")
    text = "when,at,y\n" + "\n".join(rows) + "\n"
    examples, said = ingest(text)
    assert column(examples, "when/month") == [1, 2, 3]
    assert column(examples, "at/hour") == [18, 18, 7]
    assert "'when': dates of several forms, %Y-%m-%d or %Y/%m/%d or %d %b %Y; csv.types.wh" in said
    assert "column 'at': times of day; csv.types.at=text keeps the text" in said
    kept = ingest(text, types={"when": "text", "at": "text"})[0]
    assert column(kept, "at") == [b"18:30", b"6:00 PM", b"07:00"]


def test_days_and_months_of_both_orders_are_text_and_named(ingest):
    examples, said = ingest("when,y\n13/01/2020,1\n01/14/2020,2\n")
    assert column(examples, "when") == [b"13/01/2020", b"01/14/2020"]
    assert (
        "('13/01/2020' in line 2 of t.csv, '01/14/2020' in line 3 of t.csv): read as text" in said
    )


def test_serial_dates_in_a_column_of_another_name_are_told_of(ingest):
    text = "due,size,y\n43831,43831,1\n43862,43832,2\n"
    examples, said = ingest(text)
    assert column(examples, "due") == [43831, 43862]
    assert said.count("may be Excel's serial dates; csv.types.due=date:excel reads dates") == 1
    assert "'size'" not in said
    assert column(ingest(text, types={"due": "date:excel"})[0], "due/month") == [1, 2]


def test_numbers_are_dates_where_the_column_is_called_so(ingest):
    examples, said = ingest("date,code,y\n43831,43831,1\n43832.5,43832,2\n")
    assert column(examples, "date/hour") == [0, 12]
    assert column(examples, "code") == [43831, 43832]
    assert "column 'date': numbers read as dates like 43831.5, an Excel serial date; csv" in said


@pytest.mark.parametrize("written", ["$1,234.50", "1234.5", '"1,234.50"', "$1234.50"])
def test_a_question_takes_both_the_form_of_the_training_data_and_plain_numbers(
    ingest, tmp_path, written
):
    examples, _ = ingest('price,share,y\n"$4,024.50",45%,1\n"$3,024.25",3%,2\n')
    learnt = sources.read(examples)
    cell = written if written.startswith('"') else f'"{written}"'
    (tmp_path / "new.csv").write_text(f"share,price\n5%,{cell}\n0.05,unknown\nx,1\n")
    third, first, second = tables.read(
        Path(tmp_path / "new.csv"), {"price": False, "share": False}, learnt
    )
    assert {name: value[0] for name, value in first[1].items()} == {
        "price": 1234.5,
        "share": np.float32(0.05),
    }
    assert {name: value[0] for name, value in second[1].items()} == {"share": np.float32(0.05)}
    assert third == Rejected(
        "new.csv",
        "column 'share': expected a number within float32 in %, such as 45% or 0.45, received 'x'",
        "line 4",
    )
    asked = tables.as_read({"price": written.strip('"'), "share": "5%"}, learnt)
    assert {name: float(value) for name, value in asked.items()} == {"price": 1234.5, "share": 0.05}


@pytest.mark.parametrize("cell", ["  ", '" "', "\t", "\u00a0", " ? ", " NA"])
def test_blanks_are_an_empty_cell_wherever_they_are_read(ingest, tmp_path, cell):
    rows = "".join(f"{cell},{cell},1\n2.5,u,2\n" for _ in range(20))
    examples, said = ingest("x,kind,y\n" + rows)
    assert column(examples, "x") == [None, 2.5] * 20
    assert column(examples, "kind") == [None, b"u"] * 20
    assert "taken as missing" not in said
    learnt = sources.read(examples)
    (tmp_path / "new.csv").write_text(f"x,kind\n{cell},u\n")
    asked = tables.read(Path(tmp_path / "new.csv"), {"x": False, "kind": True}, learnt)
    assert list(asked) == [(2, {"kind": [b"u"]})]
    assert tables.as_read({"x": cell.strip('"')}, learnt) == {}


def test_a_lone_number_among_percents_is_missing_and_a_fraction_is_one(ingest, tmp_path):
    rows = "".join(f"{n + 1}%,{n}\n" for n in range(40))
    examples, said = ingest(f"rate,y\n45,0\n.45,0\n0,0\n1e-05,0\n{rows}")
    assert column(examples, "rate")[:5] == [
        None if each is None else np.float32(each).item() for each in (None, 0.45, 0, 1e-5, 0.01)
    ]
    assert "column 'rate': float in %: 45% is 0.45, and 0.45 as well; csv.types" in said
    assert (
        "column 'rate': 43 of 44 cells are numbers; line 2 of t.csv is '45': taken as missing; "
        "write numbers alike, or csv.types.rate=text keeps" in said
    )
    learnt = sources.read(examples)
    (tmp_path / "new.csv").write_text("rate\n45\n.45\n")
    refused, asked = tables.read(Path(tmp_path / "new.csv"), {"rate": False}, learnt)
    assert (refused.position, asked) == ("line 2", (3, {"rate": np.float32(0.45)}))
    with pytest.raises(DataError, match=r"^rate: expected .* in %, such as 45% or 0\.45\. Rec"):
        tables.as_read({"rate": "45"}, learnt)
    assert tables.as_read({"rate": "45%"}, learnt) == tables.as_read({"rate": ".45"}, learnt)


@pytest.mark.parametrize(
    ("odd", "count", "said", "options"),
    [
        ("leer", 20, "'leer': read as text; csv.missing=leer names it,", {"missing": ("leer",)}),
        ("<0.05", 20, "'<0.05': read as text; csv.missing=<0.05 names", {"missing": ("<0.05",)}),
        ("12 kg", 20, "'12 kg': read as text; csv.missing=12 kg", {"types": {"x": "number"}}),
        ('"a, b"', 20, """csv.missing=["a, b"] names it""", {"missing": ("a, b",)}),
        ("$5", 15, "numbers in €; line 2 of t.csv is '$5': read as text; write numbers alike", {}),
        ("45%", 20, "'45%': read as text; write numbers alike, or", {"types": {"x": "number"}}),
        ("unknown", 60, "'unknown': read as text; csv.missing=unknown", {"missing": ("unknown",)}),
        ("unknown", 60, "csv.types.x=number takes what is none", {"types": {"x": "number"}}),
    ],
)
def test_many_strays_in_a_column_of_numbers_are_named_with_a_fix_that_works(
    ingest, odd, count, said, options
):
    mark = "€" if "$" in odd else ""
    rows = "".join(f"{odd},1\n" for _ in range(count)) + "".join(
        f"{mark}{n % 7}.5,2\n" for n in range(40)
    )
    examples, found = ingest(f"x,y\n{rows}")
    assert column(examples, "x")[0] == odd.strip('"').encode()
    assert f"column 'x': 40 of {40 + count} cells are numbers" in found
    assert said in found
    mended, after = ingest(f"x,y\n{rows}", **(options or {"types": {"x": "number"}}))
    assert column(mended, "x") == [None] * count + [n % 7 + 0.5 for n in range(40)]
    assert "read as text" not in after


def test_few_strays_beside_many_words_for_missing_leave_numbers_and_are_named_first(ingest):
    rows = "".join(f"{cell},1\n" for cell in ["n.d."] * 9 + ["seven"] + ["2.5"] * 20)
    examples, said = ingest(f"x,y\n{rows}")
    assert column(examples, "x") == [None] * 10 + [2.5] * 20
    assert "column 'x': 20 of 30 cells are numbers; line 11 of t.csv is 'seven': taken" in said
    mixed, said = ingest("x,y\n" + "".join(f"{'u' if n % 3 else n},1\n" for n in range(30)))
    assert column(mixed, "x")[:2] == [b"0", b"u"]
    assert "cells are" not in said
    _, said = ingest("x,y\n" + "".join(f"{'?!' if n % 3 else '2020-01-31'},1\n" for n in (3, 1, 3)))
    assert (
        "column 'x': 2 of 3 cells are dates; line 3 of t.csv is '?!': read as text; csv.m" in said
    )


REGIONS = [("N", 12, 5.5), ("S", 30, 2.25), ("N", 7, 1.5), ("W", 41, 8.0), ("S", 9, 3.75)] * 4


@pytest.mark.parametrize(
    ("word", "rows"),
    [
        ("Total", [("Total", 396, 84)]),
        ("TOTAL:", [("TOTAL:", 396, "")]),
        ("Gesamtsumme", [("Gesamtsumme", "", 84)]),
        ("Итого", [("Итого", 396, 84)]),
        ("Grand Total", [("Grand Total", 1500, 900)]),
        ("Average", [("Average", 19.8, 4.2)]),
        ("Mittelwert", [("Mittelwert", 20, 4)]),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_row_that_a_text_calls_a_total_is_set_aside(ingest, word, rows, place):
    """The word in the first column, or in the last, which is the label."""
    rows = [*REGIONS, *rows]
    lines = [f"{a},{b},{c}" if not place else f"{b},{c},{a}" for a, b, c in rows]
    header = "amount,qty,label" if place else "region,amount,qty"
    examples, said = ingest("\n".join([header, *lines]) + "\n", fill_short=True)
    reason = f"a row of totals: {word!r}"
    assert list(examples.rejected()) == [Rejected("t.csv", reason, "line 22")]
    assert f"rejected t.csv, line 22: {reason}" in said
    assert column(examples, "label" if place else "region") == [
        region.encode() for region, *_ in REGIONS
    ]


def test_totals_of_every_group_are_set_aside_however_many_they_are(ingest):
    group = [("N", 1, 3), ("S", 2, 4), ("W", 4, 1)]
    rows = [*[*group, ("N Total", 7, 8)] * 5, ("Grand total", 35, 40)]
    examples, _ = ingest("region,a,y\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    assert column(examples, "a") == [1, 2, 4] * 5
    notes = examples.summary["notes"]
    assert (notes["found"], examples.summary["rejected"]) == (21, 6)


@pytest.mark.parametrize(
    "rows",
    [
        [("Total" if n == 7 else "abc"[n % 3], n % 5 + 1, n % 7) for n in range(20)],
        [("Total" if n == 19 else "abc"[n % 3], n % 5, n % 7) for n in range(20)],
        [(("Total", "Part")[n % 2], n % 5 + 1, n % 7) for n in range(20)],
        [(("average", "good", "bad")[n % 3], n % 5 + 1, n % 7) for n in range(20)],
        [(("Social media", "TV", "Sum 41")[n % 3], n, n % 7) for n in range(20)],
    ],
)
def test_a_category_called_total_is_kept(ingest, rows):
    examples, _ = ingest("scope,a,y\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows))
    assert column(examples, "scope") == [scope.encode() for scope, *_ in rows]


@pytest.mark.parametrize(
    ("cells", "aside"),
    [
        ("kg,m,class", True),
        ("float,int64,string", True),
        ("[kg],,class", True),
        ("heavy,long,p", True),
        ("heavy,,p", False),
        ("unknown,n.a.,p", False),
        ("kg,1.5,p", False),
    ],
)
def test_a_row_of_units_or_types_below_the_header_is_set_aside(ingest, cells, aside):
    rows = "".join(f"{n}.5,{n % 4}.25,{'pq'[n % 2]}\n" for n in range(60))
    examples, _ = ingest(f"mass,length,label\n{cells}\n{rows}mass,length,label\n{cells}\n")
    found = [each.reason for each in examples.rejected()]
    units = "a row of units or types: " + ", ".join(repr(c) for c in cells.split(",") if c)
    assert found == (
        [units, "it repeats the header", units] if aside else ["it repeats the header"]
    )
    assert sum(examples.counts.values()) == (60 if aside else 62)


def test_headers_of_files_put_together_are_set_aside_however_many_they_are(ingest):
    rows = "".join(f"city,name,label\n{'xyz'[n % 3]},u,p\nz,v,q\n" for n in range(9))
    examples, _ = ingest(rows)
    assert (examples.summary["rejected"], examples.summary["notes"]["found"]) == (8, 26)
    assert {each.reason for each in examples.rejected()} == {"it repeats the header"}
