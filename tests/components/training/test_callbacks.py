"""Targets, the history file, progress, and what is best."""

import logging

import keras
import pytest

from millrace.components.training import callbacks
from millrace.components.training.callbacks import HistoryFile, Progress, StopAt
from millrace.components.training.options import EarlyStopping, Watching
from millrace.components.training.schedule_options import CONSTANT, ReduceOnPlateau
from tests.components.own_pieces import Counting


def with_model(callback):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.stop_training = False
    callback.set_model(model)
    return callback, model


def watching(**changes):
    settings = {
        "stop_at": {},
        "monitor": "val_loss",
        "early_stopping": EarlyStopping(),
        "keep": "last",
        "tensorboard": False,
    }
    return Watching(**{**settings, **changes})


def test_training_stops_once_every_target_is_reached(caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    callback, model = with_model(StopAt({"accuracy": 0.9, "loss": 0.5}))
    callback.on_epoch_end(0, {"accuracy": 0.95, "loss": 0.6})
    callback.on_epoch_end(1, {"accuracy": 0.85, "loss": 0.4})
    assert not model.stop_training
    callback.on_epoch_end(2, {"accuracy": 0.9, "loss": 0.5})
    assert model.stop_training
    assert "stopping at epoch 3: target reached (accuracy 0.9000, loss 0.5000)" in caplog.text


def test_the_history_counts_epochs_from_one_and_keeps_earlier_rows(tmp_path):
    history = HistoryFile(tmp_path / "history.csv", [{"epoch": 1, "loss": 0.5, "accuracy": 0.25}])
    history.on_train_begin()
    history.on_epoch_end(1, {"loss": 0.125, "accuracy": 1})
    assert (tmp_path / "history.csv").read_text() == (
        "epoch,loss,accuracy\n1,0.5,0.25\n2,0.125,1.0\n"
    )
    assert history.rows[1] == {"epoch": 2, "loss": 0.125, "accuracy": 1.0}


def test_progress_says_each_epoch_with_its_figures(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "millrace.components")
    now = iter([0.0, 1.0, 3.0, 4.0, 20.0])
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: next(now))
    progress = Progress(epochs=3, steps=10, examples=100)
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(1, {"loss": 9.0})  # after 1 s: too early for a line
    progress.on_train_batch_end(4, {"loss": 0.5})  # after 3 s: half done
    progress.on_train_batch_end(5, {"loss": 9.0})
    progress.on_epoch_end(0, {"loss": 0.25, "accuracy": 0.9})
    assert [entry.message.strip() for entry in caplog.records] == [
        "epoch 1/3: 50 % of it, about 15 s to go, loss 0.5",
        "epoch 1/3: loss 0.25, accuracy 0.9 (20.0 s, 5 examples/s, about 40 s to go)",
    ]


def test_of_many_quick_epochs_a_line_a_second_is_said_and_the_last(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "millrace.components")
    now = 100.0
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now)
    progress = Progress(epochs=60, steps=1, examples=8)
    for epoch in range(60):
        progress.on_epoch_begin(epoch)
        now += 0.25
        progress.on_epoch_end(epoch, {"loss": 0.5})
    progress.on_train_end()
    said = [record.getMessage().split(":")[0] for record in caplog.records]
    assert said == [f"epoch {number}/60" for number in (*range(1, 58, 4), 60)]


@pytest.mark.parametrize(
    ("monitor", "best"), [("loss", 2), ("val_loss", 1), ("accuracy", 3), ("val_accuracy", 1)]
)
def test_the_best_epoch_has_the_lowest_loss_or_else_the_highest_value(monitor, best):
    rows = [
        {"epoch": 1, "loss": 3, "val_loss": 1, "accuracy": 0.1, "val_accuracy": 0.5},
        {"epoch": 2, "loss": 1, "val_loss": 1, "accuracy": 0.2, "val_accuracy": 0.5},
        {"epoch": 3, "loss": 2, "val_loss": 3, "accuracy": 0.3, "val_accuracy": 0.4},
    ]
    assert callbacks.best_epoch(rows, monitor) == best


@pytest.mark.parametrize(("monitor", "best"), [("accuracy", 3), ("val_accuracy", 2)])
def test_of_epochs_that_are_as_good_the_one_of_the_lowest_loss_is_best(monitor, best):
    rows = [
        {"epoch": 1, "loss": 3, "val_loss": 3, "accuracy": 1, "val_accuracy": 1},
        {"epoch": 2, "loss": 2, "val_loss": 1, "accuracy": 1, "val_accuracy": 1},
        {"epoch": 3, "loss": 1, "val_loss": 2, "accuracy": 1, "val_accuracy": 1},
        {"epoch": 4, "loss": 0, "val_loss": 0, "accuracy": 0.9, "val_accuracy": 0.9},
    ]
    assert callbacks.best_epoch(rows, monitor) == best


def test_keras_is_asked_to_wait_as_the_options_say():
    found = callbacks.patient(
        watching(
            monitor="val_accuracy",
            early_stopping=EarlyStopping(patience=3, min_delta=0.5),
        ),
        ReduceOnPlateau(2, 0.25, 1, 1e-4),
    )
    stopping, plateau = found["early_stopping"], found["reduce_on_plateau"]
    assert (stopping.patience, stopping.mode, stopping.monitor) == (3, "max", "val_accuracy")
    assert (plateau.patience, plateau.factor, plateau.cooldown) == (2, 0.25, 1)
    assert plateau.min_lr == 1e-4
    assert list(found) == ["reduce_on_plateau", "early_stopping"]
    assert callbacks.patient(watching(), CONSTANT) == {}


def test_callbacks_are_made_of_their_names_each_time():
    texts = ("tests.components.own_pieces:Counting(most=3)", "TerminateOnNaN")
    first, second = callbacks.own(texts), callbacks.own(texts)
    assert [type(each) for each in first.values()] == [Counting, keras.callbacks.TerminateOnNaN]
    assert first[texts[0]].most == 3
    assert first[texts[0]] is not second[texts[0]]


@pytest.mark.parametrize(
    ("name", "less"),
    [("val_mae", True), ("root_mean_squared_error", True), ("val_accuracy", False), ("auc", False)],
)
def test_less_of_an_error_is_better(name, less):
    assert callbacks.is_error(name) is less
    assert callbacks.reached(name, 0.1, 0.2) is less
    assert (
        callbacks.best_epoch([{"epoch": 1, name: 0.1}, {"epoch": 2, name: 0.2}], name) == 2 - less
    )
