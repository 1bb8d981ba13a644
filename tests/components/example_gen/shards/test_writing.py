"""The Beam recipe by itself, on a source of numbers."""

import dataclasses

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.shards import writing
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import decode, encode


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Each row's path is a number; multiples of ten are set aside, `stop` fails."""

    bytes_each: int = 1
    stop: int = -1

    def read(self, rows):
        for row in rows:
            if int(row.path) == self.stop:
                raise DataError(f"{row.path}: broken")
            yield int(row.path)

    def convert(self, number):
        if number % 10 == 0:
            return Rejected(str(number), "a multiple of ten")
        split = "train" if number % 3 else "eval"
        return writing.SplitRecord(split, str(number % 2), f"{number} ".encode() * self.bytes_each)


def rows_of(count):
    return [ListedRow(str(number), "") for number in range(count)]


def numbers_in(examples, split):
    return [
        [int(record.split()[0]) for record in read_records(path)] for path in examples.files(split)
    ]


@pytest.mark.parametrize("bytes_each", [1, 5000])
@pytest.mark.parametrize("count", [1, 3])
def test_every_row_is_in_its_shard_in_order_or_set_aside(out, count, bytes_each):
    examples = Examples(out)
    tally = writing.write_shards(
        BeamOptions(),
        examples,
        Numbers(bytes_each),
        rows_of(100),
        splits=["train", "eval"],
        shards=count,
    )
    for split, is_in in (("train", lambda n: n % 3), ("eval", lambda n: n % 3 == 0)):
        assert numbers_in(examples, split) == [
            [n for n in range(index, 100, count) if n % 10 and is_in(n)] for index in range(count)
        ]
    assert tally.written == {
        "train": {"0": 27, "1": 33},
        "eval": {"0": 13, "1": 17},
    }
    assert sorted(int(item.source) for item in tally.rejected) == list(range(0, 100, 10))
    assert sorted(path.name for path in out.iterdir()) == ["Split-eval", "Split-train"]


def test_a_shard_that_cannot_be_read_on_says_so(out):
    with pytest.raises(DataError, match=r"^7: broken$"):
        writing.write_shards(
            BeamOptions(),
            Examples(out),
            Numbers(stop=7),
            rows_of(20),
            splits=["train", "eval"],
            shards=2,
        )


@given(st.lists(st.text(), unique=True), st.randoms())
def test_the_order_depends_on_the_paths_alone(paths, random):
    rows = [ListedRow(path, "") for path in paths]
    shuffled = random.sample(rows, len(rows))
    assert writing.mixed(rows) == writing.mixed(shuffled)
    assert sorted(writing.mixed(rows)) == sorted(rows)


@pytest.mark.parametrize(
    ("sizes", "wanted", "count"),
    [
        ([100] * 10, 0, 1),
        ([100] * 10, 4, 4),
        ([100] * 3, 8, 3),
        ([1 << 20] * 65, 0, 2),
        ([1 << 20] * 200, 0, 4),
    ],
)
def test_a_shard_holds_64_mib_unless_a_count_is_given(tmp_path, sizes, wanted, count):
    for number, size in enumerate(sizes):
        with (tmp_path / str(number)).open("wb") as file:
            file.truncate(size)
    assert writing.shard_count(Path(tmp_path), rows_of(len(sizes)), wanted) == count


@pytest.mark.parametrize(("rows", "count"), [(65_536, 1), (65_537, 2), (200_000, 4)])
def test_a_shard_of_small_files_holds_65536(tmp_path, rows, count):
    assert writing.shard_count(Path(tmp_path), rows_of(rows), 0) == count


def test_a_missing_file_does_not_stop_the_estimate(tmp_path):
    assert writing.shard_count(Path(tmp_path), rows_of(3), 0) == 1


CELLS = st.fixed_dictionaries(
    {
        "text": st.binary(max_size=200),
        "text/class/label": st.integers(-(2**63), 2**63 - 1),
        "text/class/text": st.binary(max_size=3),
        "text/filename": st.binary(max_size=3),
    }
)


@given(st.lists(CELLS | st.just(None), max_size=6))
def test_cells_become_the_records_that_the_codec_makes(rows):
    aside = Rejected("x", "no cells")
    outcomes = [aside if row is None else writing.SplitCells("s", "l", row, b"d") for row in rows]
    assert writing.encoded(outcomes) == [
        aside if row is None else writing.SplitRecord("s", "l", encode(row), b"d") for row in rows
    ]


@dataclasses.dataclass(frozen=True)
class Cells(Numbers):
    """The same numbers as cells."""

    def convert(self, number):
        found = super().convert(number)
        if isinstance(found, Rejected):
            return found
        return writing.SplitCells(found.split, found.label, {"n": b"%d" % number}, b"%08d" % 1)


@pytest.mark.parametrize("limit", ["_AT_ONCE", "_MOST"])
def test_cells_that_are_encoded_in_groups_keep_their_order(out, limit, monkeypatch):
    monkeypatch.setattr(writing, limit, 3)
    splits = ["train", "eval"]
    tally = writing.write_shards(
        BeamOptions(), Examples(out), Cells(), rows_of(100), splits=splits, shards=1
    )
    (file,) = Examples(out).files("train")
    found = [int(decode(record)["n"][0]) for record in read_records(file)]
    assert found == [number for number in range(100) if number % 3 and number % 10]
    assert tally.duplicates == 89


def test_there_are_no_more_shards_than_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_SHARD_ROWS", 2)
    assert writing.shard_count(Path(tmp_path), rows_of(9), 0, most=4) == 4
    assert writing.shard_count(Path(tmp_path), rows_of(9), 0, most=40) == 5
    assert writing.shard_count(Path(tmp_path), rows_of(1), 3, most=2) == 2
