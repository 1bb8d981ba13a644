"""Rows read as columns, with their places, in parts that the model is asked about."""

import numpy as np
import pytest

from millrace.components.errors import DataError
from millrace.components.files.tfrecord import write_records
from millrace.components.inference import rows
from millrace.components.inference.rows import read_rows
from millrace.serving.example import encode
from tests.components import classifiers
from tests.components.asked import Asked, features_of, rows_of


def test_records_are_read_with_their_places(tmp_path):
    rows = [
        classifiers.record(9, "dark", "a.png"),
        {"image/filename": "b.png"},
        {"text": b"", "text/filename": "c.txt"},
        {"series": b"north", "window": [1.0, 2.0]},
    ]
    examples = classifiers.write_examples(tmp_path, {"test": rows}, shards=1)
    (file,) = examples.files("test")
    place = "Split-test/data_tfrecord-00000-of-00001.gz, record"
    (found,) = read_rows(file, 128)
    assert found.sources.tolist() == ["a.png", "b.png", "c.txt", "north"]
    assert found.positions.tolist() == [f"{place} {number}" for number in range(4)]
    assert features_of(found)[0]["image/class/text"] == [b"dark"]


def test_a_record_that_names_no_file_is_of_the_shard(tmp_path):
    examples = classifiers.write_examples(tmp_path, {"test": [{"x": 1}, {"filename": []}]}, 1)
    (found,) = read_rows(examples.files("test")[0], 128)
    assert found.sources.tolist() == ["data_tfrecord-00000-of-00001.gz"] * 2


def test_rows_are_read_in_multiples_of_what_the_model_is_asked_about(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "_AT_ONCE", 5)
    records = [{"x": number} for number in range(11)]
    examples = classifiers.write_examples(tmp_path, {"test": records}, shards=1)
    parts = list(read_rows(examples.files("test")[0], 3))
    assert [len(part) for part in parts] == [6, 5]
    assert [each["x"].item() for part in parts for each in features_of(part)] == [*range(11)]
    monkeypatch.setattr(rows, "_BYTES", 20)
    assert [len(part) for part in read_rows(examples.files("test")[0], 2)] == [2] * 5 + [1]


def test_records_whose_kinds_differ_are_read_apart(tmp_path):
    values = [1, 2, 0.5, 1.5, "text", 3]
    examples = classifiers.write_examples(tmp_path, {"test": [{"x": x} for x in values]}, 1)
    parts = list(read_rows(examples.files("test")[0], 128))
    found = [
        (place, each)
        for part in parts
        for place, each in zip(part.positions, features_of(part), strict=True)
    ]
    assert [each["x"][0] for _, each in found] == [1, 2, 0.5, 1.5, b"text", 3]
    assert [place.rpartition(" ")[2] for place, _ in found] == list("012345")


def test_a_record_that_is_no_example_is_named(tmp_path):
    write_records(tmp_path / "data", [encode({"x": 1}), b"no example"])
    with pytest.raises(DataError, match=r"data, record 1: Record: expected a serialised"):
        list(read_rows(tmp_path / "data", 128))


def test_parts_and_chosen_rows_keep_their_places():
    whole = rows_of([Asked(f"f{n}", f"record {n}", {"x": np.int64([n])}) for n in range(5)])
    part = whole.part(1, 3).where(np.array([True, False, True]))
    assert (part.sources.tolist(), part.positions.tolist()) == (
        ["f1", "f3"],
        ["record 1", "record 3"],
    )
    assert [each["x"].item() for each in features_of(part)] == [1, 3]


def test_the_first_text_of_a_feature_is_numbered_and_what_has_none_gets_the_default():
    texts = [["b", "x"], [], ["a"], None, ["b"]]
    asked = [{} if each is None else {"t": [one.encode() for one in each]} for each in texts]
    whole = rows_of([Asked("f", "r", each) for each in asked])
    numbers, found = whole.texts("t", default="none")
    assert [found[number] for number in numbers] == ["b", "none", "a", "none", "b"]
    numbers, found = whole.texts("u", default="none")
    assert [found[number] for number in numbers] == ["none"] * 5
