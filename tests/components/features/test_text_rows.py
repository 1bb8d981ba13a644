"""Raw records to transformed ones; a user's function counts, trains and serves the same texts."""

import dataclasses

import pytest
import tensorflow as tf
from etils.epath import Path
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millrace.components.analysis import text as analysis
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.features import hook_spec, text, text_rows, token_ids
from millrace.components.features.text_spec import TextOptions, TextSpec
from millrace.components.files import columns
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import decode, encode

LOWER = "tests.components.features.own_hooks:lower"
SPEC = TextSpec(("ham", "spam"), ("the", "cat", "dog"), sequence_length=4, strip_html=True)


def test_records_keep_their_source_and_unusable_ones_are_set_aside():
    raw = [
        {"text": "the dog", "text/class/text": "spam", "text/filename": "a.csv, line 2"},
        {"text": "the dog", "text/class/text": "eggs", "text/filename": "b"},
        {"text/class/text": "ham", "text/filename": "c"},
        {"text": "x", "text/filename": "d"},
        {"text": "dog", "text/class/text": "ham"},
    ]
    rejected = []
    encoded = [encode(row) for row in raw]
    batches = [columns.of_records(part, "p") for part in (encoded[:2], encoded[2:])]
    found = [decode(record) for record in text_rows.transform(batches, "p", SPEC, rejected)]
    assert [(row["tokens"].tolist(), row["label"].tolist()) for row in found] == [
        ([2, 4, 0, 0], [1]),
        ([4, 0, 0, 0], [0]),
    ]
    assert found[0]["text/filename"] == [b"a.csv, line 2"]
    assert [(item.source, item.reason, item.position) for item in rejected] == [
        ("b", "class 'eggs' is not in the train split", "p, record 1"),
        ("c", "no `text`", "p, record 2"),
        ("d", "no class", "p, record 3"),
    ]


def inputs_of(texts, spec):
    rows = [{"text": [text], "text/class/text": [b"ham"]} for text in texts]
    found = text_rows.transform([columns.of_rows(rows, "p")], "p", spec, [])
    return [decode(record) for record in found]


def ids_of(texts, spec):
    return [row["tokens"].tolist() for row in inputs_of(texts, spec)]


TEXTS = st.text(st.sampled_from("thecaTé <b>.,\t\n\x00\u2581\u00a0\u2014"), max_size=30)
WAYS = st.fixed_dictionaries(
    {
        "level": st.sampled_from(["word", "character", "subword"]),
        "standardize": st.sampled_from(["lower_and_strip_punctuation", "none"]),
        "oov_token": st.sampled_from(["[UNK]", None]),
        "padding": st.sampled_from(["post", "pre"]),
        "truncating": st.sampled_from(["post", "pre"]),
        "sequence_length": st.integers(1, 6),
    }
)
PIECES = ("the", "cat", "c", "a", "t", "\u2581the", "\u2581c")


@settings(max_examples=40, deadline=None)
@example(
    [b"the cat <b>the", b"", b"\xff the cat the cat", b"cat"],
    {"level": "word", "padding": "pre", "truncating": "pre", "oov_token": None},
)
@example([b"the cat <b>the the cat", b"cat"], {"level": "subword", "truncating": "pre"})
@given(st.lists(TEXTS.map(str.encode) | st.binary(max_size=9), min_size=1, max_size=4), WAYS)
def test_the_ids_are_those_that_the_ops_give(texts, way):
    spec = dataclasses.replace(SPEC, vocabulary=PIECES, **way)
    wanted = text.inputs(tf.constant(texts, tf.string), spec)["tokens"].numpy()
    assert ids_of(texts, spec) == wanted.tolist()


@pytest.mark.parametrize("how", ["in parts", "by the ops, since one is long", "hooked"])
def test_rows_keep_their_order_however_they_are_made(how, monkeypatch):
    spec = dataclasses.replace(SPEC, letters=6)
    if how == "in parts":
        monkeypatch.setattr(token_ids, "_AT_ONCE", 8)
    elif how == "hooked":
        spec = dataclasses.replace(spec, hook=hook_spec.settle(LOWER))
    else:
        monkeypatch.setattr(text_rows, "_LONG", 8)
    texts = [b"the", b"cat", b"dog the cat", b"dog", b"cat the"]
    found = inputs_of(texts, spec)
    assert [row["tokens"].tolist()[:2] for row in found] == [[2, 0], [3, 0], [4, 2], [4, 0], [3, 2]]
    letters = [b" the \0", b" cat \0", b" dog t", b" dog \0", b" cat t"]
    assert [row["letters"][0] for row in found] == letters


def test_the_text_of_each_row_is_changed_and_nothing_else():
    rows = [{"text": "ONE", "n": 1}, {"n": 2}, {"text": "Two", "n": 3}]
    batch = columns.of_records([encode(row) for row in rows], "p")
    (changed,) = text_rows.preprocessed([batch], hook_spec.settle(LOWER))
    assert changed.to_pydict() == {"n": [[1], [2], [3]], "text": [[b"one"], None, [b"two"]]}


def test_the_vocabulary_is_of_the_changed_texts_and_so_is_the_graph(tmp_path):
    examples = Examples(Path(tmp_path / "examples"))
    examples.split_path("train").mkdir(parents=True)
    records = [("Good DAY", "a"), ("good day", "a"), ("Bad", "b")]
    encoded = [
        encode({"text": content, "text/class/text": name, "text/class/label": index})
        for index, (content, name) in enumerate(records)
    ]
    write_records(examples.shard("train", 0, 1), encoded)
    examples.write_summary({"train": 3})
    options = TextOptions(standardize="none", preprocess=LOWER)
    spec = analysis.settle(examples, options, Path(tmp_path), BeamOptions())
    assert set(spec.vocabulary) == {"good", "day", "bad"}
    assert spec.hook == hook_spec.settle(LOWER)
    ids = text.inputs(tf.constant(["GOOD", "good"]), spec)["tokens"].numpy()
    assert ids[0].tolist() == ids[1].tolist()
    assert ids[0][0] == spec.vocabulary.index("good") + 2
