"""Continuations counted on the train split, and shares settled on the validation split."""

import numpy as np
import pytest
import tensorflow as tf

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec as specs
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models import keras_file, language
from millrace.components.models.continuations import CONTINUATIONS
from millrace.components.models.language_options import Generator
from millrace.components.trainer import trainer
from millrace.components.training import witten_bell
from millrace.serving.example import encode

SPEC = LanguageSpec("character", tuple("abc"), (0, 9, 6, 3), 6, 6, "", "none")
A, B, C = 2, 3, 4
TRAIN = [[A, B, A, B, A, C, A], [B, A, B, A, B, A, 0]]


@pytest.fixture
def trained(tmp_path):
    def run(validated=True, **options):
        examples, analysis = Examples(tmp_path / "examples"), Analysis(tmp_path / "analysis")
        analysis.path.mkdir()
        specs.write(SPEC, analysis.file)
        windows = {"train": TRAIN, "eval": TRAIN * 3 if validated else []}
        for split, rows in windows.items():
            examples.split_path(split).mkdir(parents=True)
            records = [encode({"tokens": row[:6], "next": row[1:]}) for row in rows]
            write_records(examples.shard(split, 0, 1), records)
        examples.write_summary({split: len(rows) for split, rows in windows.items()})
        (out := tmp_path / "out").mkdir()
        (resume := tmp_path / "resume").mkdir()
        model = Generator(units=(4,), embedding_dim=2, continuations=3)
        return trainer(examples, analysis, None, out, resume, epochs=1, model=model, **options)

    return run


def test_each_run_has_the_counts_of_what_followed_it_in_its_window(trained):
    layer = keras_file.load(trained().keras_file).get_layer(CONTINUATIONS)
    tokens = len(SPEC.vocabulary) + 2
    numbers = [A, B, C, A * tokens + B, B * tokens + A, C * tokens + A, A * tokens + C]
    known = dict(zip(layer.numbers.numpy().tolist(), range(layer.runs), strict=True))
    assert set(known) <= set(numbers)
    place = known[A]
    part = slice(*layer.starts.numpy()[place : place + 2])
    found = dict(
        zip(layer.following.numpy()[part].tolist(), layer.counts.numpy()[part], strict=True)
    )
    assert found == {B: 4, C: 1}  # the last A of a window has nothing after it


@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_what_repeats_itself_is_foretold_by_its_counts_step_by_step_too(trained, output):
    model = keras_file.load(trained(output=output).keras_file)
    ids = np.array([[A, B, A, B]], np.int32)
    scores = model(ids).numpy()[0]
    assert scores.argmax(axis=1).tolist() == [B, A, B, A]
    states = language.initial(model, 1)
    for place in range(4):
        found, states = language.step(model, tf.constant(ids[:, place]), states)
        expected = tf.nn.log_softmax(scores[place]) if output == "logits" else np.log(scores[place])
        np.testing.assert_allclose(tf.nn.log_softmax(found[0]), expected, atol=1e-5)


def test_without_a_validation_split_the_shares_are_fixed(trained):
    layer = keras_file.load(trained(validated=False).keras_file).get_layer(CONTINUATIONS)
    np.testing.assert_allclose(layer.shares, 0.4)


def test_a_share_is_the_likeliest():
    own, counted = np.array([0.9, 0.1, 0.1]), np.array([0.1, 0.9, 0.9])
    tried = np.linspace(0, 1, 10_001)[:, None]
    best = float(tried[np.log(tried * counted + (1 - tried) * own).sum(1).argmax(), 0])
    assert witten_bell._share(own, counted, 0.5, 0.0) == pytest.approx(best, abs=1e-3)


def test_the_rarest_runs_are_left_out_where_there_are_too_many(trained, monkeypatch):
    monkeypatch.setattr(witten_bell, "_MOST_PAIRS", 3)
    layer = keras_file.load(trained().keras_file).get_layer(CONTINUATIONS)
    assert layer.pairs <= 3
    assert A in layer.numbers.numpy()
