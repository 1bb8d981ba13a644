"""Text files to records, by the component."""

import pytest

from millrace.components.artifacts import RawFiles, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.corpus import corpus_example_gen
from millrace.components.example_gen.texts import corpora, parts
from tests.components.example_gen.conftest import files_of, records_of, spoil

LINES = [f"line {number}" for number in range(200)]


@pytest.fixture
def ingest(folder, out):
    def run(files, **options):
        source = RawFiles(folder(files))
        return corpus_example_gen(source, out, run_on=BeamOptions(), **options)

    return run


def test_lines_are_split_by_their_content_and_repeats_stay_together(ingest):
    text = "\n".join([*LINES, "", " ", *LINES])
    examples = ingest({"a.txt": text.encode()}, unit="line")
    records = records_of(examples)
    where = {}
    for split, rows in records.items():
        for row in rows:
            where.setdefault(row["text"][0], set()).add(split)
    assert len(where) == 200
    assert all(len(splits) == 1 for splits in where.values())
    assert sum(examples.counts.values()) == 400
    assert 280 <= examples.counts["train"] <= 360
    notes = examples.summary["notes"]
    assert (notes["empty, left out"], notes["duplicates"], notes["found"]) == (2, 200, 400)


def test_a_record_says_its_unit_and_its_place(ingest):
    examples = ingest({"a/b.txt": b"one\n\ntwo\n"}, unit="line", splits={"train": 1.0})
    assert [
        (row["text"][0], row["text/filename"][0], row["text/unit"][0])
        for row in records_of(examples)["train"]
    ] == [(b"one", b"a/b.txt#1", b"line"), (b"two", b"a/b.txt#3", b"line")]


def test_passages_are_split_by_their_place_so_that_no_neighbour_leaks(ingest):
    text = "".join(f"{number:04d}\n" for number in range(2000))
    examples = ingest({"a.txt": text.encode()}, unit="passage", passage=100)
    assert examples.counts == {"train": 80, "eval": 10, "test": 10}
    records = records_of(examples)
    joined = [b"".join(row["text"][0] for row in records[s]) for s in ("train", "eval", "test")]
    assert b"".join(joined).decode() == text


def test_a_file_too_short_for_passages_of_its_own_has_its_place_among_the_others(ingest):
    files = {f"{number:02d}.txt": b"x" * 50 for number in range(20)}
    examples = ingest(files, unit="passage", passage=1000)
    assert examples.counts == {"train": 16, "eval": 2, "test": 2}


def test_given_splits_are_kept(ingest):
    files = {"train.txt": b"a\nb\nc\n", "valid.txt": b"d\n", "test.txt": b"a\n"}
    assert ingest(files, unit="line").counts == {"train": 3, "eval": 1, "test": 1}


def test_auto_takes_lines_where_they_are_short(ingest):
    examples = ingest({"a.txt": "\n".join(LINES).encode()})
    assert examples.summary["notes"]["unit"] == "line"


def test_the_encoding_is_known_by_its_byte_order_mark_or_given(ingest):
    with_bom = ingest({"a.txt": "caf\u00e9\n".encode("utf-16")}, unit="line", splits={"train": 1.0})
    assert [row["text"][0].decode() for row in records_of(with_bom)["train"]] == ["caf\u00e9"]


def test_a_given_encoding_is_used(ingest):
    files = {"b.txt": "na\u00efve\n".encode("cp1252")}
    examples = ingest(files, unit="line", encoding="cp1252", splits={"train": 1.0})
    assert [row["text"][0].decode() for row in records_of(examples)["train"]] == ["na\u00efve"]


def test_a_file_that_is_not_in_the_given_encoding_is_set_aside(ingest):
    files = {"a.txt": b"good\n" * 3, "b.txt": b"bad \xff\n"}
    examples = ingest(files, unit="line", encoding="utf-8", max_rejected=0.5)
    (item,) = examples.rejected()
    assert item.source == "b.txt"
    assert "0xff" in item.reason
    assert isinstance(item, Rejected)


def test_a_bad_byte_can_be_replaced_and_its_lines_are_counted(ingest):
    options = {
        "unit": "line",
        "encoding": "utf-8",
        "bad_bytes": "replace",
        "splits": {"train": 1.0},
    }
    examples = ingest({"b.txt": b"bad \xff\nfine\n"}, **options)
    assert [row["text"][0].decode() for row in records_of(examples)["train"]] == [
        "bad \ufffd",
        "fine",
    ]
    assert examples.summary["notes"]["of files with bad bytes: replace"] == 2


def test_the_same_text_gives_the_same_bytes(folder, tmp_path):
    from etils.epath import Path

    source = RawFiles(folder({"a.txt": "\n".join(LINES).encode()}))
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = corpus_example_gen(source, Path(tmp_path / name), run_on=BeamOptions(), unit="line")
        found.append(files_of(made))
    assert found[0] == found[1]


def test_empty_files_are_refused(ingest):
    with pytest.raises(
        DataError, match=r"expected text\. Received: 1 files that are empty\. Check"
    ):
        ingest({"a.txt": b"\n\n"}, unit="line")


def test_what_is_not_a_readable_file_is_set_aside_and_counted(ingest, folder):
    aside = spoil(folder({}), ".txt")
    examples = ingest({"a.txt": b"one\ntwo\n"}, unit="line", max_rejected=0.5)
    assert sum(examples.counts.values()) == 2
    assert list(examples.rejected()) == aside


def test_a_large_file_becomes_as_many_shards_as_it_has_parts_or_as_are_asked_for(
    ingest, monkeypatch
):
    def small(root, rows, options):
        return parts.parts(root, rows, options, 1000)

    monkeypatch.setattr(corpora, "parts", small)
    text = "\n".join(LINES).encode()  # 1,689 bytes
    examples = ingest({"a.txt": text}, unit="line", shards=9)
    assert [len(list(examples.files(split))) for split in examples.splits] == [2, 2, 2]
    assert examples.counts.keys() == {"train", "eval", "test"}
    assert sum(examples.counts.values()) == 200
