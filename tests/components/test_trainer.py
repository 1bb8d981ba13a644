"""From transformed records to a trained model, broken off and taken up again."""

import csv
import json
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.artifacts import Analysis, Examples
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models.image_options import Augment, Cnn
from millrace.components.models.layer_options import Dense
from millrace.components.trainer import trainer
from millrace.components.training import backup
from millrace.components.training.objective import Loss
from millrace.components.training.options import EarlyStopping, Optimizer
from millrace.components.training.schedule_options import ReduceOnPlateau
from millrace.serving.example import encode
from tests.components import own_pieces

ROOT = Path(__file__).parents[2]
SIDE = 6


def pictures(count, classes, seed):
    """Noise with one bright column, which tells the class."""
    random = np.random.default_rng(seed)
    for number in range(count):
        label = number % classes
        pixels = random.integers(0, 100, (SIDE, SIDE, 1), dtype=np.uint8)
        pixels[:, 2 * label] = 250
        yield pixels, label


def write(folder, classes=3, train=48, evaluated=24):
    """Transformed examples and their analysis in `folder`."""
    examples, analysis = Examples(folder / "examples"), Analysis(folder / "analysis")
    analysis.path.mkdir(parents=True)
    spec.write(ImageSpec(tuple("abc"[:classes]), SIDE, SIDE, 1), analysis.file)
    counts = {"train": train, "eval": evaluated}
    for seed, (split, count) in enumerate(counts.items()):
        examples.split_path(split).mkdir(parents=True)
        records = [
            encode({"image": pixels.tobytes(), "label": label})
            for pixels, label in pictures(count, classes, seed)
        ]
        for shard in range(2):
            write_records(examples.shard(split, shard, 2), records[shard::2])
    return examples.write_summary(counts), analysis


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return write(tmp_path_factory.mktemp("two"), classes=2)


@pytest.fixture
def train(tmp_path):
    def run(data, name="out", warm_start=None, **options):
        out, resume = tmp_path / name, tmp_path / f"{name}.resume"
        out.mkdir()
        resume.mkdir(exist_ok=True)
        settings = {"model": Dense(units=(8,)), "epochs": 2, "batch_size": 8, **options}
        return trainer(*data, warm_start, out, resume, **settings)

    return run


def history(trained):
    with trained.history_file.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def load(trained):
    return keras.models.load_model(trained.keras_file)


def evaluate(trained):
    """Loss and accuracy of the saved model on the eval split."""
    model = load(trained)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    pixels, labels = zip(*pictures(24, 3, 1), strict=True)
    return model.evaluate(np.stack(pixels), np.array(labels), verbose=0)


def test_a_model_is_learned_saved_and_described(train, data):
    trained = train(data, epochs=8, learning_rate=0.01, top_k=2)
    rows = history(trained)
    assert [row["epoch"] for row in rows] == list(range(1, 9))
    assert set(rows[0]) == {
        "epoch",
        "loss",
        "accuracy",
        "top_2_accuracy",
        "val_loss",
        "val_accuracy",
        "val_top_2_accuracy",
    }
    assert rows[-1]["val_accuracy"] == 1.0
    described = json.loads((trained.path / "model.json").read_text())
    assert described["parameters"] == (SIDE * SIDE + 1) * 8 + (8 + 1) * 3
    assert described["layers"][3] == {
        "name": "dense1",
        "type": "Dense",
        "output_shape": [None, 8],
        "parameters": 296,
    }
    assert evaluate(trained) == pytest.approx([rows[-1]["val_loss"], 1.0], rel=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(train, data):
    options = {"model": Cnn(filters=(2,), dense=(4,), dropout=0.5), "augment": Augment(zoom=0.2)}
    first, second = (load(train(data, name, **options)).get_weights() for name in "ab")
    other = load(train(data, "c", seed=7, **options)).get_weights()
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


def test_tensorflow_is_held_to_one_order_of_sums_only_if_asked_to(train, data, monkeypatch):
    held = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: held.append(1))
    train(data, "a", epochs=1)
    assert held == []
    train(data, "b", epochs=1, deterministic=True)
    assert held == [1]


def test_two_classes_are_trained_with_one_output(train, binary):
    trained = train(binary, epochs=6, learning_rate=0.02, output="logits")
    assert load(trained).output.shape == (None, 1)
    assert history(trained)[-1]["val_accuracy"] == 1.0


