"""Equal exports are the same model, and whatever changes an answer makes another."""

import itertools
import shutil

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path

from millrace.components.pushing import checkpoint
from millrace.components.pushing.sameness import same

VOCABULARY = ("ant", "bee")
_number = itertools.count()


class Model(tf.Module):
    """Scores of numbers and of words: variables, a table, a loop in a function, an asset."""

    def __init__(self, settings):
        super().__init__()
        self.weights = tf.Variable(settings["weights"], name="weights", dtype=tf.float32)
        self.offset = tf.Variable(settings["offset"], name="offset", dtype=tf.float32)
        keys = tf.constant(settings["vocabulary"])
        entries = tf.lookup.KeyValueTensorInitializer(keys, tf.range(2, dtype=tf.int64))
        self.table = tf.lookup.StaticHashTable(entries, -1)
        lines = tf.lookup.TextFileInitializer(
            settings["asset"], tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        )  # fmt: skip
        self.lines = tf.lookup.StaticHashTable(lines, -1)
        variables = [self.weights, self.offset]
        self.kept = variables[::-1] if settings["reversed"] else variables
        self.factor = settings["factor"]
        self.combine = settings["combine"]
        self.swapped = settings["swapped"]

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="rows")])
    def score(self, rows):
        first, second = (self.weights, self.offset)
        if self.swapped:
            first, second = second, first
        for _ in tf.range(2):
            rows = self.combine(rows * first * self.factor, second, name="combined")
        return {"scores": rows}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def look_up(self, words):
        return {"places": self.table[words] + self.lines[words]}


SETTINGS = {
    "weights": [1.0, 2.0], "offset": [3.0, 4.0], "vocabulary": VOCABULARY, "factor": 2.0,
    "combine": tf.minimum,
    "reversed": False, "swapped": False, "signature": "serving_default", "lines": "one\ntwo\n",
    "warm_up": b"requests",
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """A function that exports the model of `SETTINGS`, changed as told."""

    def run(**changes):
        settings = SETTINGS | changes
        place = tmp_path / f"{next(_number)}"
        place.mkdir()
        settings["asset"] = str(place / "lines.txt")
        (place / "lines.txt").write_text(settings["lines"])
        model = Model(settings)
        signatures = {settings["signature"]: model.score, "look_up": model.look_up}
        folder = place / "model"
        tf.saved_model.save(model, str(folder), signatures=signatures)
        (folder / "assets.extra").mkdir()
        (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(settings["warm_up"])
        return Path(folder)

    return run


def test_equal_exports_are_the_same_model_although_their_files_differ(write):
    one, other = write(), write(reversed=True)
    for file in ("saved_model.pb", "variables/variables.index", "fingerprint.pb"):
        assert (one / file).read_bytes() != (other / file).read_bytes()
    assert same(one, other)
    assert same(one, one)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": [1.0, float(np.nextafter(np.float32(2), np.float32(3)))]},
        {"weights": [2.0, 1.0]},
        {"weights": [3.0, 4.0], "offset": [1.0, 2.0]},
        {"weights": [[1.0, 2.0]]},
        {"swapped": True},
        {"factor": 2.5},
        {"combine": tf.maximum},
        {"vocabulary": ("bee", "ant")},
        {"lines": "one\nthree\n"},
        {"signature": "score"},
        {"warm_up": b"others"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_changes_an_answer_makes_another_model(write, changes):
    assert not same(write(), write(**changes))


def test_a_file_more_or_less_makes_another_model(write):
    one, other = write(), write()
    (other / "assets" / "more").write_text("")
    assert not same(one, other)
    assert not same(other, one)


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.index"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "noise"])
def test_what_cannot_be_read_is_the_same_only_as_its_own_bytes(write, file, damage, tmp_path):
    one = write()
    broken = Path(tmp_path / "broken")
    shutil.copytree(one, broken)
    content = (broken / file).read_bytes()
    if damage == "gone":
        (broken / file).unlink()
    else:
        left = {"cut": content[:-9], "empty": b"", "noise": b"\xff" * 200}[damage]
        (broken / file).write_bytes(left)
    shutil.copytree(broken, tmp_path / "again")
    assert not same(one, broken)
    assert same(broken, Path(tmp_path / "again"))


def test_every_tensor_of_a_checkpoint_is_found_and_told_by_type_shape_and_bytes(tmp_path):
    values = {f"layer_{n}/w": np.arange(n, dtype=np.float32) for n in range(300)}
    values |= {"i": np.arange(3, dtype=np.int32), "f": np.arange(3, dtype=np.int32).view("f4")}
    values |= {"row": np.zeros((1, 3), np.int32), "column": np.zeros((3, 1), np.int32)}
    prefix = str(tmp_path / "variables")
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=sorted(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.constant(values[name]) for name in sorted(values)],
    )
    found = checkpoint.tensors(Path(prefix))
    assert set(found) == set(values)
    assert len(set(found.values())) == len(values)
