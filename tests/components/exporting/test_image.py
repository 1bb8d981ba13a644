"""What an image classifier's signatures answer, for every kind of last layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.exporting.classifier import probabilities
from millrace.components.exporting.image import endpoints
from millrace.components.features.image_spec import ImageSpec
from millrace.serving.example import encode
from tests.components.pictures import file

LEVELS = np.array([[0.0, 1.0, 3.0]], np.float32)  # logits per unit of brightness


def network(units, activation):
    """Scores that follow from the one pixel: brightness times 0, 1, 3."""
    inputs = keras.Input((1, 1, 1), dtype="uint8")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    last = keras.layers.Dense(units, activation=activation)
    model = keras.Model(inputs, last(hidden))
    last.set_weights([LEVELS[:, -units:], np.zeros(units, np.float32)])
    return model


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def pixels(*levels):
    return np.array(levels, np.uint8).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_many_classes_have_their_softmax_whatever_the_model_ends_in(activation):
    found = probabilities(network(3, activation), pixels(0, 255)).numpy()
    np.testing.assert_allclose(found, softmax(np.concatenate([0 * LEVELS, LEVELS])), rtol=1e-5)


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_one_output_becomes_two_classes(activation):
    found = probabilities(network(1, activation), pixels(0, 255)).numpy()
    second = 1 / (1 + np.exp(-np.array([0.0, 3.0])))
    np.testing.assert_allclose(found, np.stack([1 - second, second], axis=1), rtol=1e-5)


def answer(name, contents, classes=("a", "b", "c"), units=3):
    spec = ImageSpec(classes, 1, 1, 1)
    function, signature = endpoints(network(units, "linear"), spec)[name]
    found = tf.function(function, input_signature=signature)(tf.constant(contents, tf.string))
    return {key: value.numpy() for key, value in found.items()}


FILES = [file(pixels(level)[0, ..., 0]) for level in (0, 255)]
EXAMPLES = [encode({"image/encoded": content, "more": 1}) for content in FILES]


def test_predict_names_the_likeliest_class_and_all_scores():
    found = answer("serving_default", FILES)
    expected = softmax(np.concatenate([0 * LEVELS, LEVELS]))
    np.testing.assert_allclose(found["scores"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["score"], expected.max(axis=1), rtol=1e-5)
    assert found["class"].tolist() == [b"a", b"c"]
    assert found["classes"].tolist() == [[b"a", b"b", b"c"]] * 2


def test_classify_and_regress_take_examples():
    scores = answer("serving_default", FILES)["scores"]
    classified = answer("classify", EXAMPLES)
    np.testing.assert_array_equal(classified["scores"], scores)
    assert classified["classes"].tolist() == [[b"a", b"b", b"c"]] * 2
    np.testing.assert_array_equal(answer("regress", EXAMPLES)["outputs"], scores.max(axis=1))


def test_regress_gives_the_probability_of_the_second_of_two_classes():
    found = answer("regress", EXAMPLES, ("no", "yes"), units=1)["outputs"]
    np.testing.assert_allclose(found, [0.5, 1 / (1 + np.exp(-3))], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("serving_default", {"class": 1, "score": 1, "scores": 2, "classes": 2}),
        ("classify", {"scores": 2, "classes": 2}),
        ("regress", {"outputs": 1}),
    ],
)
def test_an_empty_batch_is_answered_with_nothing(name, shapes):
    found = answer(name, [])
    assert {key: value.shape for key, value in found.items()} == {
        key: (0, 3)[:rank] for key, rank in shapes.items()
    }
