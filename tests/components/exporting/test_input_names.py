"""Columns are called anything; TensorFlow traces identifiers."""

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path

from millrace.components.exporting import input_names, saved_model
from millrace.serving.model import LoadedModel


@pytest.mark.parametrize(
    ("names", "traced"),
    [
        (["window"], ["window"]),
        (["x", "Temp (C)", "Date/day"], ["x", "Temp__C_", "Date_day"]),
        (["class", "self", "1st", "_x"], ["arg_class", "arg_self", "arg_1st", "arg__x"]),
        (["a b", "a_b"], ["input_0", "input_1"]),
        (["Côte", "x"], ["input_0", "input_1"]),
    ],
)
def test_every_name_gets_an_identifier_of_its_own(names, traced):
    assert input_names.traceable(names) == traced


NAMES = ["Berri 1", "Côte/x", "class", "ok", "self"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    def weighted(*columns):
        return {"sum": tf.add_n([10.0**n * column for n, column in enumerate(columns)])}

    specs = tuple(tf.TensorSpec([None], tf.float32, name=name) for name in NAMES)
    folder = Path(tmp_path_factory.mktemp("named")) / "model"
    saved_model.write({"serving_default": (weighted, specs)}, folder)
    return folder


def test_a_server_is_inputs_by_the_columns_own_names(folder):
    with LoadedModel(folder) as model:
        inputs = {name: np.float32([n]) for n, name in enumerate(NAMES)}
        assert list(model.signatures["serving_default"].inputs) == sorted(NAMES)
        assert model.predict(inputs)["sum"].tolist() == [43210.0]


def test_tensorflow_itself_loads_the_model(folder):
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    inputs = {f"input_{n}": tf.constant([float(n)]) for n in range(len(NAMES))}
    assert signature(**inputs)["sum"].numpy().tolist() == [43210.0]
