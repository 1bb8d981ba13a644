"""Records as a person looks at them."""

import types

from millrace.pipeline.ui.contents import records
from millrace.serving.protos import example_pb2


def test_a_transformed_picture_is_as_wide_and_as_high_as_its_spec_says():
    spec = types.SimpleNamespace(height=1, width=2, channels=3)
    picture = records._raw_picture(bytes([255, 0, 0, 0, 0, 255]), spec)
    assert picture.size == (2, 1)
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (0, 0, 255)]
    assert records._raw_picture(bytes(5), spec) is None


def test_letters_are_shown_as_text_without_the_zeros_after_them():
    row = {"letters": example_pb2.BytesList(value=[b" a b \0\0"])}
    shown = records.cells(row, records.Look())
    assert shown == {"letters": {"kind": "plain", "text": "a b"}}
