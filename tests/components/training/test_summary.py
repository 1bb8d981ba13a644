"""A model in words and in JSON."""

import json

import keras

from millrace.components.training import summary


def network():
    inputs = keras.Input((4,), name="image")
    hidden = keras.layers.BatchNormalization(name="norm")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="scores")(hidden), name="toy")


def test_layers_and_parameters_are_told_as_json(tmp_path):
    summary.write(network(), tmp_path / "model.json")
    assert json.loads((tmp_path / "model.json").read_text()) == {
        "name": "toy",
        "layers": [
            {"name": "image", "type": "InputLayer", "output_shape": [None, 4], "parameters": 0},
            {
                "name": "norm",
                "type": "BatchNormalization",
                "output_shape": [None, 4],
                "parameters": 16,
            },
            {"name": "scores", "type": "Dense", "output_shape": [None, 2], "parameters": 10},
        ],
        "parameters": 26,
        "trainable_parameters": 18,
    }


def test_the_table_has_a_line_per_layer_and_the_total():
    lines = summary.table(network()).splitlines()
    assert [line.split() for line in lines] == [
        ["image", "InputLayer", "(4,)", "0"],
        ["norm", "BatchNormalization", "(4,)", "16"],
        ["scores", "Dense", "(2,)", "10"],
        ["total", "26"],
    ]
