"""Small tables of `../shared/cases`, and others of their kinds: what their columns mean."""

import json
import logging

import pytest
from etils.epath import Path
from hypothesis import HealthCheck, settings
from hypothesis import given as generated
from hypothesis import strategies as st

from millrace.components.analyze import analyze
from millrace.components.artifacts import RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.example_gen.unlabelled_rows import tables
from millrace.components.features import spec as specs
from millrace.components.features.table_spec import Category, TableOptions
from tests.command import millrace


@pytest.fixture
def ingest(tmp_path):
    """Ingests a file, or text as one."""
    made = iter(range(1000))

    def run(given, **options):
        number = next(made)
        if isinstance(given, str):
            file = Path(tmp_path / f"t{number}.csv")
            file.write_text(given)
            given = file
        out = Path(tmp_path / f"out{number}")
        out.mkdir()
        return csv_example_gen(
            RawFiles(given), out, run_on=BeamOptions(), splits={"train": 1.0}, **options
        )

    return run


@pytest.fixture
def settle(tmp_path, ingest):
    """Ingests a table, and settles what its columns are."""
    made = iter(range(1000))

    def run(given, *, options=None, **features):
        out = Path(tmp_path / f"analysis{next(made)}")
        out.mkdir()
        examples = ingest(given, **{"label": features.get("label"), **(options or {})})
        analysis = analyze(examples, out, run_on=BeamOptions(), features=TableOptions(**features))
        return specs.read(analysis.file)

    return run


def raw(spec):
    return [column.name for column in spec.raw]


def table(header, *rows):
    return "\n".join([header, *rows]) + "\n"


def line(messages, start):
    return next(each for each in messages if each.startswith(start))


@pytest.fixture
def log(caplog):
    with caplog.at_level(logging.INFO):
        yield caplog


def test_codes_with_leading_zeros_are_categories_or_identifiers(case, ingest, settle, log):
    spec = settle(case("zeros.csv"))
    assert spec.discrete == (Category("zip", ("00123", "02116", "06075", "10001")),)
    assert raw(spec) == ["amount", "zip"]
    assert line(log.messages, "left out").startswith(
        "left out: account (an identifier: 60 distinct values in 60 rows); analyze.features.include"
    )
    kept = settle(case("zeros.csv"), include=("account",))
    assert raw(kept) == ["account", "amount", "zip"]
    source = sources.read(ingest(case("zeros.csv")))
    assert tables.as_read({"zip": "02116", "amount": "$1,234.50"}, source) == {
        "zip": "02116",
        "amount": "1234.5",
    }
    with pytest.raises(DataError, match=r"^zip: expected text, .* number 2116\. Quote it, with"):
        tables.as_read({"zip": 2116}, source)


def test_numbers_beyond_64_bits_are_identifiers_and_exact(case, ingest, settle, log):
    spec = settle(case("huge.csv"))
    assert raw(spec) == ["x"]
    assert "uid (an identifier: 60 distinct values in 60 rows)" in line(log.messages, "left out")
    assert settle(case("huge.csv"), include=("uid",)).discrete[0].vocabulary[0] == (
        "12345678901234567890"
    )


def test_a_column_that_numbers_the_rows_is_left_out(case, settle, log):
    assert raw(settle(case("ids.csv"))) == ["v", "when/day", "when/month", "when/weekday"]
    assert "id (it numbers the rows)" in line(log.messages, "left out")
    assert raw(settle(case("ids.csv"), include=("id",)))[0] == "id"


def test_a_column_that_gives_the_label_away_is_named_with_what_leaves_it_out(case, settle, log):
    settle(case("leak.csv"))
    assert line(log.messages, "column target_copy") == (
        "column target_copy gives the label 'label' away: each of its 2 values has one label only; "
        "if it is not known when the model is asked, leave it out by "
        "analyze.features.exclude=target_copy"
    )
    log.clear()
    assert raw(settle(case("leak.csv"), exclude=("target_copy",))) == ["x"]
    assert "gives the label" not in log.text


def test_rows_without_a_label_are_counted_where_they_are_read(case, ingest, settle):
    examples = ingest(case("nolabel.csv"))
    notes = examples.summary["notes"]
    assert (notes["found"], notes["unlabelled"], examples.counts) == (60, 6, {"train": 54})
    assert settle(case("nolabel.csv")).classes == ("p", "q")


def test_a_dash_among_prices_leaves_a_regression(case, ingest, settle, log):
    assert settle(case("label_dash.csv")).problem == "regression"
    assert "column 'price': 119 of 120 cells are numbers; line 7 of label_dash.csv is '-'" in (
        log.text
    )
    assert ingest(case("label_dash.csv")).summary["notes"]["unlabelled"] == 1
    named = ingest(case("label_dash.csv"), csv=CsvFormat(missing=("-",)))
    assert named.summary["notes"]["unlabelled"] == 1


