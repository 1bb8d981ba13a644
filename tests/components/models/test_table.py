"""Networks for tables: their shapes, parameters, and what each part sees."""

import dataclasses

import keras
import numpy as np
import pytest

from millrace.components.errors import OptionError
from millrace.components.features.table_spec import Category, Number, RawColumn, TableSpec
from millrace.components.models import table
from millrace.components.models.layer_options import Dense
from millrace.components.models.networks import SCORES
from millrace.components.models.table_options import Resnet, TableLinear, Trees, WideDeep

NUMBERS = (Number("a", 0.0, 1.0, 0.0, indicator=True), Number("b", 0.0, 1.0, 0.0))
CATEGORIES = (Category("c", ("x", "y")), Category("d", ("z",)))


def spec(numbers=NUMBERS, discrete=CATEGORIES):
    raw = tuple(RawColumn(each.name, "float32") for each in (*numbers, *discrete))
    return TableSpec("y", "regression", raw, numbers=numbers, discrete=discrete)


def build(options, of, units=1, activation="linear"):
    return table.build(options, of, units=units, activation=activation).training


def parameters(model, name):
    return [tuple(weight.shape) for weight in model.get_layer(name).weights]


def test_a_dense_network_without_hidden_layers_is_linear():
    model = build(Dense(units=()), spec(numbers=NUMBERS[1:], discrete=()))
    assert model.count_params() == 2
    model.get_layer(SCORES).set_weights([np.float32([[2.0]]), np.float32([-1.0])])
    assert model(np.float32([[10.0]])).numpy().tolist() == [[19.0]]
    assert list(model.input.shape) == [None, 1]


@pytest.mark.parametrize("options", [Dense(units=()), WideDeep(), Resnet(), TableLinear()])
def test_a_regression_starts_from_its_z_score_and_answers_in_the_units_of_the_label(options):
    scaled = dataclasses.replace(spec(), target_mean=250_000.0, target_deviation=100_000.0)
    model = build(options, scaled)
    kernel, bias = model.get_layer(SCORES).get_weights()
    model.get_layer(SCORES).set_weights([0 * kernel, bias + 0.5])
    row = {"numeric": np.zeros((1, 3), np.float32), "categorical": np.zeros((1, 2), np.int32)}
    assert model(row).numpy().tolist() == [[300_000.0]]


def test_pieces_of_ones_own_are_those_of_a_residual_network():
    own = "tests.components.own_pieces"
    options = Resnet(blocks=1, activation=f"{own}:snake", kernel_initializer=f"{own}:sevens")
    model = build(options, spec())
    assert [layer.name for layer in model.layers if layer.name.endswith("activation")] == [
        "block1_activation",
        "activation",
    ]
    assert np.unique(model.get_layer("first").get_weights()[0]).tolist() == [7.0]


def test_the_logarithm_of_a_label_is_undone_as_the_last_layer():
    scaled = dataclasses.replace(spec(), target_mean=250_000.0, target_deviation=100_000.0)
    model = build(Resnet(link="log"), scaled)
    kernel, bias = model.get_layer(SCORES).get_weights()
    model.get_layer(SCORES).set_weights([0 * kernel, bias + np.log(2)])
    row = {"numeric": np.zeros((1, 3), np.float32), "categorical": np.zeros((1, 2), np.int32)}
    assert model(row).numpy() == pytest.approx(200_000.0)


@pytest.mark.parametrize("options", [Resnet(link="log"), Trees(link="log")])
def test_a_label_with_negative_numbers_has_no_logarithm(options):
    negative = dataclasses.replace(spec(), target_low=-0.5)
    with pytest.raises(OptionError, match=r"never negative. Received: -0.5. Leave it at identity"):
        build(options, negative)
    classes = dataclasses.replace(spec(), problem="classification", classes=("a", "b"))
    with pytest.raises(OptionError, match="Received: classification"):
        build(options, classes)


def test_trees_that_are_not_grown_yet_answer_nothing():
    model = build(Trees(), dataclasses.replace(spec(), target_mean=5.0, target_deviation=2.0))
    row = {"numeric": np.ones((2, 3), np.float32), "categorical": np.zeros((2, 2), np.int32)}
    assert model(row).numpy().tolist() == [[5.0], [5.0]]


def test_a_residual_network_sees_numbers_their_pieces_and_a_vector_of_each_category():
    model = build(Resnet(units=16, blocks=1, bins=4, bin_dim=2, embedding_dim=3), spec())
    assert parameters(model, "pieces") == [(3, 4, 2), (3, 2), (3, 5)]
    assert parameters(model, "embedding") == [(7, 3)]
    assert parameters(model, "first") == [(3 + 3 * 2 + 2 * 3, 16), (16,)]
    assert parameters(model, "block1_out") == [(16, 16), (16,)]
    assert not [each for each in model.layers if each.name.startswith("block2")]


def test_a_residual_network_without_bins_sees_numbers_as_they_are():
    model = build(Resnet(units=16, bins=0), spec(discrete=()))
    assert parameters(model, "first") == [(3, 16), (16,)]


def test_a_dense_network_sees_numbers_and_one_hot_categories():
    model = build(Dense(units=(8,)), spec(), units=3, activation="softmax")
    assert [each.name for each in model.inputs] == ["categorical", "numeric"] or set(
        model.input
    ) == {"numeric", "categorical"}
    assert parameters(model, "dense1") == [(3 + 7, 8), (8,)]
    assert parameters(model, SCORES) == [(8, 3), (3,)]
    assert model.layers[-1].activation is keras.activations.softmax
    assert model.layers[-1].dtype == "float32"


def test_ids_become_ones_in_their_own_places():
    ids = keras.Input((2,), dtype="int32")
    model = keras.Model(ids, table._one_hot(ids, spec()))
    found = model(np.int32([[0, 4], [3, 6]])).numpy()
    assert found.tolist() == [[1, 0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 1]]


def test_the_scores_of_a_wide_and_deep_network_see_both_parts():
    model = build(WideDeep(units=(16, 4), embedding_dim=5), spec())
    assert parameters(model, "embedding") == [(7, 5)]
    assert parameters(model, "dense1") == [(3 + 2 * 5, 16), (16,)]
    assert parameters(model, SCORES) == [(7 + 4, 1), (1,)]


def test_a_wide_and_deep_network_without_categories_is_wide_in_its_numbers():
    model = build(WideDeep(units=(4,)), spec(discrete=()))
    assert parameters(model, SCORES) == [(3 + 4, 1), (1,)]


def test_a_wide_and_deep_network_without_numbers_has_one_input():
    model = build(WideDeep(units=(4,), embedding_dim=2), spec(numbers=()))
    assert parameters(model, "dense1") == [(2 * 2, 4), (4,)]
    assert model.input.name == "categorical"


@pytest.mark.parametrize("options", [Dense(), WideDeep()])
def test_a_saved_network_answers_as_before(options, tmp_path):
    model = build(options, spec())
    model.save(tmp_path / "model.keras")
    inputs = {"numeric": np.float32([[1, 2, 0]]), "categorical": np.int32([[1, 5]])}
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(model(inputs), loaded(inputs))


def test_penalties_dropout_and_normalisation_are_built_in():
    options = Dense(units=(4,), l2=0.1, dropout=0.5, batch_normalization=True)
    model = build(options, spec())
    names = [layer.name for layer in model.layers]
    assert names[-5:] == ["dense1", "dense1_norm", "dense1_relu", "dense1_dropout", SCORES]
    assert model.get_layer(SCORES).kernel_regularizer.l2 == pytest.approx(0.1)
