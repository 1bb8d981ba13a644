"""What is tried for generated text, and what of it is kept."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.artifacts import Analysis, Examples, TrainedModel
from millrace.components.candidates import kinds, language, search
from millrace.components.features import spec as specs
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models import keras_file
from millrace.components.models.auto_options import Auto
from millrace.components.trainer import trainer
from millrace.components.training import fitting
from millrace.serving.example import encode

SPEC = LanguageSpec("character", tuple("e\nabcd "), (0, 5, 4, 3, 2, 1, 1, 1), 100, 100, "", "none")


def test_networks_are_trained_for_as_long_as_their_work_allows():
    short, long = (
        {each.name: each.epochs for each in language.of(SPEC, rows)} for rows in (5_000, 200_000)
    )
    assert list(short) == ["gru", "small_gru", "counts"]
    assert short["gru"] == 21  # 8e12 / (3 * 256 * (3 * (64 + 256) + 9) * 5_000 * 100)
    assert long == {"gru": 1, "small_gru": 2, "counts": 36}
    assert all(each.model.continuations == 6 for each in language.of(SPEC, 1))


def test_a_loss_is_the_mean_over_tokens_and_not_over_windows():
    chances = np.array([[0.0, 0.5, 0.5], [0.0, 0.25, 0.75], [0.0, 0.9, 0.1]])
    table = keras.layers.Embedding(3, 3, weights=[np.log(chances + 1e-9)])
    inputs = keras.Input((None,), dtype="int32")
    logits = keras.Model(inputs, table(inputs))
    shares = keras.Model(inputs, keras.layers.Softmax()(table(inputs)))
    windows = tf.data.Dataset.from_tensor_slices(
        (np.int32([[0, 1, 2], [1, 0, 0]]), np.int32([[1, 2, 1], [1, 0, 0]]))
    ).batch(1)
    expected = -np.log([0.5, 0.75, 0.9, 0.25]).mean()
    for model, is_linear in ((logits, True), (shares, False)):
        found = search.token_loss(model, windows, logits=is_linear)
        assert found == pytest.approx(expected, rel=1e-5)


def test_the_network_whose_saved_model_has_the_least_loss_is_kept(tmp_path, monkeypatch):
    """And not the one whose history says so: the counts come after that."""
    examples, analysis = Examples(tmp_path / "examples"), Analysis(tmp_path / "analysis")
    for folder in (analysis.path, tmp_path / "out", tmp_path / "resume"):
        folder.mkdir(parents=True)
    specs.write(SPEC, analysis.file)
    record = encode({"tokens": [2] * 100, "next": [2] * 100})
    for split in ("train", "eval"):
        examples.split_path(split).mkdir(parents=True)
        write_records(examples.shard(split, 0, 1), [record] * 3)
    examples.write_summary({"train": 3, "eval": 3})

    def of(_spec, _rows, most=None):
        return language.of(SPEC, 3)[1:][:most]

    def sure(plan, out, _resume):
        """A network that is the surer of the only token, the fewer units it has."""
        units = plan.model.units[0]
        inputs = keras.Input((100,), dtype="int32")
        scores = np.zeros((9, 9), np.float32)
        scores[:, 2] = 100 / units
        model = keras.Model(inputs, keras.layers.Embedding(9, 9, weights=[scores])(inputs))
        made = TrainedModel(out)
        keras_file.save(model, made.keras_file)
        (out / "history.csv").write_text(f"epoch,val_loss\n1,{1 / units}\n")
        (out / "model.json").write_text(json.dumps({"parameters": units}))
        return made

    monkeypatch.setattr(kinds, "of", of)
    monkeypatch.setattr(fitting, "train", sure)
    trained = trainer(
        *(examples, analysis, None, tmp_path / "out", tmp_path / "resume"),
        model=Auto(),
        output="logits",
        calibrate=False,
    )
    with (trained.path / "candidates.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert [(row["name"], row["share"]) for row in rows] == [("small_gru", "0"), ("counts", "1")]
    assert float(rows[1]["score"]) == pytest.approx(np.log(1 + 8 * np.exp(-100 / 24)), rel=1e-4)
    assert json.loads((trained.path / "model.json").read_text())["parameters"] == 24
