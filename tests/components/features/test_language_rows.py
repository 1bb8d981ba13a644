"""From raw text records to windows, which are those of the ops that are served."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.components.artifacts import Rejected
from millrace.components.features import language_rows, token_ids
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


PIECES = ("\u2581", "a", "b", "é", "\u2581a", "ab", "ba", "n")
TEXTS = st.text(st.sampled_from("abAB é.\t\r\n\x00\u2581\u00a0\u2014n"), max_size=30)


@settings(max_examples=40, deadline=None)
@example([b"a b\r\rb", b"a\n\n\nb a b a b\n", b"\xff a b a", b" \n"], "word", "\n\n", 2, 1)
@example([b"a b a b a b a b", b"b", b"", b"b a"], "character", "", 3, 2)
@given(
    texts=st.lists(TEXTS.map(str.encode) | st.binary(max_size=9), min_size=1, max_size=4),
    level=st.sampled_from(["word", "character", "subword"]),
    delimiter=st.sampled_from(["", "\n", "\n\n"]),
    length=st.integers(1, 5),
    stride=st.integers(1, 5),
)
def test_the_windows_are_those_that_the_ops_cut(texts, level, delimiter, length, stride):
    names = (*([delimiter] if delimiter else []), *PIECES)
    counts, how = (0, *[1 for _ in names]), "none" if length % 2 else "lower_and_strip_punctuation"
    spec = LanguageSpec(level, names, counts, length, min(stride, length), delimiter, how)
    wanted = language_rows.windows(texts, spec, spec.stride)
    found, rejected = transformed([{"text": [text]} for text in texts], spec)
    assert [(row["tokens"].tolist(), row["next"].tolist()) for row in found] == [
        (present.tolist(), following.tolist())
        for tokens, next_ones in wanted
        for present, following in zip(tokens, next_ones, strict=True)
    ]
    assert [item.position for item in rejected] == [
        f"p, record {number}" for number, (tokens, _) in enumerate(wanted) if not len(tokens)
    ]


@pytest.mark.parametrize("others", [[], [b"\xff"]], ids=["utf-8", "other bytes"])
def test_windows_that_are_made_in_parts_keep_their_order_and_sources(others, monkeypatch):
    monkeypatch.setattr(token_ids, "_AT_ONCE", 8)
    rows = [
        {"text": [text], "text/filename": [name]}
        for text, name in zip([b"a b b a b", b"b a", *others], [b"x", b"y", b"z"], strict=False)
    ]
    found, _ = transformed(rows)
    assert [(row["text/filename"], row["tokens"].tolist()) for row in found[:4]] == [
        ([b"x"], [2, 3, 4]),
        ([b"x"], [4, 4, 3]),
        ([b"x"], [3, 4, 0]),
        ([b"y"], [2, 4, 3]),
    ]
