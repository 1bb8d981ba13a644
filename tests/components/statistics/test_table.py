"""Rows of a written artifact."""

import dataclasses

import pytest
from etils.epath import Path

from millrace.components.artifacts import Statistics
from millrace.components.errors import DataError
from millrace.components.files import columns
from millrace.components.statistics.dataset import fold
from millrace.components.statistics.proto import Detail, to_proto
from millrace.components.statistics.reading import read
from millrace.components.statistics.table import FeatureRow, rows
from millrace.serving.example import encode


@pytest.fixture
def statistics(tmp_path):
    artifact = Statistics(Path(tmp_path))
    records = [
        encode({"label": 2, "text": "a", "raw": b"\xff\xff"}),
        encode({"label": 4, "text": "b", "raw": b"\xff"}),
        encode({"text": "b", "none": float("nan")}),
    ]
    for split in ("eval", "train"):
        artifact.split_path(split).mkdir()
        message = to_proto(split, fold(columns.batches(records, "f"), "f"), Detail())
        artifact.file(split).write_bytes(message.SerializeToString())
    return artifact


def test_every_feature_of_every_split_has_its_row(statistics):
    found = rows(statistics)
    assert [(row.split, row.feature) for row in found] == [
        (split, name) for split in ("train", "eval") for name in ("label", "none", "raw", "text")
    ]
    assert [dataclasses.replace(row, buckets=()) for row in found[:4]] == [
        FeatureRow("train", "label", "INT", 2, 1, 3.0, 1.0, 2.0, 3.0, 4.0),
        FeatureRow("train", "none", "FLOAT", 1, 2),
        FeatureRow("train", "raw", "BYTES", 2, 1, mean=1.5, min=1.0, max=2.0, unique=2),
        FeatureRow("train", "text", "STRING", 3, 0, unique=2, top=(("b", 2), ("a", 1))),
    ]


def test_a_row_has_its_histogram(statistics):
    label, none, raw, text = (row.buckets for row in rows(statistics)[:4])
    assert len(label) == 10
    assert label[0] == ("2 to 2.2", 1.0)
    assert label[-1] == ("3.8 to 4", 1.0)
    assert (none, raw, text) == ((), (), (("b", 2.0), ("a", 1.0)))


def test_only_as_many_values_are_named_as_requested(statistics):
    assert rows(statistics, top=1)[3].top == (("b", 2),)


def test_a_missing_file_is_named(statistics):
    statistics.file("train").unlink()
    with pytest.raises(DataError, match=r"Split-train/FeatureStats\.pb: expected .*Run `stat"):
        rows(statistics)


def test_a_file_of_something_else_is_refused(statistics):
    statistics.file("train").write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match="expected the statistics of one data set"):
        read(statistics, "train")
    statistics.file("train").write_bytes(b"")
    with pytest.raises(DataError, match=r"Received: 0 data sets\."):
        read(statistics, "train")
