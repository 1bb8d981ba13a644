"""What pictures are described by: colours, edges, patches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.models import picture_features
from millrace.components.models.picture_features import CELLS, DIRECTIONS, PATCH, PictureFeatures


def test_colours_are_counted_in_each_quarter():
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    picture[:, :2, 2:] = (255, 0, 0)
    picture[:, 2:, :2] = (0, 0, 255)
    found = picture_features._colours(tf.cast(picture, tf.float32)).numpy().reshape(4, 64)
    assert found.argmax(axis=1).tolist() == [0, 3, 3 * 16, 0]
    np.testing.assert_allclose(found.max(axis=1), 1)


@pytest.mark.parametrize(("across", "direction"), [(1, 0), (0, DIRECTIONS // 2)])
def test_edges_have_their_direction(across, direction):
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32)[:, None], (64, 64))
    picture = (ramp.T if across else ramp)[None, :, :, None]
    found = picture_features._edges(tf.constant(picture)).numpy()
    cells = found.reshape(CELLS, CELLS, DIRECTIONS)
    assert set(cells.argmax(axis=2).ravel().tolist()) == {direction}


def test_a_patch_is_nearest_to_its_own_kind():
    layer = PictureFeatures(2)
    layer.build((None, 32, 32, 1))
    size = PATCH * PATCH
    stripes = np.tile([0.0, 200.0], size // 2)
    kinds = picture_features.normalised(np.stack([stripes, -stripes]).astype(np.float32)).numpy()
    layer.know(np.zeros(size), np.eye(size), kinds.T)
    layer.standardise(np.zeros(layer.size), np.ones(layer.size))
    pictures = np.broadcast_to(np.tile([0, 200], 16), (1, 32, 32))[..., None].astype(np.float32)
    near = layer(pictures)[0, :8].numpy().reshape(4, 2)
    np.testing.assert_allclose(near[:, 0], near[:, 1], rtol=0.3)  # they take turns
    assert near.min() > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_layer_is_saved_with_all_it_knows(channels, tmp_path):
    inputs = keras.Input((20, 12, channels), dtype="uint8")
    layer = PictureFeatures(3)
    model = keras.Model(inputs, layer(inputs))
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape))
    pictures = random.integers(0, 256, (2, 20, 12, channels)).astype(np.uint8)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(pictures), model(pictures), rtol=1e-5)
    assert model.output_shape == (None, layer.size)
