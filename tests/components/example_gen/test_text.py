"""Texts from class folders and from tables, in every form, to records; what is set aside."""

import gzip
import io
import json
import logging
import zipfile

import pytest
from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.text import text_example_gen
from millrace.components.example_gen.texts.files import EMPTY
from tests.components.example_gen.conftest import files_of, records_of, spoil


@pytest.fixture
def ingest(out):
    def run(source, **options):
        out.rmtree(missing_ok=True)
        out.mkdir()
        return text_example_gen(RawFiles(source), out, run_on=BeamOptions(), **options)

    return run


@pytest.fixture
def table(folder):
    """Writes one file below the source folder and returns its path."""

    def write(name, content, encoding="utf-8"):
        data = content if isinstance(content, bytes) else content.encode(encoding)
        return folder({name: data}) / name

    return write


def rows(examples):
    """(text, class, label) of every record, sorted."""
    found = [row for split in records_of(examples).values() for row in split]
    return sorted(
        (
            row["text"][0].decode(),
            row["text/class/text"][0].decode(),
            int(row["text/class/label"][0]),
        )
        for row in found
    )


REVIEWS = [("good", "pos", 1), ("so, so", "neg", 0), ('the "best"', "pos", 1)]


def test_class_folders_and_what_lies_beside_them(ingest, folder):
    files = {"README.TXT": b"about", "pos/1.txt": b"good", "neg/1.txt": b"so, so"}
    examples = ingest(folder({**files, "pos/2.txt": b'the "best"', "pos/.hidden": b"x"}))
    assert rows(examples) == REVIEWS
    names = {row["text/filename"][0] for split in records_of(examples).values() for row in split}
    assert names == {b"pos/1.txt", b"neg/1.txt", b"pos/2.txt"}
    assert examples.summary["notes"] == {"found": 5, "ignored": 2, "classes": 2, "gaps": GAPS}


GAPS = "eval: neg, pos; test: neg, pos"


def test_folders_named_like_splits_are_splits(ingest, folder):
    texts = {f"set/{split}/{name}/1.txt": split.encode() + name.encode()
             for split in ("train", "test") for name in ("a", "b")}  # fmt: skip
    assert ingest(folder(texts)).counts == {"train": 2, "test": 2}


