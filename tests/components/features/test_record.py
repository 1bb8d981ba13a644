"""The class and the source of a raw record."""

from collections import Counter

import pyarrow as pa
import pytest

from millrace.components.features import record
from millrace.components.files import columns
from millrace.serving.example import encode


@pytest.mark.parametrize("kind", ["image", "text"])
@pytest.mark.parametrize(
    ("label", "text", "name", "counted"),
    [
        (3, "cat", "cat", [("cat", 3)]),
        (3, None, "3", [("3", 3)]),
        (None, b"\xff", "\\xff", [("\\xff", -1)]),
        (None, None, None, []),
    ],
)
def test_a_class_is_named_by_its_text_or_else_its_label(kind, label, text, name, counted):
    given = {f"{kind}/class/label": label, f"{kind}/class/text": text}
    features = {key: value for key, value in given.items() if value is not None}
    batch = columns.of_records([encode({"x": 1, **features})], "p")
    assert record.class_counts(batch, kind) == dict.fromkeys(counted, 1)
    assert record.labels(batch, kind, ["z", name or "y"])[0] == (name is not None)


def test_the_sources_of_a_batch_are_texts_whatever_their_bytes():
    records = [{"image/filename": b"\xff/b.png"}, {"x": 1}, {"image/filename": "é.png"}]
    batch = columns.of_records([encode(each) for each in records], "p")
    assert record.sources(batch, "image").to_pylist() == ["\\xff/b.png", "", "é.png"]
    assert record.sources(batch[1:], "image").to_pylist() == ["", "é.png"]
    assert record.sources(batch, "text").to_pylist() == ["", "", ""]


def test_a_batch_has_the_labels_of_its_known_classes_and_reasons_for_the_rest():
    records = [
        {"text/class/text": "cat"},
        {"text/class/label": 7},
        {"x": 1},
        {"text/class/text": "dog", "text/class/label": 3},
        {"text/class/text": "cat", "text/class/label": 3},
    ]
    batch = columns.of_records([encode(each) for each in records], "p")
    labels, reasons = record.labels(batch, "text", ("dog", "cat"))
    assert reasons.tolist() == [
        "",
        "class '7' is not in the train split",
        "no class",
        "",
        "",
    ]
    assert labels[reasons == ""].tolist() == [1, 0, 1]
    assert record.class_counts(batch, "text") == {
        ("cat", -1): 1,
        ("7", 7): 1,
        ("dog", 3): 1,
        ("cat", 3): 1,
    }


def test_a_text_is_the_only_value_of_its_feature():
    records = [{"text": "a"}, {"text": ["b", "c"]}, {"x": 1}, {"text": b"\xff"}]
    batch = columns.of_records([encode(each) for each in records], "p")
    assert record.texts(batch).to_pylist() == [b"a", None, None, b"\xff"]
    assert record.texts(batch[2:]).to_pylist() == [None, b"\xff"]
    assert record.texts(columns.of_records([encode({"text": 1})], "p")).to_pylist() == [None]


def test_texts_are_cut_by_number_and_by_bytes(monkeypatch):
    monkeypatch.setattr(record, "_BYTES", 10)
    texts = pa.array([b"1234", b"5678", None, b"x" * 11, b"", b"y", b"z"], pa.binary())
    found = list(record.parts(texts, 2))
    assert found == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 6), slice(6, 7)]
    assert list(record.parts(texts[:0])) == []


def test_classes_are_in_the_order_of_their_labels_if_each_has_its_own():
    numbered = Counter({("zero", 0): 1, ("one", 1): 1, ("two", 2): 1})
    assert record.class_order(numbered) == ("zero", "one", "two")
    shared = Counter({("zero", 0): 1, ("one", 0): 1})
    assert record.class_order(shared) == ("one", "zero")
    unnumbered = Counter({("b", -1): 1, ("a", -1): 1})
    assert record.class_order(unnumbered) == ("a", "b")
    changing = Counter({("b", 0): 1, ("b", 1): 1, ("a", 2): 1})
    assert record.class_order(changing) == ("a", "b")
