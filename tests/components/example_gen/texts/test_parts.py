"""Large text files in parts: together, the records of the file as a whole."""

import pathlib
import tempfile

import pytest
from etils.epath import Path
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.splits import SplitRule
from millrace.components.example_gen.texts.corpora import CorpusFiles, places
from millrace.components.example_gen.texts.cutting import CorpusOptions
from millrace.components.example_gen.texts.parts import parts

ROW = ListedRow("a.txt", "")
RULE = SplitRule.of("step", {"train": 0.8, "eval": 0.1, "test": 0.1})


def records(root, options, size):
    """What a corpus of one file comes to, and in how many parts."""
    found = list(parts(root, [ROW], options, size))
    source = CorpusFiles(str(root), options, RULE, places(root, [ROW]))
    return [source.convert(item) for item in source.read(found)], len(found)


def check_same(data, options, size):
    """The records of the parts are those of the whole; returns how many parts there were."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / ROW.path).write_bytes(data)
        whole, _ = records(Path(folder), options, len(data) + 1)
        parted, count = records(Path(folder), options, size)
    assert parted == whole
    return count


@given(
    text=st.text(alphabet="ab \n\n\n\r\té\u4e2d", max_size=60),
    unit=st.sampled_from(["line", "paragraph", "passage", "file"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
    size=st.integers(1, 20),
    passage=st.integers(2, 9),
)
@example("\n\na", "paragraph", "utf-8", 1, 2)
@example(" \na\n\n", "paragraph", "utf-8", 1, 2)
@example("a\n\n \nb\n\n", "paragraph", "utf-8", 2, 2)
def test_parts_give_the_records_of_the_whole_file(text, unit, encoding, size, passage):
    check_same(text.encode(encoding), CorpusOptions(unit, passage, encoding, "reject"), size)


@given(
    data=st.lists(
        st.sampled_from([b"a", b"\n", b"\r", "é".encode(), b"\xff", b"\xe9", b"\x1b$B"]),
        max_size=40,
    ).map(b"".join),
    bad=st.sampled_from(["reject", "replace", "ignore"]),
    size=st.integers(1, 9),
)
def test_an_encoding_is_found_for_all_of_a_file_in_parts(data, bad, size):
    check_same(data, CorpusOptions("line", 9, None, bad), size)


@pytest.mark.parametrize(
    ("unit", "count"), [("line", 3), ("paragraph", 2), ("passage", 4), ("file", 1)]
)
def test_a_part_ends_with_a_line_or_a_paragraph(unit, count):
    data = b"one\ntwo\n\nthree\nfour\n"
    assert check_same(data, CorpusOptions(unit, 4, None, "reject"), 6) == count


def test_a_file_of_the_size_of_a_part_is_one(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\nb\nc")
    options = CorpusOptions("line", 9, None, "reject")
    assert [part.within for part in parts(Path(tmp_path), [ROW], options, 5)] == [None]
    assert len(list(parts(Path(tmp_path), [ROW], options, 3))) == 2


def test_a_file_that_vanished_or_has_bad_bytes_is_left_to_a_worker(tmp_path):
    options = CorpusOptions("line", 9, "utf-8", "reject")
    assert [part.within for part in parts(Path(tmp_path), [ROW], options, 1)] == [None]
    (tmp_path / "a.txt").write_bytes(b"a\n\xff\n")
    assert [part.within for part in parts(Path(tmp_path), [ROW], options, 1)] == [None]