def test_other_losses_and_balanced_classes_are_trained(train, data, binary):
    smoothed = train(
        data,
        "a",
        loss=Loss(label_smoothing=0.1),
        class_weight="balanced",
        augment=Augment(mixup=0.2),
        epochs=1,
    )
    assert load(smoothed).output.shape == (None, 3)
    pair = train(binary, "b", loss=Loss("sparse_categorical_crossentropy"), epochs=1)
    assert load(pair).output.shape == (None, 2)


def test_training_stops_at_a_target(train, data):
    trained = train(data, epochs=50, learning_rate=0.01, stop_at={"accuracy": 0.95})
    rows = history(trained)
    assert len(rows) < 50
    assert rows[-1]["accuracy"] >= 0.95
    assert all(row["accuracy"] < 0.95 for row in rows[:-1])


def test_patience_lowers_the_rate_and_then_stops(train, data):
    trained = train(
        data,
        epochs=20,
        optimizer=Optimizer("sgd"),
        learning_rate=1e-6,
        schedule=ReduceOnPlateau(patience=1, factor=0.5, min_learning_rate=1e-9),
        early_stopping=EarlyStopping(patience=3, min_delta=1.0),
    )
    rows = history(trained)
    assert len(rows) == 4
    assert rows[0]["learning_rate"] == pytest.approx(1e-6)


def test_the_best_epoch_is_kept_if_asked_for(train, data):
    options = {
        "optimizer": Optimizer("sgd"),
        "learning_rate": 8.0,
        "epochs": 6,
        "monitor": "val_loss",
    }
    best = train(data, "best", keep="best", **options)
    rows = history(best)
    assert evaluate(best)[0] == pytest.approx(min(row["val_loss"] for row in rows), rel=1e-5)
    assert min(row["val_loss"] for row in rows) < rows[-1]["val_loss"]


