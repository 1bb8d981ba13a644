"""Training state on disk: whole or not there, and all of it."""

import json

import keras
import numpy as np
import pytest

from millrace.components.training import backup, callbacks
from millrace.components.training.backup import Backup, State
from millrace.components.training.callbacks import HistoryFile
from millrace.components.training.options import EarlyStopping, Watching
from millrace.components.training.schedule_options import ReduceOnPlateau


def network():
    inputs = keras.Input((2,))
    hidden = keras.layers.Dropout(0.5, name="dropout")(keras.layers.BatchNormalization()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("adam", "mse")
    return model


def variables(model):
    found = [*model.variables, *model.optimizer.variables]
    return [variable.numpy() for variable in found]


def patient():
    watching = Watching({}, "loss", EarlyStopping(9), "last", tensorboard=False)
    return callbacks.patient(watching, ReduceOnPlateau(9))


def train(folder, model, epochs, best_by=None, waiting=None):
    state = backup.load(folder, "plan")
    waiting = patient() if waiting is None else waiting
    history = HistoryFile(folder / "history.csv", state.rows)
    saving = Backup(folder, state, history, waiting, best_by)
    random = np.random.default_rng(1)
    model.fit(
        random.normal(size=(8, 2)),
        random.normal(size=(8, 1)),
        epochs=epochs,
        initial_epoch=state.epochs,
        callbacks=[*waiting.values(), history, saving],
        verbose=0,
    )
    return history.rows


def test_every_variable_comes_back_random_states_and_optimizer_included(tmp_path):
    model, other = network(), network()
    train(tmp_path, model, 3)
    backup.restore(other, tmp_path, 3)
    names = [variable.path for variable in [*model.variables, *model.optimizer.variables]]
    assert any("seed_generator_state" in name for name in names)
    assert any("moving_mean" in name for name in names)
    for name, found, expected in zip(names, variables(other), variables(model), strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_only_the_last_and_the_best_epoch_stay_on_disk(tmp_path):
    rows = train(tmp_path, network(), 4, best_by="loss")
    best = callbacks.best_epoch(rows, "loss")
    names = {f"epoch-{epoch:06d}.npz" for epoch in (best, 4)}
    assert {file.name for file in tmp_path.glob("epoch-*")} == names


def test_the_state_tells_history_stop_and_patience(tmp_path):
    rows = train(tmp_path, network(), 2)
    state = backup.load(tmp_path, "plan")
    assert (state.epochs, state.stopped, state.rows) == (2, False, rows)
    assert state.patience["early_stopping"]["best"] == min(row["loss"] for row in rows)
    assert set(state.patience["reduce_on_plateau"]) == {"best", "wait", "cooldown_counter"}


def test_patience_goes_on_where_it_stood(tmp_path):
    train(tmp_path, network(), 1)
    state = json.loads((tmp_path / "state.json").read_text())
    state["patience"]["early_stopping"].update(best=-1.0, wait=7.0)
    (tmp_path / "state.json").write_text(json.dumps(state))
    waiting = patient()
    train(tmp_path, network(), 2, waiting=waiting)
    assert (waiting["early_stopping"].best, waiting["early_stopping"].wait) == (-1.0, 8.0)


def test_a_state_of_another_plan_is_not_used(tmp_path):
    train(tmp_path, network(), 1)
    assert backup.load(tmp_path, "another plan") == State("another plan")
    assert backup.load(tmp_path / "nowhere", "plan") == State("plan")


@pytest.mark.parametrize("name", ["epoch-000002.npz", "state.json.draft"])
def test_a_kill_while_a_state_is_written_leaves_the_one_before(tmp_path, name):
    train(tmp_path, network(), 1)
    (tmp_path / name).write_bytes(b"half a fi")
    state = backup.load(tmp_path, "plan")
    assert state.epochs == 1
    backup.restore(network(), tmp_path, state.epochs)


def test_a_damaged_state_starts_training_from_the_beginning(tmp_path, caplog):
    train(tmp_path, network(), 1)
    for content in ("{", "[]", '{"plan": 1, "more": 2}'):
        (tmp_path / "state.json").write_text(content)
        assert backup.load(tmp_path, "plan") == State("plan")
    assert caplog.text.count("state.json is damaged") == 3


@pytest.mark.parametrize("content", [b"", b"half a fi", b"PK\x03\x04", None, b"flipped"])
def test_damaged_variables_start_training_from_the_beginning(tmp_path, caplog, content):
    train(tmp_path, network(), 1)
    file = tmp_path / "epoch-000001.npz"
    if content is None:
        file.unlink()
    elif content == b"flipped":
        whole = bytearray(file.read_bytes())
        whole[whole.index(b"\x93NUMPY") + 130] ^= 1
        file.write_bytes(whole)
    else:
        file.write_bytes(content)
    assert backup.load(tmp_path, "plan") == State("plan")
    assert "epoch-000001.npz is damaged (" in caplog.text
    assert caplog.text.endswith("): training starts from the beginning\n")


def test_the_variables_of_the_best_epoch_are_needed_where_it_is_kept(tmp_path):
    rows = train(tmp_path, network(), 4, best_by="loss")
    best = callbacks.best_epoch(rows, "loss")
    assert backup.load(tmp_path, "plan", "loss").epochs == 4
    (tmp_path / f"epoch-{best:06d}.npz").write_bytes(b"")
    assert backup.load(tmp_path, "plan", "loss") == State("plan")
