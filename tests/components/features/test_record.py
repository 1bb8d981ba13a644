"""What a raw record is called."""

import pytest

from millrace.components.features import record
from millrace.serving.example import decode, encode


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ({"image/class/text": "cat", "image/class/label": 3}, "cat"),
        ({"image/class/label": 3}, "3"),
        ({"image/class/text": b"\xff"}, "\\xff"),
        ({}, None),
    ],
)
def test_a_class_is_called_by_its_text_or_else_its_label(features, name):
    assert record.class_name(decode(encode({"x": 1, **features}))) == name


def test_a_record_without_a_file_name_has_no_source():
    assert record.source(decode(encode({"image/filename": "a/b.png"}))) == "a/b.png"
    assert record.source({}) == ""
