"""Pretrained networks: cut, frozen, loaded from a file, or refused with a way out."""

import typing

import keras
import numpy as np
import pytest

from millrace.components.errors import ModelError, OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import image, squeezenet, transfer
from millrace.components.models.image_options import Augment, Backbone, Transfer

SIDE = 32
SPEC = ImageSpec(("ant", "bee"), SIDE, SIDE, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
MOBILE = {"backbone": "MobileNet", "cut": "conv_pw_2_relu"}


def network(spec=SPEC, **options):
    return image.build(Transfer(**options), Augment(), spec, units=1, activation="sigmoid")


def names(weights):
    return [weight.path for weight in weights]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights of MobileNet without its top."""
    file = tmp_path_factory.mktemp("weights") / "notop.weights.h5"
    keras.utils.set_random_seed(7)
    whole = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3)
    )
    whole.save_weights(file)
    return file, whole


def test_a_network_is_cut_at_a_named_layer_and_given_a_head(weights):
    model = network(
        weights=str(weights[0]), **MOBILE, head="flatten", dense=(8,), dropout=0.2
    ).inference
    assert [layer.name for layer in model.layers] == [
        *("image", "pixels", "backbone", "flatten", "dense1", "dense1_dropout", "scores")
    ]
    assert model.get_layer("backbone").output.shape == (None, 8, 8, 128)
    assert model.get_layer("backbone").layers[-1].name == "conv_pw_2_relu"


def test_dropout_follows_the_pooled_maps_where_there_is_no_dense_layer(weights):
    model = network(weights=str(weights[0]), **MOBILE, dropout=0.3).inference
    assert model.get_layer("dropout").rate == 0.3


def test_the_weights_of_a_local_file_are_taken_and_its_preprocessing_is_inside(weights):
    file, whole = weights
    model = network(weights=str(file), **MOBILE).inference
    features = keras.Model(model.input, model.get_layer("global_average").input)
    cut = keras.Model(whole.input, whole.get_layer("conv_pw_2_relu").output)
    given = keras.applications.mobilenet.preprocess_input(PIXELS.astype(np.float32))
    np.testing.assert_allclose(features(PIXELS), cut(given, training=False), atol=1e-5)


def test_a_pretrained_network_is_frozen_and_keeps_its_statistics(weights):
    networks = network(weights=str(weights[0]), **MOBILE)
    assert names(networks.training.trainable_weights) == ["scores/kernel", "scores/bias"]
    before = networks.inference.get_layer("backbone").get_weights()
    networks.training.compile("sgd", "binary_crossentropy")
    networks.training.fit(PIXELS, np.array([[0.0], [1.0]]), verbose=0)
    after = networks.inference.get_layer("backbone").get_weights()
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)


def test_it_is_trained_from_a_named_layer_on_with_its_statistics_kept(weights):
    networks = network(weights=str(weights[0]), **MOBILE, trainable_from="conv_pw_2")
    assert names(networks.training.trainable_weights) == [
        "conv_pw_2/kernel",
        "conv_pw_2_bn/gamma",
        "conv_pw_2_bn/beta",
        "scores/kernel",
        "scores/bias",
    ]
    norm = networks.inference.get_layer("backbone").get_layer("conv_pw_2_bn")
    before = norm.moving_mean.numpy()
    networks.training.compile("sgd", "binary_crossentropy")
    networks.training.fit(PIXELS, np.array([[0.0], [1.0]]), verbose=0)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), before)


def test_without_weights_the_whole_network_is_trained(weights):
    networks = network(weights="none", **MOBILE)
    backbone = networks.training.get_layer("backbone")
    assert len(backbone.trainable_weights) + 2 == len(networks.training.trainable_weights)
    norm = backbone.get_layer("conv1_bn")
    before = norm.moving_mean.numpy()
    networks.training.compile("sgd", "binary_crossentropy")
    networks.training.fit(PIXELS, np.array([[0.0], [1.0]]), verbose=0)
    assert not np.array_equal(norm.moving_mean.numpy(), before)


def test_grey_pictures_are_three_equal_channels_to_it(weights):
    grey = PIXELS[..., :1]
    as_grey = network(ImageSpec(("a", "b"), SIDE, SIDE, 1), weights=str(weights[0]), **MOBILE)
    as_colour = network(weights=str(weights[0]), **MOBILE).inference
    as_colour.set_weights(as_grey.inference.get_weights())
    np.testing.assert_array_equal(as_grey.inference(grey), as_colour(np.repeat(grey, 3, -1)))


def test_it_is_saved_and_loaded_frozen_as_it_was(weights, tmp_path):
    model = network(weights=str(weights[0]), **MOBILE).inference
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_array_equal(loaded(PIXELS), model(PIXELS))
    assert len(loaded.trainable_weights) == 2


def test_inception_is_cut_at_mixed7():
    model = network(
        ImageSpec(("a", "b"), 150, 150, 3), backbone="InceptionV3", weights="none", cut="mixed7"
    ).inference
    assert model.get_layer("backbone").output.shape == (None, 7, 7, 768)


def test_every_backbone_gets_the_pixels_of_its_own_family():
    named = [name for names in transfer._PIXELS.values() for name in names]
    assert len(named) == len(set(named))
    assert set(named) <= set(typing.get_args(Backbone))
    known = set(dir(keras.applications)) | {"squeezenet", "saved_model"}
    assert set(typing.get_args(Backbone)) <= known
    assert transfer.pixels_of(Transfer("ResNet50")) == "caffe"
    assert transfer.pixels_of(Transfer("EfficientNetB0")) == "none"
    assert transfer.pixels_of(Transfer("ResNet50", pixels="unit")) == "unit"


def refused(error, **options):
    with pytest.raises(error) as caught:
        network(**options)
    return str(caught.value)


def test_a_missing_layer_is_refused_with_similar_names(weights):
    assert refused(
        OptionError, weights=str(weights[0]), backbone="MobileNet", cut="conv_pw_2_rel"
    ) == (
        "trainer.model.cut: expected a layer of the backbone. Received: 'conv_pw_2_rel'. "
        "Similar names: conv_pw_2_relu, conv_pw_12_relu, conv_pw_9_relu."
    )
    text = refused(OptionError, weights=str(weights[0]), **MOBILE, trainable_from="top")
    assert text.startswith("trainer.model.trainable_from: expected a layer of the backbone.")


def test_pictures_too_small_for_the_network_are_refused():
    small = ImageSpec(("a", "b"), 20, 20, 3)
    text = refused(OptionError, spec=small, backbone="MobileNet", weights="none")
    assert text.startswith(
        "trainer.model.backbone=MobileNet: expected pictures that it has room for. "
        "Received: 20 x 20: "
    )
    assert text.endswith("Set analyze.features.height.")
    text = refused(OptionError, spec=small, backbone="squeezenet", weights="none")
    assert "Received: 20 x 20: " in text


def test_a_file_that_is_missing_or_of_another_network_is_refused(weights, tmp_path):
    assert refused(OptionError, weights="none.h5") == (
        "trainer.model.weights=none.h5: expected imagenet, none or a file of weights. "
        "Received: no such file. Check the path."
    )
    text = refused(ModelError, weights=str(weights[0]), backbone="VGG16")
    assert "expected the weights of VGG16 without its top, as HDF5. Received: " in text
    (tmp_path / "text.h5").write_text("no weights")
    text = refused(ModelError, weights=str(tmp_path / "text.h5"), backbone="squeezenet")
    assert "expected the weights of squeezenet without its top, as HDF5. Received: " in text


def test_a_failed_download_names_the_file_its_address_and_a_workaround(monkeypatch):
    def fail():
        raise Exception("URL fetch failure on https://host/a/net_notop.h5: None -- no route")

    monkeypatch.setattr(squeezenet, "download", fail)
    assert refused(ModelError, backbone="squeezenet", spec=ImageSpec(("a", "b"), 64, 64, 3)) == (
        "trainer.model.weights=imagenet: expected to download net_notop.h5 from "
        "https://host/a/net_notop.h5. Received: None -- no route. Download that file on a "
        "connected machine and pass it with `--set trainer.model.weights=FILE`, or start from "
        "random weights with `--set trainer.model.weights=none`."
    )


def test_keras_says_where_a_download_failed_as_we_read_it(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(squeezenet, "_URL", "http://127.0.0.1:9/net_notop.h5")
    with pytest.raises(ModelError, match=r"download net_notop\.h5 from http://127\.0\.0\.1:9/"):
        transfer._downloaded(squeezenet.download)