def test_money_makes_three_numbers(case, ingest, settle):
    spec = settle(case("money.csv"))
    assert [number.name for number in spec.numbers] == ["balance", "price", "rate"]
    source = sources.read(ingest(case("money.csv")))
    asked = {"rate": "45%", "price": "$1,234.50", "balance": "(5.5)"}
    assert tables.as_read(asked, source) == {"rate": "0.45", "price": "1234.5", "balance": "-5.5"}
    plain = {"rate": 0.45, "price": "1234.5", "balance": "-5.5"}
    assert tables.as_read(plain, source) == tables.as_read(asked, source)


def test_comments_repeated_names_and_an_empty_last_column(case, settle):
    spec = settle(case("comment.csv"))
    assert (spec.target, spec.classes) == ("label", ("p", "q"))
    assert len(raw(spec)) == 3


@pytest.mark.parametrize("label", ["price", "area"])
def test_one_option_tells_ingest_and_analysis_the_label(settle, label):
    rows = [f"{n * n},{n * 7 % 41}.5" for n in range(40)]
    assert settle(table("area,price", *rows), label=label).target == label


def test_a_label_that_is_not_there_is_refused_with_the_columns(ingest):
    text = table("when,a,b,empty", "2020-01-31,1,2,", "2020-02-01,2,3,")
    with pytest.raises(
        OptionError, match=r"label, which .* table: when, a, b\. Received: 'c'\. Co"
    ):
        ingest(text, label="c")
    with pytest.raises(OptionError, match=r"Received: 'empty', which is empty in every row\."):
        ingest(text, label="empty")
    with pytest.raises(OptionError, match=r"'when', a date that becomes when/year, when/month"):
        ingest(text, label="when")
    assert ingest(text, label="when/month").summary["notes"]["label"] == "when/month"


def test_a_column_that_is_mostly_empty_is_no_label(ingest):
    rows = [f"{n},{n * 3},{'late' if n == 7 else ''}" for n in range(20)]
    assert ingest(table("a,b,remark", *rows)).summary["notes"]["label"] == "b"


def test_a_class_for_nearly_every_row_is_refused_with_the_fix(settle):
    rows = [f"{n * n},{n % 7},{n}{'?' if n % 3 else ''}" for n in range(60)]
    text = table("area,rooms,price", *rows)
    with pytest.raises(DataError, match=r"Received: 60 classes in 60 rows\. .*types\.price=number"):
        settle(text)
    assert settle(text, label="area").problem == "regression"


def test_a_class_of_one_row_and_one_outside_train_are_named(tmp_path, log):
    folder = Path(tmp_path / "split")
    folder.mkdir()
    rows = [f"{n * n},{'pq'[n % 2]}" for n in range(30)]
    (folder / "train.csv").write_text(table("x,kind", *rows, "7,r"))
    (folder / "test.csv").write_text(table("x,kind", *rows[:9], "7,s", "8,s"))
    out = Path(tmp_path / "out")
    out.mkdir()
    examples = csv_example_gen(RawFiles(folder), out, run_on=BeamOptions())
    analyze(examples, Path(tmp_path / "a"), run_on=BeamOptions(), features=TableOptions())
    assert (
        "classes with one row in train: 'r'; add rows, or, if it means that there is no label: "
        "`--set csv_example_gen.csv.missing=r`"
    ) in log.messages
    assert line(log.messages, "classes that are").startswith(
        "classes that are not in train: 's'; their 2 rows will be set aside"
    )


def test_classes_that_differ_in_case_alone_are_named(settle, log):
    kinds = ["Red", "RED", "no", "maybe "]
    settle(table("x,label", *(f"{n * n},{kinds[n % 4]}" for n in range(40))))
    assert (
        "classes 'RED', 'Red' differ in case or blanks alone, and are learnt as 2: write them alike"
    ) in log.messages
    assert "'no'" not in line(log.messages, "classes 'RED'")


def test_one_class_written_in_several_ways_is_one(settle, log):
    kinds = ["yes", "yes", "no", "Yes", "1.0", "1", "1"]
    text = table("x,label", *(f"{n * n},{kinds[n % 7]}" for n in range(70)))
    spec = settle(text)
    assert spec.classes == ("1", "no", "yes")
    assert "class 'yes' is also written 'Yes', and is learnt as one; " in line(
        log.messages, "class 'yes'"
    )


