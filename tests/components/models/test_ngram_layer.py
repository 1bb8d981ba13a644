"""Tokens and runs of them weigh as scikit-learn has it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.feature_extraction.text import TfidfVectorizer

from millrace.components.models.ngram_layer import NO_RUN, ScoresOfNgrams, keys_of

SIZE = 9
LENGTHS = np.random.default_rng(0).integers(1, 13, 50)
IDS = np.random.default_rng(1).integers(1, SIZE, (50, 12)).astype(np.int32)
IDS[np.arange(12) >= LENGTHS[:, None]] = 0


def known(longest):
    """A vectorizer of the texts, and a layer that knows all their features, with random weights."""
    texts = [" ".join(map(str, row[row > 0])) for row in IDS]
    vectorizer = TfidfVectorizer(
        ngram_range=(1, longest), sublinear_tf=True, token_pattern=r"\S+", dtype=np.float64
    )
    expected = vectorizer.fit_transform(texts).toarray()
    by_key = {}
    for name, column in vectorizer.vocabulary_.items():
        ids = [int(part) for part in name.split()]
        key = sum(number * SIZE**place for place, number in enumerate(reversed(ids)))
        by_key[key] = column
    singles = [by_key[number] for number in range(1, SIZE)]
    keys = sorted(key for key in by_key if key > SIZE)
    columns = [*singles, *(by_key[key] for key in keys)]
    layer = ScoresOfNgrams(SIZE, longest, len(keys) + 5 if longest > 1 else 0, 3, "softmax")
    layer.build((None, 12))
    idf = np.concatenate([[0], vectorizer.idf_[columns]])
    layer.know(np.array(keys, np.int64), idf)
    random = np.random.default_rng(2)
    layer.assign(random.normal(size=(len(idf), 3)), random.normal(size=3))
    return layer, expected[:, columns]


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_the_weights_of_features_are_those_of_scikit_learn(longest):
    layer, expected = known(longest)
    found = tf.sparse.to_dense(layer.features(tf.constant(IDS))).numpy()
    width = expected.shape[1] + 1
    np.testing.assert_allclose(found[:, 1:width], expected, atol=1e-6)
    assert not found[:, 0].any()
    assert not found[:, width:].any()


def test_scores_are_linear_in_the_features():
    layer, expected = known(2)
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    logits = expected @ kernel[1 : expected.shape[1] + 1] + bias
    normal = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(layer(IDS).numpy(), normal, atol=1e-6)


def test_what_the_layer_does_not_know_counts_as_nothing():
    layer = ScoresOfNgrams(SIZE, 2, 3, 1, "linear")
    layer.build((None, 4))
    layer.know(np.array([2 * SIZE + 3], np.int64), np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 1.0]))
    assert layer.keys.numpy().tolist() == [21, NO_RUN, NO_RUN]
    layer.assign(np.arange(10.0)[:, None], np.array([7.0]))
    answers = layer(np.array([[2, 3, 0, 0], [5, 6, 7, 8], [0, 0, 0, 0], [3, 1, 2, 0]], np.int32))
    by_hand = [(2 + 3 + 9) / 3**0.5 + 7, 7, 7, (2 + 3) / 2**0.5 + 7]
    np.testing.assert_allclose(answers[:, 0], by_hand, rtol=1e-6)


def test_a_run_s_key_is_its_ids_as_digits_and_0_where_there_is_padding():
    ids = tf.constant([[3, 4, 5, 0], [0, 0, 1, 2]])
    pairs, threes = keys_of(ids, 10, 3)
    assert pairs.numpy().tolist() == [[34, 45, 0], [0, 0, 12]]
    assert threes.numpy().tolist() == [[345, 0], [0, 0]]
    assert keys_of(ids, 10, 1) == []


def test_runs_of_letters_within_words_are_those_of_scikit_learn():
    texts = ["a bad cab", "dab", "bad dad cabby"]
    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, dtype=np.float64
    )
    expected = vectorizer.fit_transform(texts).toarray()
    by_key = {int.from_bytes(run.encode()): place for run, place in vectorizer.vocabulary_.items()}
    keys = sorted(by_key)
    columns = [by_key[key] for key in keys]
    layer = ScoresOfNgrams(256, 5, len(keys), 1, "linear", border=32)
    layer.build((None, 16))
    layer.know(np.array(keys), np.concatenate([np.zeros(256), vectorizer.idf_[columns]]))
    letters = np.array([list(f" {text} ".encode().ljust(16, b"\0")) for text in texts], np.uint8)
    assert {key for runs in layer.runs(letters) for key in runs.numpy().ravel()} == {0, *keys}
    found = tf.sparse.to_dense(layer.features(letters)).numpy()
    np.testing.assert_allclose(found[:, 256:], expected[:, columns], atol=1e-6)


def test_a_saved_layer_answers_the_same(tmp_path):
    layer, _ = known(2)
    layer.border = 8
    inputs = keras.Input((12,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IDS).numpy(), model(IDS).numpy())
    assert loaded.layers[-1].activation is keras.activations.softmax
