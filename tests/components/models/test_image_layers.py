"""Augmentation only in training, and the values that each pretrained network was trained with."""

import keras
import numpy as np
import pytest

from millrace.components.models.image_layers import augmentation, input_pixels
from millrace.components.models.image_options import Augment

PIXELS = np.arange(2 * 6 * 6, dtype=np.uint8).reshape(2, 6, 6, 1) * 3
COLOURS = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)

EACH = {
    "augment_flip": Augment(flip="horizontal_and_vertical"),
    "augment_rotation": Augment(rotation=90, fill_mode="constant", fill_value=255),
    "augment_shift": Augment(width_shift=0.5, height_shift=0.5, fill_mode="wrap"),
    "augment_shear": Augment(shear=0.5),
    "augment_zoom": Augment(zoom=0.5, fill_mode="reflect"),
    "augment_brightness": Augment(brightness=0.9),
    "augment_contrast": Augment(contrast=0.9),
}


@pytest.mark.parametrize("name", EACH)
def test_each_change_is_made_in_training_and_not_outside(name):
    keras.utils.set_random_seed(1)
    layers = augmentation(EACH[name])
    assert [layer.name for layer in layers] == ["augment_float", name]
    chain = keras.Sequential(layers)
    np.testing.assert_array_equal(chain(PIXELS, training=False), PIXELS)
    changed = np.stack([chain(PIXELS, training=True) for _ in range(4)])
    assert np.abs(changed - PIXELS).max() > 1
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_shifting_by_width_alone_moves_no_row():
    rows = np.broadcast_to(np.arange(6, dtype=np.uint8)[:, None, None], (1, 6, 6, 1))
    chain = keras.Sequential(augmentation(Augment(width_shift=0.5)))
    np.testing.assert_allclose(chain(rows, training=True), rows, atol=1e-4)


def test_no_augmentation_is_no_layer():
    assert augmentation(Augment()) == []


def network(pixels):
    inputs = tensor = keras.Input((4, 5, 3), dtype="uint8")
    for layer in input_pixels(pixels):
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
    expected = family.preprocess_input(COLOURS.astype(np.float32))
    found = network(pixels)(COLOURS).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_hub_networks_get_0_to_1():
    np.testing.assert_allclose(network("unit")(COLOURS), COLOURS / 255, atol=1e-6)


def test_the_layers_are_saved_and_loaded_in_safe_mode(tmp_path):
    made = network("caffe")
    made.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_array_equal(loaded(COLOURS), made(COLOURS))
