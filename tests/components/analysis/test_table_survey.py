"""Labels outside the train split are counted batch by batch, under the names of their classes."""

from collections import Counter

import numpy as np
from etils.epath import Path

from millrace.components.analysis import table_survey
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.files import columns
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode


def test_labels_of_all_other_splits_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BATCH_RECORDS", 2)
    labels = {"train": [9], "eval": [7, 7, None, 7], "test": [7, 3]}
    examples = Examples(Path(tmp_path / "examples"))
    for split, values in labels.items():
        examples.split_path(split).mkdir(parents=True)
        rows = [{"x": 1} if value is None else {"x": 1, "y": value} for value in values]
        write_records(examples.shard(split, 0, 1), map(encode, rows))
    examples.write_summary({split: len(values) for split, values in labels.items()}, [], {})
    found = table_survey.labels_elsewhere(examples, "y", Path(tmp_path / "out"), BeamOptions())
    assert found == Counter({"7": 4, "3": 1})


def test_classes_of_numbers_are_called_as_numpy_writes_them(tmp_path):
    file = Path(tmp_path / "f.gz")
    write_records(file, [encode({"y": np.float32([0.1])}), encode({"y": np.float32([2])})])
    assert table_survey._labels("y", str(file)) == Counter({"0.1": 1, "2.0": 1})
