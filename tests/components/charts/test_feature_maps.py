"""Maps as grey tiles: exact levels and sizes; which layers have any."""

import keras
import numpy as np
import pytest

from millrace.components.charts import feature_maps
from millrace.components.errors import OptionError


def test_maps_are_tiles_side_by_side_a_picture_a_row():
    values = np.zeros((2, 48, 48, 4), np.float32)
    values[0, :24, :, 0] = 1  # upper half above its mean, lower half below
    found = feature_maps.grid(values, at_most=2)
    assert found.shape == (2 * 50, 3 * 50)
    average, first = ((found[0, at], found[47, at]) for at in (0, 50))
    assert average == first == (192, 64)  # of the four maps, the others are flat
    assert (found[0, 48], found[0, 100]) == (255, 128)


def test_a_single_map_has_no_average_beside_it():
    found = feature_maps.Maps("one", np.zeros((1, 48, 48, 1), np.float32))
    assert feature_maps.grid(found.values, at_most=9).shape == (50, 50)
    assert feature_maps.caption(found, 9) == "one: its map of 48 by 48, a row for each picture"


def test_small_maps_are_enlarged_in_whole_steps():
    values = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    found = feature_maps.grid(values, at_most=9)
    assert found.shape == (50, 50)
    assert len({*found[:24, :24].ravel().tolist()}) == 1
    assert found[0, 0] < found[0, 24] < found[24, 0] < found[24, 24]


@pytest.mark.parametrize(
    ("at_most", "expected"), [(9, "abcde"), (5, "abcde"), (3, "ace"), (2, "ae"), (1, "a")]
)
def test_layers_are_taken_evenly_apart(at_most, expected):
    assert feature_maps.spread_evenly("abcde", at_most) == list(expected)


def test_a_files_name_has_no_odd_letters():
    assert feature_maps.file_name(3, "backbone.a/b c") == "03-backbone.a_b_c.png"


@pytest.fixture(scope="module")
def model():
    first = keras.Input((8, 8, 2))
    inner = keras.Model(first, keras.layers.Conv2D(4, 3, name="deep")(first), name="backbone")
    inputs = keras.Input((8, 8, 2), dtype="uint8")
    tensor = keras.layers.Rescaling(1 / 255, name="scale")(inputs)
    tensor = keras.layers.GlobalAveragePooling2D(name="mean")(inner(tensor))
    return keras.Model(inputs, keras.layers.Dense(1, name="scores")(tensor))


def test_the_layers_of_a_pretrained_network_are_on_the_way(model):
    assert feature_maps.names_with_maps(model) == ["scale", "backbone.deep"]
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 2), dtype=np.uint8)
    scale, deep = feature_maps.layer_maps(model, pixels, ())
    np.testing.assert_allclose(scale.values, pixels / 255, atol=1e-6)
    expected = model.get_layer("backbone").get_layer("deep")(scale.values)
    np.testing.assert_allclose(deep.values, expected, atol=1e-6)


def test_a_layer_without_maps_is_refused(model):
    with pytest.raises(OptionError) as caught:
        list(feature_maps.layer_maps(model, np.zeros((1, 8, 8, 2), np.uint8), ["scores"]))
    assert str(caught.value) == (
        "feature_maps.layers: expected layers with maps: scale, backbone.deep. "
        "Received: scores. Correct the names."
    )
