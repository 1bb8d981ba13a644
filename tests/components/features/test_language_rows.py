"""From raw text records to windows."""

import numpy as np

from millrace.components.artifacts import Rejected
from millrace.components.features import language_rows
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.files import columns
from millrace.serving.example import decode

SPEC = LanguageSpec("word", ("\n", "a", "b"), (0, 1, 1, 1), 3, 2, "\n", "lower")


def transformed(rows, spec=SPEC):
    rejected = []
    batches = [columns.of_rows(rows, "p")]
    found = [decode(record) for record in language_rows.transform(batches, "p", spec, rejected)]
    return found, rejected


def test_a_record_gives_a_window_for_each_stride_with_its_file_name():
    rows = [{"text": [b"a b b a"], "text/filename": [b"f#1"]}, {"text": [b"b"]}]
    found, rejected = transformed(rows)
    assert [(row["tokens"].tolist(), row["next"].tolist()) for row in found] == [
        ([2, 3, 4], [3, 4, 4]),
        ([4, 4, 3], [4, 3, 2]),
        ([2, 4, 0], [4, 2, 0]),
    ]
    assert [row["text/filename"] for row in found] == [[b"f#1"], [b"f#1"], [b""]]
    assert rejected == []


def test_records_without_text_or_without_a_second_token_are_set_aside():
    rows = [{"text/filename": [b"f"]}, {"text": [b" "], "text/filename": [b"g"]}, {"text": [b"a"]}]
    found, rejected = transformed(rows)
    assert len(found) == 1
    assert rejected == [
        Rejected("f", "no text", "p, record 0"),
        Rejected("g", "no token follows another", "p, record 1"),
    ]


def test_more_texts_than_are_cut_at_once_keep_their_order():
    texts = [b"a" if number % 3 else b"b" for number in range(700)]
    found, _ = transformed([{"text": [text]} for text in texts])
    firsts = np.array([row["tokens"][1] for row in found])
    assert firsts.tolist() == [3 if text == b"a" else 4 for text in texts]
