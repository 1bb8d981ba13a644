"""Rows that train and another split have in common."""

import logging

import pytest
from etils.epath import Path

from millrace.components.analysis import table_duplicates
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode


def examples(tmp_path, **splits):
    found = Examples(Path(tmp_path) / "examples")
    for split, numbers in splits.items():
        found.split_path(split).mkdir(parents=True)
        for shard in range(2):
            records = [encode({"x": number}) for number in numbers[shard::2]]
            write_records(found.shard(split, shard, 2), records)
    return found.write_summary({split: len(numbers) for split, numbers in splits.items()})


def test_rows_of_each_other_split_that_train_has_are_counted(tmp_path):
    made = examples(tmp_path, train=[1, 2, 3, 3, 4], eval=[3, 3, 9], test=[5, 6])
    assert table_duplicates.shared(made, Path(tmp_path), BeamOptions()) == {"eval": 2, "test": 0}


@pytest.mark.parametrize(("again", "said"), [(1, True), (0, False)])
def test_a_hundredth_of_a_split_is_warned_of(tmp_path, caplog, again, said):
    test = [*range(again), *range(1000, 1100 - again)]
    made = examples(tmp_path, train=list(range(50)), test=test)
    with caplog.at_level(logging.WARNING):
        table_duplicates.warn(made, Path(tmp_path), BeamOptions())
    assert ("1 of the 100 rows of test are in train too" in caplog.text) is said


def test_a_table_too_large_to_look_through_quickly_is_left_alone(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(table_duplicates, "_MOST", 3)
    made = examples(tmp_path, train=[1, 2], test=[1, 2])
    table_duplicates.warn(made, Path(tmp_path), BeamOptions())
    assert not caplog.text