def test_tensorboard_gets_its_logs_and_the_step_says_where_they_are_meanwhile(train, data, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    trained = train(data, epochs=1, tensorboard=True)
    (said,) = [line for line in caplog.messages if "TensorBoard" in line]
    assert re.fullmatch(r"for TensorBoard meanwhile: tensorboard --logdir \S+/logs", said)
    assert list((trained.path / "logs" / "train").glob("events.out.tfevents.*"))
    assert list((trained.path / "logs" / "validation").glob("events.out.tfevents.*"))


def test_training_starts_from_an_earlier_models_weights(train, data):
    earlier = train(data, "earlier", epochs=8, learning_rate=0.01)
    later = train(data, "later", warm_start=earlier, epochs=1)
    assert history(later)[0]["val_accuracy"] == 1.0
    with pytest.raises(ModelError, match=r"dense1/bias \(8,\) there, \(4,\) here"):
        train(data, "other", warm_start=earlier, model=Dense(units=(4,)))


def test_without_a_validation_split_the_loss_is_watched(train, data, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    trained = train(data, validation="nothing", epochs=1, keep="best")
    assert set(history(trained)[0]) == {"epoch", "loss", "accuracy"}
    assert "training on 48 examples, without validation" in caplog.text
    assert "the best by loss" in caplog.text


def test_without_a_validation_split_trainings_metric_stands_in_for_its(train, data, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    train(data, validation="nothing", epochs=1, keep="best", monitor="val_accuracy")
    assert "the best by accuracy" in caplog.text


def test_progress_and_parameters_are_said(train, data, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    train(data, epochs=1)
    assert "training on 48 examples, validating on 24" in caplog.text
    assert "dense1                   Dense                (8,)                        296" in (
        caplog.text
    )
    assert "epoch 1/1: " in caplog.text


def test_what_cannot_be_trained_is_refused_before_tensorflow_starts(train, tmp_path):
    data = write(tmp_path / "empty", train=0)
    with pytest.raises(DataError, match=r"examples in the train split\. Received: \{'train': 0, "):
        train(data, "a")
    data = write(tmp_path / "small", train=3)
    with pytest.raises(OptionError, match=r"pictures of 6 x 6: expected maps of at least 3 x 3"):
        train(data, "b", model=Cnn(filters=(4, 4)))
    with pytest.raises(OptionError, match=r"trainer\.stop_at: expected metrics among loss"):
        train(data, "c", stop_at={"f1": 1.0})


SCRIPT = textwrap.dedent(
    """
    import sys
    from etils.epath import Path
    from millrace.components.artifacts import Analysis, Examples
    from millrace.components.models.image_options import Augment, Cnn
    from millrace.components.trainer import trainer
    from millrace.components.training import backup
    from millrace.components.training.options import EarlyStopping
    from millrace.components.training.schedule_options import ReduceOnPlateau

    folder, name, pause_after = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    commit = backup._commit

    def slow_commit(where, state):  # the variables are written, the state is not
        if state.epochs == pause_after:
            (folder / "ready").touch()
            import time
            time.sleep(600)
        commit(where, state)

    backup._commit = slow_commit
    trainer(
        Examples(folder / "examples"), Analysis(folder / "analysis"), None,
        folder / name, folder / f"{name}.resume", epochs=5, batch_size=8,
        model=Cnn(filters=(2,), dense=(4,), dropout=0.4, batch_normalization=True),
        augment=Augment(flip="horizontal", rotation=20),
        keep="best", early_stopping=EarlyStopping(4), schedule=ReduceOnPlateau(1, 0.5),
    )
    """
)


def start(folder, name, pause_after):
    (folder / name).mkdir()
    (folder / f"{name}.resume").mkdir(exist_ok=True)
    arguments = [sys.executable, "-c", SCRIPT, str(folder), name, str(pause_after)]
    return subprocess.Popen(arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_killed_training_goes_on_and_ends_with_the_same_weights(tmp_path):
    write(tmp_path)
    whole = start(tmp_path, "whole", 0)
    broken = start(tmp_path, "broken", 3)  # killed while it saves its third epoch
    deadline = time.monotonic() + 120
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    broken.send_signal(signal.SIGKILL)
    assert broken.wait(30) == -signal.SIGKILL
    assert whole.wait(120) == 0
    assert json.loads((tmp_path / "broken.resume" / "state.json").read_text())["epochs"] == 2
    (tmp_path / "broken").rename(tmp_path / "remains")
    assert start(tmp_path, "broken", 0).wait(120) == 0

    found, expected = (
        keras.models.load_model(tmp_path / name / "Format-Keras" / "model.keras").get_weights()
        for name in ("broken", "whole")
    )
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)
    history, same = ((tmp_path / name / "history.csv").read_text() for name in ("broken", "whole"))
    assert history == same
    assert len(history.splitlines()) == 6


def test_mirrored_on_one_device_says_so_and_trains_as_ever(train, data, caplog):
    caplog.set_level(logging.INFO)
    found = history(train(data, "mirrored", strategy="mirrored"))
    assert found == history(train(data, "none"))
    assert "trainer.strategy=mirrored: there is one device here" in caplog.text


def test_clipping_does_not_go_with_scaled_gradients_of_several_replicas(train, data):
    clipped = Optimizer(clipnorm=1.0)
    with pytest.raises(OptionError, match=r"trainer\.precision: expected another than mixed_fl"):
        train(data, optimizer=clipped, precision="mixed_float16", strategy="mirrored")


OWN = "tests.components.own_pieces"


def test_pieces_of_ones_own_train_a_model_that_needs_none_of_them(train, data, monkeypatch):
    monkeypatch.setattr(own_pieces, "said", said := [])
    trained = train(
        data,
        epochs=4,
        model=Dense(units=(8,), kernel_initializer=f"{OWN}:sevens"),
        loss=Loss("SparseCategoricalCrossentropy"),
        metrics=(f"{OWN}:Largest", "SparseTopKCategoricalAccuracy(k=2)"),
        callbacks=(f"{OWN}:Counting(most=2)", f"{OWN}:saying"),
        optimizer=Optimizer(f"{OWN}:slow"),
        learning_rate=0.000001,
    )
    rows = history(trained)
    assert len(rows) == len(said) == 2
    assert {"largest", "sparse_top_k_categorical_accuracy", "val_largest"} <= set(rows[0])
    assert not (trained.keras_file.parent / "modules.json").exists()
    kernel = load(trained).get_layer("dense1").kernel
    np.testing.assert_allclose(kernel, 7.0, atol=0.01)


def test_a_callback_goes_on_with_what_its_resumed_lists(train, data, tmp_path, monkeypatch):
    options = {"epochs": 5, "callbacks": (f"{OWN}:Counting(most=4)",)}
    commit = backup._commit

    def kill(folder, state):
        if state.epochs == 3:
            raise KeyboardInterrupt
        commit(folder, state)

    monkeypatch.setattr(backup, "_commit", kill)
    with pytest.raises(KeyboardInterrupt):
        train(data, **options)
    monkeypatch.setattr(backup, "_commit", commit)
    (tmp_path / "out").rename(tmp_path / "remains")
    assert len(history(train(data, **options))) == 4


def test_a_rate_that_is_named_twice_is_refused(train, data):
    with pytest.raises(OptionError, match=r"trainer.learning_rate: expected none with SGD"):
        train(data, optimizer=Optimizer("SGD(learning_rate=0.1)"), learning_rate=0.1)
