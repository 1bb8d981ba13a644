"""Augmentation layers: there when asked for, and only in training."""

import keras
import numpy as np
import pytest

from millrace.components.models.augmentation import augmentation
from millrace.components.models.options import Augment

PIXELS = np.arange(2 * 6 * 6, dtype=np.uint8).reshape(2, 6, 6, 1) * 3

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


def test_nothing_asked_for_is_no_layer():
    assert augmentation(Augment()) == []