@pytest.mark.parametrize("mark", ["|", ";"])
def test_several_labels_in_a_cell_are_refused(settle, mark):
    kinds = ["a", "b", f"a{mark}b"]
    text = table("x,label", *(f"{n * n},{kinds[n % 3]}" for n in range(40)))
    with pytest.raises(
        DataError,
        match=r"^Label 'label': expected one class in a cell\. Received: several in \d+ rows, such "
        r"as 'a.b', which lists 'a', 'b'\. Keep one in each row, or make a column of yes and no",
    ):
        settle(text)
    combined = [f"a{mark}b", f"b{mark}c", f"a{mark}c"]
    text = table("x,label", *(f"{n * n},{combined[n % 3]}" for n in range(40)))
    with pytest.raises(DataError, match="expected one class in a cell"):
        settle(text)
    apart = ["a", "b", f"c{mark}d"]
    text = table("x,label", *(f"{n * n},{apart[n % 3]}" for n in range(40)))
    assert len(settle(text).classes) == 3


@pytest.mark.parametrize(
    ("typed", "value"),
    [("$1,234.50", 1234.5), ("1234.5", 1234.5), (1234.5, 1234.5), ("1.234,50 €", 1234.5)],
)
def test_a_number_is_asked_in_any_form_that_is_certain(ingest, typed, value):
    plain = sources.read(ingest(table("price,label", "1.5,2", "3.25,4")))
    assert float(tables.as_read({"price": typed}, plain)["price"]) == value


def test_a_number_that_may_be_two_is_refused(ingest):
    plain = sources.read(ingest(table("price;label", "1;2", "3,25;4")))
    with pytest.raises(DataError, match=r"^price: expected a number .* Received: 'much'\. Write"):
        tables.as_read({"price": "much"}, plain)
    with pytest.raises(DataError, match=r"^price: expected .* Received: '45%'"):
        tables.as_read({"price": "45%"}, plain)


def test_a_file_without_the_label_is_asked_about(case, ingest, tmp_path):
    source = sources.read(ingest(case("zeros.csv")))
    file = Path(tmp_path / "asked.csv")
    file.write_text(table("zip,amount", "02116,1.5", "10001,2"))
    found = list(tables.read(file, {"zip": True, "amount": False}, source))
    assert not any(isinstance(item, Rejected) for item in found)
    assert [row["zip"] for _, row in found] == [[b"02116"], [b"10001"]]


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@generated(
    rows=st.lists(
        st.tuples(st.sampled_from(["", "1", "x", "2.5"]), st.sampled_from(["", "p", "q", "NA"])),
        min_size=1,
        max_size=30,
    )
)
def test_every_row_is_written_rejected_or_unlabelled(ingest, rows):
    text = table("a,label", "1,p", *(",".join(row) for row in rows), "1,2,3")
    examples = ingest(text, max_rejected=1.0)
    summary = examples.summary
    notes = summary["notes"]
    written = sum(examples.counts.values())
    # An empty line is no row, but `,` is one, without any value.
    assert notes["found"] == len(rows) + 2
    assert notes["found"] == (
        written + summary["rejected"] + notes["ignored"] + notes.get("unlabelled", 0)
    )
    assert written == 1 + sum(label in "pq" and bool(label) for _, label in rows)


def test_a_model_of_codes_and_money_is_asked_by_the_command(case, tmp_path):
    run = millrace(
        *("run", "tabular", "--data", case("zeros.csv"), "--set", "trainer.epochs=1"),
        *("--set", "evaluator.allow_inconclusive=true"),
        cwd=tmp_path,
    )
    assert "left out: account (an identifier: 49 distinct values in 49 rows)" in run.stdout
    assert run.returncode == 0, run.stdout + run.stderr
    found = millrace("predict", "tabular", "zip=02116", "amount=$12.50", "--json", cwd=tmp_path)
    plain = millrace("predict", "tabular", "zip=02116", "amount=12.5", "--json", cwd=tmp_path)
    answers = [json.loads(each.stdout)["predictions"][0] for each in (found, plain)]
    assert answers[0].pop("input") != answers[1].pop("input")
    assert answers[0] == answers[1]
    refused = millrace("predict", "tabular", "zip=02116", "amount=much", cwd=tmp_path)
    assert refused.stderr.startswith("millrace: predict: amount: expected a number within float32.")


def test_a_last_column_that_is_called_like_an_identifier_is_not_the_label(ingest, caplog):
    caplog.set_level(logging.INFO)
    examples = ingest("a,sold,customer_id\n1,2.5,101\n2,3.5,102\n")
    assert examples.summary["notes"]["label"] == "sold"
    assert "(the last column but 'customer_id', which is called like an identifier)" in caplog.text
    assert ingest("a,customer_id\n1,1\n", label="a").summary["notes"]["label"] == "a"
