"""A SavedModel inside a Keras model: saved, loaded, exported, without its folder."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path

from millrace.components.errors import OptionError
from millrace.components.exporting import saved_model as exported
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import image, saved_model_layer
from millrace.components.models.image_options import Augment, Transfer

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
SPEC = ImageSpec(("ant", "bee"), 8, 8, 3)


class Backbone(tf.Module):
    """Two outputs from pictures of 8 x 8: maps and their means."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(tf.random.stateless_normal((3, 3, 3, 4), (1, 2)))

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "pictures")])
    def serve(self, pictures):
        maps = tf.nn.conv2d(pictures, self.kernel, 1, "VALID")
        return {"maps": maps, "vector": tf.reduce_mean(maps, (1, 2))}


@pytest.fixture(scope="module")
def backbone():
    return Backbone()


@pytest.fixture
def folder(tmp_path, backbone):
    path = tmp_path / "hub"
    tf.saved_model.save(backbone, str(path), {"serving_default": backbone.serve})
    return path


def network(folder, **options):
    settings = Transfer(backbone="saved_model", weights=str(folder), **options)
    return image.build(settings, Augment(), SPEC, units=1, activation="sigmoid")


def test_its_answer_is_that_of_the_saved_model_on_0_to_1(folder, backbone):
    model = network(folder, cut="vector").inference
    features = keras.Model(model.input, model.get_layer("backbone").output)
    expected = backbone.serve(PIXELS / np.float32(255))["vector"]
    np.testing.assert_allclose(features(PIXELS), expected, atol=1e-6)
    assert model.get_layer("backbone").output.shape == (None, 4)


def test_maps_are_pooled_and_a_vector_is_taken_as_it_is(folder):
    names = [layer.name for layer in network(folder, cut="maps").inference.layers]
    assert names == ["image", "pixels", "backbone", "global_average", "scores"]
    names = [layer.name for layer in network(folder, cut="vector").inference.layers]
    assert names == ["image", "pixels", "backbone", "scores"]


def test_it_is_not_trained(folder):
    networks = network(folder, cut="maps")
    before = networks.inference.get_layer("backbone")(PIXELS / np.float32(255)).numpy()
    networks.training.compile("sgd", "binary_crossentropy")
    networks.training.fit(PIXELS, np.array([[0.0], [1.0]]), verbose=0)
    assert [each.path for each in networks.training.trainable_weights] == [
        "scores/kernel",
        "scores/bias",
    ]
    after = networks.inference.get_layer("backbone")(PIXELS / np.float32(255)).numpy()
    np.testing.assert_array_equal(before, after)


def test_the_keras_file_and_the_export_hold_it_once_its_folder_is_gone(folder, tmp_path):
    model = network(folder, cut="maps").inference
    expected = model(PIXELS).numpy()
    model.save(tmp_path / "first.keras")
    folder.rename(tmp_path / "gone")
    loaded = keras.models.load_model(tmp_path / "first.keras", compile=False)
    np.testing.assert_array_equal(loaded(PIXELS), expected)
    loaded.save(tmp_path / "second.keras")
    del loaded
    again = keras.models.load_model(tmp_path / "second.keras", compile=False)
    np.testing.assert_array_equal(again(PIXELS), expected)

    signature = (tf.TensorSpec((None, 8, 8, 3), tf.uint8, "image"),)
    endpoint = (functools.partial(_scores, again), signature)
    exported.write({"serve": endpoint}, Path(tmp_path / "exported"))
    served = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(
        served.signatures["serve"](image=PIXELS)["scores"], expected, atol=1e-6
    )


def _scores(model, image):
    return {"scores": model(image)}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {},
            "expected one output. Received: maps, vector. Set trainer.model.cut to one of them.",
        ),
        ({"cut": "logits"}, "expected an output 'logits'. Received: maps, vector."),
        (
            {"endpoint": "predict"},
            "expected a signature 'predict'. Received: serving_default. Set "
            "trainer.model.endpoint to one of them.",
        ),
    ],
)
def test_what_it_lacks_is_refused(folder, options, text):
    with pytest.raises(OptionError) as caught:
        network(folder, **options)
    assert text in str(caught.value)


def test_a_folder_without_a_model_and_pictures_of_another_size_are_refused(folder, tmp_path):
    with pytest.raises(OptionError, match=r"weights=.*none: expected the folder of a SavedModel"):
        network(tmp_path / "none")
    with pytest.raises(OptionError, match=r"takes a batch of pictures of 9 x 8\. Received: "):
        saved_model_layer.of_pictures(Path(folder), "serving_default", "maps", (9, 8, 3), "b")


def test_it_cannot_be_fine_tuned(folder):
    with pytest.raises(OptionError, match="and trainable_from empty, since it stays frozen"):
        network(folder, cut="maps", trainable_from="first")
