"""Two stages: frozen, then tuned; broken off in either and taken up again."""

import csv
import json

import h5py
import keras
import numpy as np
import pytest

from millrace.components.errors import OptionError
from millrace.components.models import squeezenet
from millrace.components.models.image_options import Transfer
from millrace.components.models.layer_options import Dense
from millrace.components.trainer import trainer
from millrace.components.training import backup
from millrace.components.training.options import FineTune, Optimizer
from millrace.components.training.schedule_options import Cosine, ReduceOnPlateau
from tests.components import transformed

SIDE = 32
CUT = "fire2"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return transformed.write(
        tmp_path_factory.mktemp("data"), side=SIDE, channels=3, train=24, evaluated=12
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights of SqueezeNet."""
    path = tmp_path_factory.mktemp("weights") / "notop.h5"
    keras.utils.set_random_seed(7)
    with h5py.File(path, "w") as file:
        for layer in squeezenet.build((SIDE, SIDE, 3)).layers:
            for weight in layer.weights:
                file[f"{layer.name.replace('_', '/')}/{weight.name}"] = weight.numpy()
    return path


@pytest.fixture
def train(tmp_path, data, weights):
    def run(name, **options):
        out, resume = tmp_path / name, tmp_path / f"{name}.resume"
        out.mkdir()
        resume.mkdir(exist_ok=True)
        model = Transfer("squeezenet", str(weights), CUT)
        settings = {"model": model, "epochs": 2, "batch_size": 8, "learning_rate": 0.01}
        settings["fine_tune"] = FineTune(2, "fire2_squeeze1x1", 0.001)
        return trainer(*data, None, out, resume, **{**settings, **options})

    return run


def history(trained):
    with trained.history_file.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def backbone(trained):
    model = keras.models.load_model(trained.keras_file, compile=False)
    return model.get_layer("backbone")


def test_the_second_stage_trains_the_named_layers_only_and_the_history_holds_both(train, weights):
    trained = train("out", schedule=Cosine(warmup=1))
    assert [row["epoch"] for row in history(trained)] == [1, 2, 3, 4]
    given = squeezenet.build((SIDE, SIDE, 3))
    squeezenet.load_weights(given, weights)
    tuned = backbone(trained)
    changed = [
        layer.name
        for layer in tuned.layers
        if layer.weights
        and any(
            not np.array_equal(one, two)
            for one, two in zip(
                layer.get_weights(), given.get_layer(layer.name).get_weights(), strict=True
            )
        )
    ]
    assert changed == ["fire2_squeeze1x1", "fire2_expand1x1", "fire2_expand3x3"]


def test_a_plateau_lowers_the_rate_in_both_stages(train):
    trained = train("out", schedule=ReduceOnPlateau(patience=9))
    assert [row["learning_rate"] for row in history(trained)] == pytest.approx(
        [0.01, 0.01, 0.001, 0.001]
    )


def test_a_training_killed_in_its_second_stage_ends_with_the_same_weights(train, monkeypatch):
    whole = train("whole")
    commit = backup._commit
    seen = []

    def kill(folder, state):
        seen.append(state.epochs)
        if len(seen) == 4:  # the second epoch of the second stage
            raise KeyboardInterrupt
        commit(folder, state)

    monkeypatch.setattr(backup, "_commit", kill)
    with pytest.raises(KeyboardInterrupt):
        train("broken")
    monkeypatch.setattr(backup, "_commit", commit)
    (whole.path.parent / "broken").rename(whole.path.parent / "remains")
    again = train("broken")
    assert seen == [1, 2, 1, 2]
    expected, found = (
        keras.models.load_model(each.keras_file, compile=False).get_weights()
        for each in (whole, again)
    )
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)
    assert again.history_file.read_text() == whole.history_file.read_text()


def test_fine_tuning_that_makes_it_worse_is_undone_where_the_best_is_kept(train, caplog):
    caplog.set_level("INFO", "millrace.components")
    worse = FineTune(1, "fire2_squeeze1x1", 1e4)
    trained = train("out", keep="best", optimizer=Optimizer("sgd"), fine_tune=worse)
    assert "fine-tuning made it no better by val_loss: undone" in caplog.text
    rows = history(trained)
    assert min(rows[:2], key=lambda row: row["val_loss"])["val_loss"] < rows[2]["val_loss"]
    model = keras.models.load_model(trained.keras_file, compile=False)
    assert all(np.isfinite(each).all() for each in model.get_weights())
    assert json.loads((trained.path / "model.json").read_text())["name"] == "transfer"


def test_a_network_that_was_not_frozen_is_refused_before_it_is_trained(train):
    with pytest.raises(OptionError) as caught:
        train("a", model=Dense())
    assert str(caught.value) == (
        "trainer.fine_tune.epochs: expected a pretrained network that was frozen first. "
        "Received: trainer.model=dense without weights to be trained. Set trainer.model=transfer "
        "and its weights, or leave trainer.fine_tune.epochs=0."
    )
    with pytest.raises(OptionError, match=r"Received: trainer\.model=transfer without weights"):
        train("b", model=Transfer("squeezenet", "none", CUT))
