"""What pretrained networks get in place of 0..255 is what they were trained with."""

import keras
import numpy as np
import pytest

from millrace.components.models import input_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)


def network(pixels):
    inputs = tensor = keras.Input((4, 5, 3), dtype="uint8")
    for layer in input_pixels.layers(pixels):
        tensor = layer(tensor)
    return keras.Model(inputs, tensor)


@pytest.mark.parametrize(
    ("pixels", "family"),
    [
        ("caffe", keras.applications.resnet50),
        ("symmetric", keras.applications.inception_v3),
        ("torch", keras.applications.densenet),
        ("none", keras.applications.efficientnet),
    ],
)
def test_pixels_are_those_of_the_networks_own_preprocessing(pixels, family):
    expected = family.preprocess_input(PIXELS.astype(np.float32))
    found = network(pixels)(PIXELS).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_hub_networks_get_0_to_1():
    np.testing.assert_allclose(network("unit")(PIXELS), PIXELS / 255, atol=1e-6)


def test_the_layers_are_saved_and_loaded_in_safe_mode(tmp_path):
    made = network("caffe")
    made.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_array_equal(loaded(PIXELS), made(PIXELS))
