"""Texts are counted as a person's own function leaves them, and served the same."""

import tensorflow as tf
from etils.epath import Path

from millrace.components.analysis import text as analysis
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.features import hook_spec, text, text_hook
from millrace.components.features.text_spec import TextOptions
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

LOWER = "tests.components.features.own_hooks:lower"


def test_the_text_of_each_row_is_changed_and_nothing_else():
    rows = [{"text": [b"ONE"], "n": [1]}, {"n": [2]}, {"text": [b"Two"], "n": [3]}]
    changed = list(text_hook.applied(iter(rows), hook_spec.settle(LOWER)))
    assert changed == [{"text": [b"one"], "n": [1]}, {"n": [2]}, {"text": [b"two"], "n": [3]}]


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
    ids = text.preprocess(tf.constant(["GOOD", "good"]), spec).numpy()
    assert ids[0].tolist() == ids[1].tolist()
    assert ids[0][0] == spec.vocabulary.index("good") + 2