FORMS = {
    "r.csv": 'text,label\ngood,pos\n"so, so",neg\n"the ""best""",pos\n',
    "r2.csv": 'label;text\r\npos;good\r\nneg;"so, so"\r\npos;"the ""best"""\r\n',
    "r.tsv": 'label\ttext\npos\tgood\nneg\tso, so\npos\tthe "best"\n',
    "r.jsonl": "\n".join(json.dumps({"text": t, "n": 1, "label": c}) for t, c, _ in REVIEWS),
    "r.json": json.dumps([{"text": t, "x": [1], "label": c} for t, c, _ in REVIEWS], indent=1),
    "lines.json": "\n".join(json.dumps({"label": c, "text": t}) for t, c, _ in REVIEWS) + "\n\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_table_gives_the_same_records(ingest, table, name):
    assert rows(ingest(table(name, FORMS[name]))) == REVIEWS


def test_a_gzipped_table_and_one_in_utf_16_are_read_alike(ingest, table):
    assert rows(ingest(table("r.csv.gz", gzip.compress(FORMS["r.csv"].encode())))) == REVIEWS
    assert rows(ingest(table("w.jsonl.gz", gzip.compress(FORMS["r.jsonl"].encode())))) == REVIEWS
    assert rows(ingest(table("u.csv", FORMS["r.csv"], "utf-16"))) == REVIEWS
    assert rows(ingest(table("b.csv", FORMS["r.csv"], "utf-8-sig"))) == REVIEWS


def test_tables_named_like_splits_are_splits(ingest, folder):
    files = {"train.csv": b"text,label\na,x\nb,y\n", "test.csv": b"text,label\nc,x\n"}
    examples = ingest(folder(files))
    assert examples.counts == {"train": 2, "test": 1}
    assert ingest(folder({}), eval_from_train=0.5).counts["test"] == 1


def test_columns_are_chosen_and_said(ingest, table, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    lines = [f"{n},{'long words ' * 5}{n},{n % 2}" for n in range(20)]
    examples = ingest(table("odd.csv", "id,what she says,flag\n" + "\n".join(lines)))
    assert examples.summary["notes"]["text"] == "what she says"
    assert examples.summary["notes"]["label"] == "flag"
    said = (
        "text_example_gen: texts from column 'what she says' (its cells are the longest), classes "
        "from column 'flag' (its cells are the most alike); not used: 'id'"
    )
    assert said in caplog.messages


def test_columns_can_be_named(ingest, table):
    place = table("t.csv", "text,title,label,kind\na,x,1,p\nb,y,1,q\n")
    assert rows(ingest(place, text="title", label="kind")) == [("x", "p", 0), ("y", "q", 1)]
    with pytest.raises(
        OptionError,
        match=r"^text_example_gen, option text: expected a column of .*t\.csv: text, title, "
        r"label, kind\. Received: 'body'\. Correct the name\.$",
    ):
        ingest(place, text="body")


def test_a_table_without_a_header_is_known_by_its_classes_coming_again(ingest, table):
    found = rows(ingest(table("s.tsv", "ham\tgood one\nspam\tbuy now\nham\tsee you\n")))
    assert found == [("buy now", "spam", 1), ("good one", "ham", 0), ("see you", "ham", 0)]
    named = ingest(
        table("n.tsv", "ham\tone more\nspam\ttwo more\n"),
        csv=CsvFormat(header=False, names=("c", "t")),
    )
    assert [row[0] for row in rows(named)] == ["one more", "two more"]


def test_a_table_without_rows_or_one_that_is_not_text_is_refused(ingest, table):
    with pytest.raises(DataError, match=r"Received: none that looks like classes among 'text', 'l"):
        ingest(table("empty.csv", "text,label\n"))
    place = table("picture.csv", b"\x89PNG\r\n" + bytes(range(256)))
    with pytest.raises(DataError, match=r"picture\.csv: expected a text file\. Received: one tha"):
        ingest(place)


def test_quotes_in_a_tsv_are_quotes_unless_quoting_is_set(ingest, table):
    place = table("q.tsv", 'label\ttext\na\t"begun\nb\tand never ended\n')
    assert [row[0] for row in rows(ingest(place))] == ['"begun', "and never ended"]
    with pytest.raises(DataError, match=r"q\.tsv, line 2: expected a quote that closes"):
        ingest(place, csv=CsvFormat(quoting=True), max_rejected=1)


def test_numbered_classes_keep_their_order(ingest, table):
    lines = "\n".join(f"text {number},{number}" for number in (10, 2, 1))
    assert [row[1:] for row in rows(ingest(table("n.csv", "text,label\n" + lines)))] == [
        *[("1", 0), ("10", 2), ("2", 1)]
    ]


def test_each_unusable_row_is_set_aside_with_its_place_and_reason(ingest, table):
    place = table("bad.csv", 'text,label\na,x\n,y\nb,\nc,y,z\n"d\ne",y\n')
    examples = ingest(place, max_rejected=1)
    assert rows(examples) == [("a", "x", 0), ("d\ne", "y", 1)]
    assert [(item.source, item.position, item.reason) for item in examples.rejected()] == [
        (
            *("bad.csv", "line 5"),
            "expected 2 cells, received 3: c,y,z; a text that holds ',' needs quotes around it",
        ),
        ("bad.csv", "line 3", EMPTY),
    ]
    assert examples.summary["notes"]["unlabelled"] == 1


def test_unusable_lines_of_json_are_set_aside(ingest, table):
    lines = ['{"text": "a", "label": 1}', '{"text": ', "[1]", '{"text": "b", "label": 0}', "{}"]
    examples = ingest(table("bad.jsonl", "\n".join(lines)), max_rejected=1)
    assert rows(examples) == [("a", "1", 1), ("b", "0", 0)]
    assert [(item.position, item.reason) for item in examples.rejected()] == [
        ("line 2", "not JSON: Expecting value at character 10"),
        ("line 3", "expected an object, received [1]"),
        ("line 5", EMPTY),
    ]


@pytest.mark.parametrize(
    ("errors", "texts"),
    [
        ("latin-1", ["caf\u00e9 \u00a35", "\u00e9t\u00e9"]),
        ("replace", ["caf\ufffd \ufffd5", "\u00e9t\u00e9"]),
        ("ignore", ["caf 5", "\u00e9t\u00e9"]),
        ("reject", ["\u00e9t\u00e9"]),
    ],
)
def test_bad_bytes_are_treated_as_configured_and_counted(ingest, folder, errors, texts):
    rest = {f"{name}/{n}.txt": "\u00e9t\u00e9".encode() for name in "ab" for n in range(9)}
    root = folder({"a/x.txt": b"caf\xe9 \xa35", **rest})
    examples = ingest(root, errors=errors, max_rejected=1)
    assert sorted({row[0] for row in rows(examples)}) == texts
    notes = examples.summary["notes"]
    if errors == "reject":
        assert [item.reason for item in examples.rejected()] == [
            "byte 0xe9 at 3 is not valid utf-8"
        ]
    else:
        encoding = "cp1252" if errors == "latin-1" else "utf-8"
        assert notes[f"bad bytes, read as {encoding}"] == 1


def test_one_bad_byte_does_not_change_the_encoding_of_a_table(ingest, table):
    lines = ["text,label", *(f"caf\u00e9 {n},{n % 2}" for n in range(9))]
    data = "\n".join(lines).encode() + b"\ncaf\xe9 nine,1\n"
    examples = ingest(table("mixed.csv", data))
    assert {row[0][:4] for row in rows(examples)} == {"caf\u00e9"}
    assert examples.summary["notes"]["encoding"] == "utf-8"
    assert examples.summary["notes"]["bad bytes, read as cp1252"] == 1


def test_the_encoding_of_a_whole_table_is_detected_or_given(ingest, table):
    russian = "\n".join(
        f"\u0445\u043e\u0440\u043e\u0448\u043e \u0438 \u043f\u043b\u043e\u0445\u043e {n},{n % 2}"
        for n in range(9)
    )
    place = table("ru.csv", "text,label\n" + russian, "cp1251")
    assert rows(ingest(place))[0][0].startswith("\u0445\u043e\u0440\u043e\u0448\u043e")
    western = table("w.csv", "text,label\n\u00e4,1\n\u00f6,0\n", "latin-1")
    assert [row[0] for row in rows(ingest(western, encoding="latin-1"))] == ["\u00e4", "\u00f6"]


RUSSIAN = ("\u0445\u043e\u0440\u043e\u0448\u0438\u0439 \u0444\u0438\u043b\u044c\u043c",
           "\u043f\u043b\u043e\u0445\u0430\u044f \u0438\u0433\u0440\u0430")  # fmt: skip
GERMAN = ("sch\u00f6ner Film \u00fcber Br\u00fcder", "\u00f6de, m\u00fcde Geschichte")


@pytest.mark.parametrize(
    ("texts", "encodings", "told"),
    [
        ((RUSSIAN, RUSSIAN), ("cp1251", "cp1251"), ["source is not UTF-8: read as cp1251"]),
        ((RUSSIAN, RUSSIAN), ("koi8_r", "utf-8"), ["source is not UTF-8: read as koi8_r;"]),
        ((GERMAN, GERMAN), ("utf-8-sig", "cp1252"), ["source is not UTF-8: read as cp1252"]),
        ((GERMAN, GERMAN), ("utf-16-le", "utf-16"), []),
        ((RUSSIAN, GERMAN), ("cp1251", "cp1252"), ["is not UTF-8: read as cp1251",
                                                   "class b, is not UTF-8: read as cp1252"]),
    ],
)  # fmt: skip
def test_the_encoding_of_class_folders_is_found_as_that_of_tables(
    ingest, folder, caplog, texts, encodings, told
):
    caplog.set_level(logging.WARNING, "millrace.components")
    every = [(name, each, encoding, n) for name, words, encoding in
             zip("ab", texts, encodings, strict=True) for n, each in enumerate(words)]  # fmt: skip
    root = folder({f"{name}/{n}.txt": each.encode(encoding) for name, each, encoding, n in every})
    found = rows(ingest(root))
    assert found == sorted((each, name, "ab".index(name)) for name, each, *_ in every)
    said = [message for message in caplog.messages if "not UTF-8" in message]
    assert len(said) == len(told)
    assert all(map(str.__contains__, said, told))


def test_pictures_and_empty_files_among_texts_are_set_aside(ingest, folder):
    root = folder(
        {"a/1.txt": b"x", "a/p.png": b"\x89PNG\x00\x00", "b/1.txt": b"y", "b/2.txt": b" "}
    )
    examples = ingest(root, max_rejected=0.5)
    assert {(item.source, item.reason) for item in examples.rejected()} == {
        ("a/p.png", "holds zero bytes: not text"),
        ("b/2.txt", EMPTY),
    }


TABLE = b"text,label\na,1\nb,0\n"


@pytest.mark.parametrize(
    ("files", "message", "layout"),
    [
        ({"pos/1.txt": b"a", "neg/1": b"b", "labels.csv": TABLE},
         r"Received: labels\.csv beside folders of texts, neg, pos\. Set text_example_gen\.layout="
         r"classes to read the folders, or give the path of the table\.", "classes"),
        ({"train/pos/1.txt": b"a", "train/neg/1.txt": b"b", "labels.csv": TABLE},
         r"beside folders of texts, neg, pos\. Set text_example_gen\.layout=splits", "splits"),
        ({"a.csv": TABLE, "b.jsonl": b'{"text": "a", "label": 1}'},
         r"b\.jsonl: expected a table of the same form as a\.csv\. Received: another", ""),
        ({"a.json": b'[{"text": "a", "label": 1}]', "b.json": b'{"text": "a", "label": 1}'},
         r"b\.json: expected a table of the same form as a\.json\. Received: another", ""),
    ],
)  # fmt: skip
def test_a_folder_of_several_kinds_is_refused_with_a_way_to_read_one(
    ingest, folder, files, message, layout
):
    root = folder(files)
    with pytest.raises(DataError, match=message):
        ingest(root)
    if layout:
        assert {row[1] for row in rows(ingest(root, layout=layout))} == {"neg", "pos"}


def test_equal_texts_come_into_one_split_and_are_counted(ingest, table):
    lines = [f"text {n % 40},{n % 2}" for n in range(120)]
    examples = ingest(table("d.csv", "text,label\n" + "\n".join(lines)))
    where = {}
    for split, found in records_of(examples).items():
        for row in found:
            where.setdefault(row["text"][0], set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    assert examples.summary["notes"]["duplicates"] == 80


@pytest.mark.parametrize("shards", [1, 3, 7, 40])
def test_a_table_cut_anywhere_loses_no_row(ingest, table, shards):
    texts = [f'{"line " * n}"{n}"\n, {n}\n' for n in range(30)]
    cells = "".join(
        '"{}",{}\n'.format(text.replace('"', '""'), n % 2) for n, text in enumerate(texts)
    )
    found = rows(ingest(table("cut.csv", "text,label\n" + cells), shards=shards))
    assert [row[0] for row in found] == sorted(texts)


def test_the_same_source_gives_the_same_bytes(ingest, table):
    place = table("r.csv", FORMS["r.csv"])
    assert files_of(ingest(place)) == files_of(ingest(place))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.csv", "", r"e\.csv: expected a table, one record a line\. Received: an empty file"),
        ("o.csv", "text\na\nb\n", r"expected a column of texts and one of classes\. Received: "
         r"none that looks like classes among 'text'\. Name it by the option label\."),
        ("c.csv", "text,label\na,x\nb,x\n", r"column 'label': expected at least two classes\. "
         r"Received: only 'x'\. Name the column"),
        ("j.json", '[{"text": "a", "label": 1}, {"text', r"j\.json, member 2: expected a JSON "
         r"array of objects\. Received: Unterminated string"),
        ("s.json", "[1, 2]", r"s\.json, member 1: expected JSON objects with texts and labels, "
         r"one a line or all in an array\. Received: 1\. Write it again, such as by pandas'"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused(ingest, table, name, content, message):
    with pytest.raises(DataError, match=message):
        ingest(table(name, content))


def test_folders_without_classes_and_missing_sources_are_refused(ingest, folder, tmp_path):
    with pytest.raises(
        DataError,
        match=r"expected a folder of text files for each class\. Received: 1 files, none of them "
        r"a text in a class folder\. Make one folder per class, or give a CSV, TSV or JSON file",
    ):
        ingest(folder({"a.txt": b"a"}))
    with pytest.raises(DataError, match=r"nowhere: expected a folder\. Received: no such folder"):
        ingest(Path(tmp_path) / "nowhere")
    with pytest.raises(DataError, match=r"^text_example_gen, option encoding: .*'utf-9'"):
        ingest(folder({"b/a.txt": b"a", "c/a.txt": b"b"}), encoding="utf-9")


@pytest.mark.parametrize(
    ("name", "counts", "duplicates"),
    [
        ("bbc_news", 2225, 98),
        ("sarcasm", 26_709, 107),
        ("sms_spam", 5574, 403),
        ("imdb_reviews", 2500, 6),
    ],
)
def test_real_sets_are_read_whole(ingest, shared_data, name, counts, duplicates):
    examples = ingest(Path(shared_data) / name)
    assert sum(examples.counts.values()) == counts
    assert examples.summary["rejected"] == 0
    assert examples.summary["notes"]["duplicates"] == duplicates


def test_the_pound_sign_of_a_real_article_is_read(ingest, shared_data):
    examples = ingest(Path(shared_data) / "bbc_news")
    assert examples.summary["notes"]["bad bytes, read as cp1252"] == 1
    texts = [row["text"][0] for split in records_of(examples).values() for row in split
             if row["text/filename"] == [b"sport/199.txt"]]  # fmt: skip
    assert "a \u00a315.8m signing" in texts[0].decode()


@pytest.mark.parametrize(
    "files",
    [{"all.csv": b"text,label\ngood,pos\nbad,neg\n"}, {"pos/1.csv": b"good", "neg/1.csv": b"bad"}],
)
def test_what_is_not_a_readable_file_is_set_aside_and_counted(ingest, folder, files):
    root = folder(files)
    place = root / "pos" if "pos/1.csv" in files else root
    aside = spoil(place, ".csv")
    examples = ingest(root, max_rejected=0.5)
    assert len(rows(examples)) == 2
    assert [item.reason for item in examples.rejected()] == [item.reason for item in aside]


@pytest.mark.parametrize("name", ["{}_{}.txt", "{1}-{0}.txt", "{0}.{1}"])
def test_the_names_of_class_files_say_their_splits_too(ingest, folder, name):
    files = {name.format(split, label): f"{split} {label}\nmore {split} {label}\n".encode()
             for split in ("train", "Test") for label in ("pos", "neg")}  # fmt: skip
    examples = ingest(folder(files), layout="class_files")
    assert examples.counts == {"train": 4, "test": 4}
    assert {label for _, label, _ in rows(examples)} == {"pos", "neg"}


def test_class_files_that_are_not_all_of_splits_keep_their_names(ingest, folder):
    files = {"test_drive.txt": b"a b\nc d\n", "review.txt": b"e f\ng h\n"}
    assert {label for _, label, _ in rows(ingest(folder(files)))} == {"test_drive", "review"}


def test_a_label_of_fasttext_may_end_in_a_tab(ingest, table):
    source = table("x.txt", "__label__a\tgood one\n__label__b\tbad one\n")
    found = rows(ingest(source, layout="labelled_lines"))
    assert found == [("bad one", "b", 1), ("good one", "a", 0)]


def test_a_folder_of_texts_without_a_class_is_none(ingest, folder):
    files = {f"aclImdb/{split}/{name}/1.txt": f"{split} {name}".encode()
             for split in ("train", "test") for name in ("neg", "pos")}  # fmt: skip
    examples = ingest(folder({**files, "aclImdb/train/unsup/1.txt": b"so"}))
    assert examples.counts == {"train": 2, "test": 2}
    notes = {"found": 5, "ignored": 0, "unlabelled": 1, "classes": 2, "gaps": ""}
    assert examples.summary["notes"] == notes


def test_an_archive_is_read_as_the_folder_in_it(ingest, table):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("reviews.csv", 'text,label\ngood,pos\n"so, so",neg\nbad,neg\n')
    wanted = [("bad", "neg", 0), ("good", "pos", 1), ("so, so", "neg", 0)]
    assert rows(ingest(table("reviews.csv.zip", packed.getvalue()))) == wanted
    with pytest.raises(DataError, match=r"what files \.zip hold\. .*compression='zip'"):
        ingest(table("reviews.csv", packed.getvalue()))
