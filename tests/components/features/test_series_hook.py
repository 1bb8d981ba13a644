"""A user's own columns of windows: the same in transform and in serving, the targets kept."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.errors import OptionError
from millrace.components.exporting import saved_model
from millrace.components.exporting import series as exporting
from millrace.components.features import hook_spec, series_hook
from millrace.components.features.layout import LayoutColumn
from millrace.components.features.series_rows import transform
from millrace.components.features.series_spec import Fill
from millrace.components.models.layer_options import Dense
from millrace.components.models.series import build
from millrace.serving.example import decode
from tests.components.features.test_series import SPEC

OWN = "tests.components.features.own_hooks"
MADE = dataclasses.replace(
    SPEC,
    calendar=("hour",),
    hook=hook_spec.settle(f"{OWN}:mean_wind"),
    made=("log_load", "wind"),
    offset=(0.0, 0.0, 2.0, 0.0),
    spread=(1.0, 1.0, 4.0, 1.0),
)
WINDOW = np.float32([[[0, 2, 1, 5], [1, 4, 0, 6], [3, 12, 1, 7]]])  # load, wind, holiday, hour


def _hooked(name):
    return dataclasses.replace(MADE, hook=hook_spec.settle(f"{OWN}:{name}"))


def _rows(rows=9, spec=MADE, gaps=()):
    load = np.arange(rows, dtype=np.float32)
    load[list(gaps)] = np.nan
    raw = {
        "series": [b"a"],
        "time": np.arange(rows, dtype=np.int64) * 3600,
        "load": load,
        "wind": np.arange(rows, dtype=np.float32) ** 2,
        "holiday": load % 2,
    }
    blocks = transform([(raw, "record 0")], spec, [])
    return [decode(bytes(record)) for block in blocks for record in block]


def test_what_is_made_stands_in_the_covariates_place_between_target_and_known():
    found = series_hook.prepared(tf.constant(WINDOW), MADE).numpy()
    log1p = np.log1p(WINDOW[0, :, 0])
    assert found[0, :, 0].tolist() == [0, 1, 3]  # the load as it was
    assert found[0, :, 1].tolist() == pytest.approx(log1p.tolist())
    assert found[0, :, 2].tolist() == [2, 3, 6]  # the mean so far of 2, 4, 12
    assert found[0, :, 3].tolist() == [1, 0, 1]
    assert found[0, :, 4].tolist() == [5, 6, 7]


def test_without_a_hook_a_window_passes():
    assert series_hook.prepared(tf.constant(WINDOW), SPEC).numpy().tolist() == WINDOW.tolist()
    assert SPEC.layout.inputs == SPEC.served_inputs


def test_a_network_takes_what_is_prepared_and_a_server_is_given_the_window():
    assert MADE.seen == ("load", "log_load", "wind", "holiday")
    assert MADE.served_inputs == (
        LayoutColumn("window", "float32", (3, 4)),
        LayoutColumn("known", "float32", (2, 1)),
    )
    assert MADE.layout.inputs[0] == LayoutColumn("prepared", "float32", (3, 5))


def test_records_hold_the_raw_window_and_what_is_prepared():
    rows = _rows()
    assert [row["window"].shape for row in rows] == [(12,)] * 5
    windows = np.stack([row["window"].reshape(3, 4) for row in rows])
    expected = series_hook.prepared(tf.constant(windows), MADE).numpy()
    assert [row["prepared"].tolist() for row in rows] == expected.reshape(5, 15).tolist()


GAPS = dataclasses.replace(MADE, fill=Fill("linear", 1, (0.0,) * 3))


def test_a_function_is_given_windows_without_gaps():
    whole = series_hook.prepared(tf.constant(WINDOW), MADE).numpy()
    window = WINDOW.copy()
    window[0, 1:, 2] = np.nan
    found = series_hook.prepared(tf.constant(window), GAPS).numpy()
    assert found[0, :, 3].tolist() == [1, 1, 1]
    window = WINDOW.copy()
    window[0, 2, :2] = np.nan
    found = series_hook.prepared(tf.constant(window), GAPS).numpy()
    assert found[0, :, 0].tolist() == [0, 1, 1]
    assert found[0, :, 1].tolist() == [*whole[0, :2, 1].tolist(), whole[0, 1, 1]]
    assert found[0, :, 2].tolist() == pytest.approx([2, 3, 10 / 3])  # the means of 2, 4, 4
    made = series_hook.made(tf.constant(window), GAPS)
    assert made["wind"].numpy()[0].tolist() == found[0, :, 2].tolist()


def test_windows_beyond_one_part_keep_their_places(monkeypatch):
    monkeypatch.setattr(series_hook, "_BATCH", 2)
    whole = np.repeat(WINDOW, 5, axis=0) * np.float32([1, 2, 3, 4, 5])[:, None, None]
    parts = list(series_hook.prepared_windows(whole, MADE))
    assert [part for part, _ in parts] == [slice(0, 2), slice(2, 4), slice(4, 6)]
    joined = np.concatenate([found for _, found in parts])
    assert joined[:, 0, 2].tolist() == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("gaps", [(), (1, 4, 8)])
@pytest.mark.parametrize("scaling", [{}, {"per_series": True}, {"difference": "previous"}])
def test_what_is_served_is_what_training_would_have_answered(tmp_path, scaling, gaps):
    spec = dataclasses.replace(GAPS if gaps else MADE, **scaling)
    rows = _rows(spec=spec, gaps=gaps)
    keras.utils.set_random_seed(1)  # some draws leave no unit of the four awake
    model = build(Dense(units=(4,)), spec, units=2, activation="linear").inference
    model.layers[-2].set_weights([np.ones_like(each) for each in model.layers[-2].get_weights()])
    saved_model.write(exporting.endpoints(model, spec), tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    inputs = {
        each.name: tf.constant([row[each.name].reshape(each.shape) for row in rows])
        for each in spec.served_inputs
    }
    found = loaded.signatures["serving_default"](**inputs)["forecast"].numpy()
    expected = exporting.reference(model, spec, rows).numbers["serving_default/forecast"]
    assert found.shape == (5, 2, 1)
    assert found.tolist() == expected.tolist()
    assert len({float(each) for each in found[:, 0, 0]}) > 1  # the weights see the windows


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            "other_load",
            "to add columns to load, holiday, calendar/hour, which stay as they are. "
            "Received: load, holiday, calendar/hour among its own. Return only new columns, under "
            "other names.",
        ),
        (
            "last_wind",
            "to return columns by name, float32 […, 3]. Received: last: float32 [1]. Return such "
            "columns in a dict.",
        ),
    ],
)
def test_a_target_and_a_column_of_another_shape_are_refused(function, message):
    with pytest.raises(OptionError) as caught:
        series_hook.made(tf.constant(WINDOW), _hooked(function))
    assert str(caught.value) == f"analyze.features.preprocess: expected {OWN}:{function} {message}"


def test_the_function_is_given_values_with_their_base():
    based = dataclasses.replace(MADE, base=(1000.0, 0.0, 0.0))
    found = series_hook.prepared(tf.constant(WINDOW), based).numpy()
    np.testing.assert_array_equal(found[..., 0], WINDOW[..., 0])  # the target stays as it is
    whole = WINDOW.copy()
    whole[..., 0] += 1000
    np.testing.assert_array_equal(
        found[..., 1:], series_hook.prepared(tf.constant(whole), MADE)[..., 1:]
    )
