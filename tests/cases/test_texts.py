"""Small sets of texts that people brought, and others of the same kinds: what becomes of each."""

import collections
import csv
import io
import itertools
import json
import logging
from typing import NamedTuple

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.evaluating import classification_files, verdict
from millrace.components.evaluating.classification import ScoredClassification
from millrace.components.evaluating.classification_tally import tally
from millrace.components.evaluating.scoring import CANDIDATE, EvalConfig, Key
from millrace.components.evaluating.verdict import Thresholds
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.text import text_example_gen
from millrace.components.example_gen.unlabelled_rows import source as sources
from millrace.components.example_gen.unlabelled_rows import texts as unlabelled
from tests.components.example_gen.conftest import records_of


class Found(NamedTuple):
    """What an ingest made of its source."""

    texts: collections.Counter[tuple[str, str]]
    examples: Examples

    @property
    def classes(self):
        return sorted({name for _, name in self.texts})

    @property
    def notes(self):
        return self.examples.summary["notes"]


@pytest.fixture
def ingest(case, tmp_path):
    """Ingests a case by its name, or the content of a file that it writes first."""

    def run(name, content=None, **options):
        if content is None:
            place = case(name)
        else:
            place = tmp_path / name
            place.parent.mkdir(exist_ok=True, parents=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        out = Path(tmp_path / "out")
        out.rmtree(missing_ok=True)
        out.mkdir()
        examples = text_example_gen(
            RawFiles(Path(options.pop("root", place))), out, run_on=BeamOptions(), **options
        )
        rows = list(itertools.chain(*records_of(examples).values()))
        pairs = [(row["text"][0].decode(), row["text/class/text"][0].decode()) for row in rows]
        found = Found(collections.Counter(pairs), examples)
        notes = found.notes
        aside = examples.summary["rejected"] + notes["ignored"] + notes.get("unlabelled", 0)
        assert notes["found"] == len(rows) + aside
        return found

    return run


def said(caplog):
    return "\n".join(caplog.messages)


def table(rows, names=("text", "label"), **form):
    sink = io.StringIO(newline="")
    csv.writer(sink, **form).writerows([names, *rows])
    return sink.getvalue()


PLAIN = [(f"words {n}", "ab"[n % 2]) for n in range(20)]


def test_a_label_that_is_nan_is_none(ingest):
    found = ingest("nan_label.jsonl")
    assert found.classes == ["0", "1"]
    assert found.notes["unlabelled"] == 1
    assert found.texts.total() == 199
    assert found.examples.summary["rejected"] == 0


@pytest.mark.parametrize("label", [float("nan"), None, "NaN", "", "NA", "null", []])
@pytest.mark.parametrize("form", ["jsonl", "json", "csv"])
def test_a_missing_label_makes_no_class_in_any_form(ingest, form, label):
    rows = [{"text": text, "label": name} for text, name in PLAIN]
    rows[3]["label"] = label
    content = {
        "jsonl": "\n".join(map(json.dumps, rows)),
        "json": json.dumps(rows),
        "csv": table((row["text"], "" if row["label"] is None else row["label"]) for row in rows),
    }
    found = ingest(f"a.{form}", content[form])
    assert found.texts == collections.Counter(pair for pair in PLAIN if pair != PLAIN[3])
    assert found.notes["unlabelled"] == 1


def test_words_for_missing_are_texts_and_may_be_classes(ingest):
    rows = [*PLAIN, ("NA", "a"), ("null", "b"), ("None", "a"), ("more", "None")]
    assert ingest("a.csv", table(rows)).texts == collections.Counter(rows[:-1])
    form = CsvFormat(default_missing=False, missing=("b",))
    found = ingest("a.csv", table(rows), csv=form)
    assert found.classes == ["None", "a"]
    assert found.notes["unlabelled"] == 11


def test_unquoted_commas_in_all_rows_are_refused_by_line(ingest):
    with pytest.raises(
        DataError,
        match=r"comma_all\.csv, line 2: expected 2 cells, one for each of 'text', 'label'\. "
        r"Received: 3, and more than 2 in 120 of the first 120 .* Put quotes around cells that",
    ):
        ingest("unquoted_comma_all.csv")


@pytest.mark.parametrize(
    ("every", "named"),
    [
        (2, r"line 2: expected 2 cells, one for each .*Received: 3, and more than 2 in 20 of the"),
        (5, r"8 of 40 \(20\.00%\):\n.*line 2: expected 2 cells, received 3: Great, loved it 0,1; a "
            r"text that holds ',' needs quotes around it"),
    ],
)  # fmt: skip
def test_unquoted_commas_are_named_before_the_classes_are_counted(ingest, every, named):
    lines = [f"dull {n},0" if n % every else f"Great, loved it {n},1" for n in range(40)]
    with pytest.raises(DataError, match=named):
        ingest("a.csv", "text,label\n" + "\n".join(lines))
    rows = [line.rsplit(",", 1) for line in lines]  # what the message says to do
    assert ingest("a.csv", table(rows)).texts == collections.Counter(map(tuple, rows))


def test_a_column_of_numbers_without_a_name_is_an_index(ingest):
    found = ingest("a.csv", ",text,label\n" + "".join(f"{n},w {n},{n % 2}\n" for n in range(20)))
    assert found.texts[("w 1", "1")] == 1
    lines = "".join(f'"{n}","w {n}","{n % 2}"\n' for n in range(20))
    assert ingest("r.csv", '"text","label"\n' + lines).notes["text"] == "text"


@pytest.mark.parametrize(
    ("written", "class_of"),
    [
        (("True", "TRUE", "true", "False"), ("True", "True", "True", "False")),
        (("1", "1.0", " 1", "0"), ("1", "1", "1", "0")),
        (("spam", " spam ", "spam\t", "ham"), ("spam", "spam", "spam", "ham")),
    ],
)
def test_what_is_certainly_one_class_is_one(ingest, caplog, written, class_of):
    caplog.set_level(logging.INFO, "millrace.components")
    cells = [*written, written[0], written[0]]
    names = [*class_of, class_of[0], class_of[0]]
    found = ingest("a.csv", table((f"words {n}", cell) for n, cell in enumerate(cells)))
    assert found.texts == collections.Counter((f"words {n}", name) for n, name in enumerate(names))
    if written[1].strip() != written[0]:
        assert f"class {written[0]!r} is also written {written[1]!r}" in said(caplog)


def test_classes_that_differ_in_case_alone_are_named(ingest, caplog):
    rows = [*PLAIN, ("x", "Spam"), ("y", "spam"), ("z", "spam")]
    assert len(ingest("a.csv", table(rows)).classes) == 4
    assert "classes 'spam', 'Spam' differ in case alone. Write them alike" in said(caplog)


@pytest.mark.parametrize("labels", [(True, False), (1, 0), (1.5, 0.5)])
def test_booleans_and_numbers_are_classes(ingest, labels):
    lines = [json.dumps({"text": f"w {n}", "label": labels[n % 2]}) for n in range(10)]
    found = ingest("a.jsonl", "\n".join(lines))
    assert found.classes == sorted(json.dumps(label) for label in labels)


@pytest.mark.parametrize("name", ["y", "gold", "annotation", "genre", "tags", "author"])
def test_labels_are_found_by_more_names_and_how_is_said(ingest, caplog, name):
    caplog.set_level(logging.INFO, "millrace.components")
    ingest("a.csv", table(((t, "u", c) for t, c in PLAIN), ("text", "date", name)))
    assert (
        f"texts from column 'text' (by its name), classes from column {name!r} (by its name); "
        "not used: 'date'"
    ) in said(caplog)


def test_a_title_is_joined_to_its_text_and_an_option_takes_the_text_alone(ingest, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    rows = [(f"Title {n}", f"body {n}", f"sub {n % 3}", "ab"[n % 2]) for n in range(20)]
    content = table(rows, ("Title", "body", "subject", "label"))
    found = ingest("a.csv", content)
    assert found.texts[("Title 3\nbody 3", "b")] == 1
    assert (
        "texts from column 'Title' and 'body' ('body' by its name; text_example_gen.text=body "
        "takes it alone), classes from column 'label' (by its name); not used: 'subject'"
    ) in said(caplog)
    assert ingest("a.csv", content, text="body").texts[("body 3", "b")] == 1


def test_another_column_of_texts_is_named_with_the_option_that_joins_them(ingest, caplog, tmp_path):
    caplog.set_level(logging.INFO, "millrace.components")
    rows = [(n, f"post {n}", f"body {n}", "ab"[n % 2]) for n in range(20)]
    rows[4] = (4, "", "body 4", "a")
    content = table(rows, ("id", "post", "body", "label"))
    ingest("a.csv", content)
    assert "not used: 'id', 'post'; text_example_gen.text=post,body joins several" in said(caplog)
    found = ingest("a.csv", content, text="post,body")
    assert found.texts[("post 3\nbody 3", "b")] == 1
    assert found.texts[("body 4", "a")] == 1
    source = sources.read(found.examples)
    asked = Path(tmp_path / "ask.csv")
    asked.write_text("body,post\nlong,short\n,only\n,\n")
    assert list(unlabelled.read(asked, source)) == [
        ("line 2", b"short\nlong"),
        ("line 3", b"only"),
        Rejected("ask.csv", "nothing in column 'post' or 'body'", "line 4"),
    ]


def test_a_column_whose_name_has_a_comma_is_one_column(ingest):
    found = ingest("a.csv", table(PLAIN, ("x,y", "label")), text="x,y")
    assert found.texts == collections.Counter(PLAIN)


@pytest.mark.parametrize(
    "files",
    [
        {"x.pos": "good 1\ngood 2\n", "x.neg": "bad 1\nbad 2\n", "x.README.txt": "about\nit"},
        {"pos.txt": "good 1\r\n\r\ngood 2", "neg.txt": "bad 1\nbad 2\n"},
        {"all/pos.txt": "good 1\ngood 2", "all/neg.txt": "bad 1\nbad 2"},
        {"train/pos.txt": "good 1\ngood 2", "train/neg.txt": "bad 1\nbad 2"},
    ],
)
def test_a_file_of_lines_for_each_class_is_found_and_said(ingest, tmp_path, caplog, files):
    caplog.set_level(logging.INFO, "millrace.components")
    for name, content in files.items():
        place = tmp_path / "set" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode())
    found = ingest("", root=tmp_path / "set")
    pairs = [("good 1", "pos"), ("good 2", "pos"), ("bad 1", "neg"), ("bad 2", "neg")]
    assert found.texts == collections.Counter(pairs)
    assert "a file of texts for each class, one a line: " in said(caplog)
    if "train/pos.txt" in files:
        assert found.examples.counts == {"train": 4}


@pytest.mark.parametrize(
    ("content", "options", "classes"),
    [
        ("DESC:manner How did {}\nENTY:animal What is {}\n", {}, ["DESC:manner", "ENTY:animal"]),
        ("__label__good I like {}\n__label__bad I hate {}\n", {}, ["bad", "good"]),
        ("a b::one {}\nc d::two {}\n", {"separator": "::"}, ["a b", "c d"]),
    ],
)
def test_lines_that_begin_with_their_label(ingest, content, options, classes):
    lines = "".join(content.format(n, n) for n in range(9))
    found = ingest("a.txt", lines, layout="labelled_lines", **options)
    assert found.classes == classes
    assert found.texts.total() == 18
    assert next(iter(found.texts))[0].startswith(("How", "What", "I ", "one", "two"))


def test_empty_texts_above_the_limit_can_be_left_out_as_the_message_says(ingest):
    content = table([*PLAIN, *[("", "a")] * 5])
    with pytest.raises(DataError, match=r"line 22: empty text; text_example_gen\.empty=drop le"):
        ingest("a.csv", content)
    found = ingest("a.csv", content, empty="drop")
    assert found.texts == collections.Counter(PLAIN)
    assert (found.notes["found"], found.notes["ignored"]) == (25, 5)
    assert found.notes["empty, left out"] == 5


@pytest.mark.parametrize(
    ("name", "content", "received"),
    [
        ("a.jsonl", "text\tlabel\n", "a.jsonl, line 1: .*Received: not JSON: Expecting value"),
        ("a.json", '{\n "data": [1]\n}\n', "a.json, line 1: .*Received: not JSON: Expecting pr"),
        ("a.json", '{"text": [null]}', "a.json: .*Received: objects without a member that"),
    ],
)
def test_what_is_no_list_of_objects_is_named(ingest, name, content, received):
    with pytest.raises(DataError, match=received + r".*Write it again, such as by pandas' table"):
        ingest(name, content)


@pytest.mark.parametrize("name", ["Review Text", "comment_text", "SentimentText", "lyrics", "v2"])
def test_texts_are_found_by_words_of_names_or_by_cells_that_are_long_and_no_two_alike(ingest, name):
    rows = [(f"from the web page {n % 5}", text, label) for n, (text, label) in enumerate(PLAIN)]
    found = ingest("a.csv", table(rows, ("site", name, "airline_sentiment")))
    assert (found.notes["text"], found.notes["label"]) == (name, "airline_sentiment")


def test_members_of_objects_in_objects_are_columns(ingest):
    rows = [{"id": n, "data": {"text": t}, "meta": {"label": c}} for n, (t, c) in enumerate(PLAIN)]
    found = ingest("a.jsonl", "\n".join(map(json.dumps, rows)))
    assert found.texts == collections.Counter(PLAIN)
    assert (found.notes["text"], found.notes["label"]) == ("data.text", "meta.label")


@pytest.mark.parametrize("names", [("a.train.txt",), ("train.txt", "valid.txt"), ("x", "README")])
def test_lines_of_fasttext_are_known_by_their_mark(ingest, tmp_path, caplog, names):
    caplog.set_level(logging.INFO, "millrace.components")
    lines = "".join(f"__label__{label} {text}\n" for text, label in PLAIN)
    for name in names:
        (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "set" / name).write_text("about" if name == "README" else lines)
    found = ingest("", root=tmp_path / "set")
    assert set(found.texts) == set(PLAIN)
    assert "lines that begin with their label: " in said(caplog)


def test_lines_that_are_no_table_are_refused_with_the_layout_that_reads_them(ingest):
    lines = "".join(f"DESC:manner how {n}\nENTY:animal what {n}\n" for n in range(9))
    with pytest.raises(DataError, match=r"Or set text_example_gen\.layout=labelled_lines if each"):
        ingest("a.txt", lines)
    found = ingest("a.txt", lines, layout="labelled_lines")
    assert found.classes == ["DESC:manner", "ENTY:animal"]


def test_a_class_for_nearly_every_row_is_refused(ingest):
    rows = [(f"words {n}", n) for n in range(30)]
    with pytest.raises(
        DataError,
        match=r"column 'label': expected classes of 2 rows or more each on average\. Received: 30 "
        r"classes in 30 rows, such as '0'\. Name the column of classes by the option label",
    ):
        ingest("a.csv", table(rows))


def test_columns_without_names_are_said(ingest, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    found = ingest("a.csv", "".join(f'{n % 2},"some, words {n}"\n' for n in range(20)))
    assert found.texts[("some, words 3", "1")] == 1
    assert "texts from column 'column_2' (its cells are the longest), classes from column " \
        "'column_1'" in said(caplog)  # fmt: skip


def test_an_encoding_that_was_guessed_is_said_with_its_option(ingest, caplog):
    found = ingest("latin2.csv")
    guess = found.notes["encoding"]
    assert guess != "utf-8"
    assert f"is not UTF-8: read as {guess}; text_example_gen.encoding names another" in said(caplog)
    found = ingest("latin2.csv", encoding="iso8859_2")
    assert found.texts[("świetny film, żółta łąka 1", "1")] == 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (table((t, c * 2 if n % 3 else "a|b") for n, (t, c) in enumerate(PLAIN)), "a.csv"),
        (table((t, "b; a" if n % 3 else c) for n, (t, c) in enumerate(PLAIN)), "a.csv"),
        (table((t, "['a', 'b']" if n % 3 else f"['{c}']") for n, (t, c) in enumerate(PLAIN)),
         "a.csv"),
        ("\n".join(json.dumps({"text": t, "label": ["a", "b"] if n % 3 else [c]})
                   for n, (t, c) in enumerate(PLAIN)), "a.jsonl"),
        ("".join(f"__label__a __label__b {t}\n__label__b {t}\n" for t, _ in PLAIN), "a.txt"),
    ],
)  # fmt: skip
def test_several_labels_in_a_cell_are_refused_with_two_ways_out(ingest, content, name):
    if "bb" in content:
        content = content.replace("aa", "a").replace("bb", "b")
    options = {"layout": "labelled_lines"} if name == "a.txt" else {}
    with pytest.raises(DataError, match=r"expected one label a row\. Received: several in \d+ ro"):
        ingest(name, content, **options)
    first = ingest(name, content, **options, label_sets="first")
    assert set(first.classes) <= {"a", "b"}
    whole = ingest(name, content, **options, label_sets="whole")
    assert len(whole.classes) > len(first.classes) or name == "a.txt"


