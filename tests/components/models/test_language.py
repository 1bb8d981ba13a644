"""Recurrent language models: their layers, and the same layers token by token."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.errors import ModelError, OptionError
from millrace.components.models import language
from millrace.components.models.language_options import Generator
from tests.components.language_models import LINES, RUNNING, networks

TOKENS = np.array([[2, 3, 4, 5, 6], [2, 6, 6, 3, 0]], np.int32)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_network_scores_every_id_at_every_place(cell):
    model = networks(LINES, cell=cell).inference
    assert [layer.name for layer in model.layers] == [
        *("tokens", "embedding", f"{cell}1", f"{cell}2", "scores")
    ]
    assert model(TOKENS).shape == (2, 5, 7)


def test_parameters_of_an_lstm_are_those_of_its_formula():
    model = networks(LINES, cell="lstm", units=(8,), embedding_dim=4).inference
    assert model.count_params() == 7 * 4 + 4 * 8 * (4 + 8 + 1) + 7 * (8 + 1)


def test_penalties_and_the_initializer_are_those_of_its_kernels():
    model = networks(LINES, l2=0.5, kernel_initializer="he_normal").inference
    assert len(model.losses) == 3
    kernels = [model.get_layer(name).kernel_initializer for name in ("lstm1", "lstm2", "scores")]
    assert [type(one).__name__ for one in kernels] == ["HeNormal", "HeNormal", "GlorotUniform"]


def test_only_the_training_network_drops_outputs_and_both_share_their_weights():
    found = networks(LINES, dropout=0.5)
    dropped = [layer.name for layer in found.training.layers if "dropout" in layer.name]
    assert dropped == ["embedding_dropout", "lstm1_dropout", "lstm2_dropout"]
    pairs = zip(found.training.weights, found.inference.weights, strict=False)
    assert all(one is other for one, other in pairs if "seed" not in one.name)
    assert np.array_equal(found.training(TOKENS), found.inference(TOKENS))


@pytest.mark.parametrize("activation", ["linear", "softmax"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_steps_give_what_whole_windows_do(cell, activation):
    model = networks(RUNNING, cell=cell, activation=activation).inference
    states = language.initial(model, 2)
    whole = model(TOKENS).numpy()
    for place in range(TOKENS.shape[1]):
        scores, states = language.step(model, tf.constant(TOKENS[:, place]), states)
        found = tf.nn.softmax(scores) if activation == "softmax" else scores
        np.testing.assert_allclose(found, whole[:, place], atol=1e-5)


def test_a_model_that_was_saved_and_loaded_can_be_stepped(tmp_path):
    model = networks(LINES).inference
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    first = tf.constant([2])
    found, _ = language.step(loaded, first, language.initial(loaded, 1))
    expected, _ = language.step(model, first, language.initial(model, 1))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_another_network_cannot_be_stepped():
    inputs = keras.Input((None,), dtype="int32")
    flow = keras.layers.Embedding(7, 4, name="embedding")(inputs)
    model = keras.Model(inputs, keras.layers.Conv1D(7, 1, name="conv")(flow))
    with pytest.raises(ModelError, match=r"run token by token\. Received: conv\. Use trainer\.mo"):
        language.initial(model, 1)


def test_a_generator_that_sees_what_comes_is_refused_with_the_reason():
    with pytest.raises(OptionError, match=r"bidirectional: expected false, since a generator"):
        Generator(bidirectional=True)
