"""Points of a text classifier and of an image classifier, from the files that steps leave."""

import keras
import numpy as np
import pytest
from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, TrainedModel
from millrace.components.errors import DataError
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.projector import projector
from millrace.serving.example import encode

TEXT = TextSpec(("ham", "spam"), ("buy", "hello", "now"), sequence_length=4)
IMAGE = ImageSpec(("ant", "bee", "cat"), 2, 2, 1)


def _network(spec):
    keras.utils.set_random_seed(1)
    column = spec.layout.inputs[0]
    inputs = keras.Input(column.shape, dtype=column.dtype, name=column.name)
    if isinstance(spec, TextSpec):
        middle = keras.layers.GlobalAveragePooling1D()(
            keras.layers.Embedding(5, 2, name="embedding")(inputs)
        )
        scores = keras.layers.Dense(1, activation="sigmoid", name="scores")(middle)
    else:
        middle = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        scores = keras.layers.Dense(3, activation="softmax", name="scores")(middle)
    return keras.Model(inputs, scores)


@pytest.fixture
def project(tmp_path):
    def run(spec, records, **options):
        folders = {name: Path(tmp_path / name) for name in ("model", "analysis", "examples", "out")}
        for folder in folders.values():
            folder.mkdir()
        network = _network(spec)
        model, analysis = TrainedModel(folders["model"]), Analysis(folders["analysis"])
        model.keras_file.parent.mkdir()
        network.save(model.keras_file)
        specs.write(spec, analysis.file)
        examples = Examples(folders["examples"])
        examples.split_path("eval").mkdir()
        for shard in range(2):
            write_records(examples.shard("eval", shard, 2), map(encode, records[shard::2]))
        examples.write_summary({"train": 0, "eval": len(records)})
        projector(model, analysis, examples, folders["out"], **options)
        return network, folders["out"]

    return run


def _vectors(file):
    return np.loadtxt(file, delimiter="\t", dtype=np.float32, ndmin=2)


def test_a_text_classifier_shows_its_tokens_and_its_examples(project):
    records = [{"tokens": [2, 3, 0, 0], "label": 0}, {"tokens": [4, 4, 1, 0], "label": 1}]
    network, out = project(TEXT, records)
    weights = network.get_layer("embedding").get_weights()[0]
    assert np.array_equal(_vectors(out / "embedding-vectors.tsv"), weights)
    assert (out / "embedding-metadata.tsv").read_text().split() == [
        "[PAD]", "[UNK]", "buy", "hello", "now",
    ]  # fmt: skip
    means = [weights[[2, 3, 0, 0]].mean(axis=0), weights[[4, 4, 1, 0]].mean(axis=0)]
    assert _vectors(out / "eval-examples-vectors.tsv") == pytest.approx(np.array(means), abs=1e-6)
    assert (out / "eval-examples-metadata.tsv").read_text().split() == ["ham", "spam"]
    assert "embedding-vectors.tsv" in (out / "projector_config.pbtxt").read_text()


def test_the_most_frequent_tokens_come_first_where_there_are_too_many(project):
    records = [{"tokens": [2, 3, 0, 0], "label": 0}] * 5
    _, out = project(TEXT, records, points=3)
    assert (out / "embedding-metadata.tsv").read_text().split() == ["[PAD]", "[UNK]", "buy"]
    assert len(_vectors(out / "eval-examples-vectors.tsv")) == 3


def test_an_image_classifier_shows_its_pictures(project):
    levels = [0, 51, 255]
    records = [{"image": bytes([level] * 4), "label": n} for n, level in enumerate(levels)]
    _, out = project(IMAGE, records)
    shown = dict(
        zip(
            (out / "eval-examples-metadata.tsv").read_text().split(),
            _vectors(out / "eval-examples-vectors.tsv")[:, 0],
            strict=True,
        )
    )
    assert shown == pytest.approx({"ant": 0.0, "bee": 0.2, "cat": 1.0})
    assert (out / "eval-examples-sprite.png").exists()


def test_a_split_without_examples_is_refused(project):
    with pytest.raises(DataError, match=r"expected examples in the split 'train'. Received: "):
        project(IMAGE, [])