def test_several_labels_of_the_case(ingest):
    with pytest.raises(
        DataError,
        match=r"column 'labels': expected one label a row\. Received: several in \d+ rows, such "
        r"as '.\|.', of the labels a, b, c\. Set text_example_gen\.label_sets=first",
    ):
        ingest("multilabel.csv")
    assert ingest("multilabel.csv", label_sets="first").classes == ["a", "b", "c"]


@pytest.mark.parametrize("names", [("Toys, Games", "Books"), ("a;b", "c"), ("x|y", "z")])
def test_a_mark_in_a_name_is_not_taken_for_several(ingest, names):
    rows = [(text, names[n % 2]) for n, (text, _) in enumerate(PLAIN)]
    assert ingest("a.csv", table(rows)).classes == sorted(names)


def test_a_test_split_of_one_class_cannot_judge(ingest, tmp_path):
    found = ingest("onesided")
    assert found.examples.counts == {"train": 120, "test": 20}
    assert found.notes["gaps"] == "test: pos"
    truth = np.zeros(20, np.int64)
    scores = np.tile(np.float32([0.9, 0.1]), (20, 1))
    scored = ScoredClassification(
        classes=("neg", "pos"), sums={Key("test", CANDIDATE): tally(truth, scores)}
    )
    out = Path(tmp_path / "evaluation")
    out.mkdir()
    config = EvalConfig(label="text/class/text", slices=(), batch_size=64, mistakes=5)
    classification_files.write(scored, out, ["test"], config)
    summary = json.loads((out / "metrics.json").read_text())
    found = verdict.reach(summary, Thresholds({}, {}, {}, {}))
    assert not found.blessed
    assert found.reasons[0].startswith(
        "split 'test' cannot judge a model: every row is of the class 'neg'. Give it more rows"
    )
