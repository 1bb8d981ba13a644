"""Activations and initializers that a person names: of Keras, or their own."""

import keras
import numpy as np
import pytest

from millrace.components.errors import ModelError, OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import build, keras_file
from millrace.components.models.image_options import Augment, Cnn
from millrace.components.models.layer_options import Dense
from millrace.components.models.layer_pieces import activated, modules_of

OWN = "tests.components.own_pieces"
NUMBERS = np.array([[-1.0, 0.5, 2.0]], np.float32)
SPEC = ImageSpec(("a", "b"), 6, 6, 1)


def snake(a):
    return NUMBERS + np.sin(a * NUMBERS) ** 2 / a


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("softsign", NUMBERS / (1 + np.abs(NUMBERS))),
        (f"{OWN}:snake", snake(1)),
        (f"{OWN}:snake(a=2.0)", snake(2)),
        (f"{OWN}:snaking(a=2.0)", snake(2)),
        (f"{OWN}:Gated", NUMBERS),
        ("LeakyReLU(negative_slope=0.5)", [[-0.5, 0.5, 2.0]]),
        ("PReLU", [[0.0, 0.5, 2.0]]),
    ],
)
def test_an_activation_is_a_name_of_keras_or_a_piece(text, expected):
    np.testing.assert_allclose(activated(text, "dense1")(NUMBERS), expected, rtol=1e-6)


def test_an_own_activation_hands_a_mask_on():
    steps = np.array([[[2.0], [4.0], [0.0]]], np.float32)  # the last one is padding
    inputs = keras.Input((3, 1))
    masked = activated(f"{OWN}:snake")(keras.layers.Masking()(inputs))
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(masked))
    known = steps[:, :2] + np.sin(steps[:, :2]) ** 2
    np.testing.assert_allclose(network(steps), known.mean(axis=1), rtol=1e-6)


def test_an_activation_keeps_the_shape():
    with pytest.raises(
        OptionError, match=r"trainer\.model\.activation=.*summed: expected a tensor"
    ):
        activated(f"{OWN}:summed")(NUMBERS)


def test_what_is_no_activation_is_refused():
    with pytest.raises(OptionError, match=r"expected a class of keras\.layers.*Did you mean"):
        activated("PReLUU")
    with pytest.raises(OptionError, match=r"expected keras's Layer, or a class or a function"):
        activated(f"{OWN}:number")


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(
    ("text", "kind"),
    [(f"{OWN}:snake(a=2.0)", "OwnActivation"), (f"{OWN}:Gated", "Gated"), ("PReLU", "PReLU")],
)
def test_a_network_with_a_piece_behind_each_layer_is_saved_and_loaded(
    tmp_path, text, kind, normalized
):
    options = Cnn(filters=(2,), dense=(3,), activation=text, batch_normalization=normalized)
    network = build.build(options, Augment(), SPEC, units=1, activation="sigmoid").inference
    assert [layer.name for layer in network.layers if type(layer).__name__ == kind] == [
        "block1_conv1_activation",
        "dense1_activation",
    ]
    assert network.get_layer("dense1").activation is keras.activations.linear
    keras_file.save(network, tmp_path / "n.keras", modules_of(options))
    pictures = np.random.default_rng(1).integers(0, 255, (2, 6, 6, 1), np.uint8)
    loaded = keras_file.load(tmp_path / "n.keras")
    np.testing.assert_array_equal(loaded(pictures), network(pictures))


def test_a_layer_of_ones_own_that_keras_cannot_load_is_refused(tmp_path):
    inputs = keras.Input((3,))
    network = keras.Model(inputs, activated(f"{OWN}:Unregistered")(inputs))
    with pytest.raises(ModelError, match=r"own_pieces: (.|\n)*register_keras_serializable"):
        keras_file.save(network, tmp_path / "n.keras", [OWN])


def test_only_a_persons_own_module_is_imported_to_load_a_network():
    assert modules_of(Dense(activation=f"{OWN}:Gated")) == [OWN]
    assert modules_of(Dense(activation="PReLU")) == []
    assert modules_of(Dense()) == []
