"""Networks: parameters, shapes, scaling, and what each option does."""

import keras
import numpy as np
import pytest

from millrace.components.errors import OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models.image import build
from millrace.components.models.image_options import Augment, Cnn
from millrace.components.models.layer_options import Dense
from millrace.components.models.sizes import after_blocks

NAMES = tuple("0123456789")
DIGITS = ImageSpec(NAMES, 28, 28, 1)


def network(options, spec=DIGITS, augment=None, units=10, activation="softmax"):
    return build(options, augment or Augment(), spec, units=units, activation=activation)


def parameters(model):
    return {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}


def kinds(model):
    return [type(layer).__name__ for layer in model.layers[2:]]


def test_the_course_cnn_has_its_published_parameters():
    model = network(Cnn(filters=(64, 64), dense=(128,))).inference
    assert parameters(model) == {
        "block1_conv1": 640,
        "block2_conv1": 36_928,
        "dense1": 204_928,
        "scores": 1_290,
    }


def test_the_course_dense_model_has_its_published_parameters():
    model = network(Dense()).inference
    assert parameters(model) == {"dense1": 100_480, "scores": 1_290}
    assert [layer.name for layer in model.layers] == [
        "image",
        "scale",
        "flatten",
        "dense1",
        "scores",
    ]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("unit", [0, 0.2, 1]),
        ("symmetric", [-1, -0.6, 1]),
        ("none", [0, 51, 255]),
        ("standardise", [-5.1, 0, 20.4]),
    ],
)
def test_pixels_are_scaled_inside_the_model(scale, expected):
    spec = ImageSpec(NAMES, 1, 3, 1, scale=scale, mean=(51.0,), variance=(100.0,))
    model = network(Dense(), spec).inference
    scaled = keras.Model(model.input, model.get_layer("scale").output)
    pixels = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(scaled(pixels).numpy().ravel(), expected, atol=1e-6)


def test_the_model_takes_uint8_and_gives_probabilities():
    model = network(Cnn()).inference
    assert model.input.dtype == "uint8"
    scores = model.predict(np.zeros((3, 28, 28, 1), np.uint8), verbose=0)
    np.testing.assert_allclose(scores.sum(axis=1), [1, 1, 1], rtol=1e-6)


def test_every_option_of_the_cnn_reaches_its_layer():
    options = Cnn(
        filters=(4, 6),
        convolutions=2,
        kernel_size=5,
        strides=2,
        padding="same",
        pooling="average",
        pool_size=3,
        head="global_average",
        dense=(8, 7),
        activation="tanh",
        dropout=0.5,
        block_dropout=0.25,
        batch_normalization=True,
        l1=0.1,
        l2=0.2,
        kernel_initializer="he_normal",
    )
    model = network(options, ImageSpec(NAMES, 200, 200, 3)).inference
    block = ["Conv2D", "BatchNormalization", "Activation"] * 2
    block += ["AveragePooling2D", "SpatialDropout2D"]
    dense = ["Dense", "BatchNormalization", "Activation", "Dropout"]
    assert kinds(model) == [*block * 2, "GlobalAveragePooling2D", *dense * 2, "Dense"]
    second = model.get_layer("block2_conv2").get_config()
    assert (second["filters"], second["kernel_size"], second["strides"]) == (6, (5, 5), (2, 2))
    assert (second["padding"], second["activation"]) == ("same", "linear")
    assert second["kernel_initializer"]["class_name"] == "HeNormal"
    penalty = second["kernel_regularizer"]["config"]
    assert (penalty["l1"], penalty["l2"]) == pytest.approx((0.1, 0.2))
    assert model.get_layer("dense1_tanh").get_config()["activation"] == "tanh"
    assert model.get_layer("block1_dropout").rate == 0.25
    assert model.get_layer("dense2_dropout").rate == 0.5


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
def test_maps_have_the_sizes_that_the_arithmetic_says(padding, strides):
    options = Cnn(filters=(2, 2), strides=strides, padding=padding, dense=())
    model = network(options, ImageSpec(NAMES, 45, 38, 1)).inference
    found = [tuple(model.get_layer(f"block{n}_pool").output.shape[1:3]) for n in (1, 2)]
    assert found == after_blocks(options, 45, 38)


def test_a_picture_too_small_is_refused_before_keras_sees_it():
    with pytest.raises(OptionError, match="block 2 of pictures of 8 x 8"):
        network(Cnn(), ImageSpec(NAMES, 8, 8, 1))


def test_augmentation_is_in_the_training_network_only_and_shares_the_layers():
    networks = network(Dense(), augment=Augment(flip="horizontal", rotation=10))
    names = [layer.name for layer in networks.training.layers]
    assert names[1:4] == ["augment_float", "augment_flip", "augment_rotation"]
    assert not [layer for layer in networks.inference.layers if "augment" in layer.name]
    assert networks.training.get_layer("dense1") is networks.inference.get_layer("dense1")


def test_the_network_to_be_saved_is_not_compiled_and_has_the_same_layers():
    networks = network(Dense())
    networks.training.compile("adam", "mse")
    assert not networks.inference.compiled
    assert networks.training.layers[1:] == networks.inference.layers[1:]


def test_penalties_reach_the_last_layer_too_which_may_be_the_only_one():
    model = network(Dense(units=(), l2=0.5)).inference
    penalty = model.get_layer("scores").get_config()["kernel_regularizer"]["config"]
    assert penalty == {"l1": 0.0, "l2": 0.5}


def test_running_statistics_follow_as_fast_as_the_options_say():
    options = Cnn(filters=(2,), padding="same", batch_normalization=True, batch_momentum=0.9)
    spec = ImageSpec(("a", "b"), 4, 4, 1)
    model = build(options, Augment(), spec, units=1, activation="sigmoid").inference
    assert model.get_layer("block1_conv1_norm").momentum == 0.9
