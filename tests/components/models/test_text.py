"""The text networks' shapes, weights and answers."""

import dataclasses

import keras
import numpy as np
import pytest
from etils.epath import Path

from millrace.components.errors import OptionError
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.text import build
from millrace.components.models.text_layers import AverageOfTokens, BagOfTokens, inverse_frequencies
from millrace.components.models.text_options import (
    Bag,
    Embedding,
    Letters,
    Ngrams,
    TextConv,
    TextRnn,
)

WORDS = tuple(f"word{number}" for number in range(8))
SPEC = TextSpec(
    classes=("ham", "spam"),
    vocabulary=WORDS,
    sequence_length=120,
    documents=10,
    document_frequencies=(9, 4, 4, 2, 1, 1, 1, 1),
)
SHORT = dataclasses.replace(SPEC, sequence_length=10)
IDS = np.array([[2, 3, 3, 1, 9] + [0] * 5, [0] * 10, list(range(10))], np.int32)
EVERY = [
    Bag(dense=()),
    Bag(weigh="count"),
    Bag(weigh="tf_idf", dense=(4,), dropout=0.5, l2=1e-3),
    Embedding(),
    Embedding(pooling="max", embedding_dropout=0.2),
    Embedding(pooling="flatten", embedding_l2=1e-4, batch_normalization=True),
    TextConv(filters=(4, 3), strides=2, padding="same", pooling="average"),
    TextRnn(units=(4, 3), cell="gru", pooling="max", bidirectional=False),
    TextRnn(units=(3,), pooling="average", embedding_dropout=0.5, dropout=0.2),
    TextRnn(units=(3,), pooling="average", token_dropout=0.4),
    Ngrams(most=8),
]


def shapes(options, spec=SPEC):
    model = build(options, spec, units=1, activation="sigmoid").training
    return {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}


def test_a_convolution_of_128_filters_over_5_of_120_tokens_gives_116_places():
    assert shapes(TextConv(filters=(128,), kernel_size=5, dense=(24,))) == {
        **{"tokens": (120,), "embedding": (120, 16), "conv1": (116, 128)},
        **{"global_max": (128,), "dense1": (24,), "scores": (1,)},
    }


def test_64_units_read_from_both_ends_give_128_numbers():
    assert shapes(TextRnn(units=(64,), dense=())) == {
        **{"tokens": (120,), "embedding": (120, 16), "both1": (128,), "scores": (1,)},
    }
    stacked = shapes(TextRnn(units=(64, 32), embedding_dim=8))
    assert stacked["both1"] == (120, 128)
    assert stacked["both2"] == (64,)


def test_pieces_of_ones_own_are_those_of_its_layers():
    own = "tests.components.own_pieces"
    options = TextConv(activation=f"{own}:snake", embeddings_initializer=f"{own}:sevens")
    names = list(shapes(options))
    assert names[2:4] == ["conv1", "conv1_activation"]
    model = build(options, SPEC, units=1, activation="sigmoid").training
    assert np.unique(model.get_layer("embedding").get_weights()[0]).tolist() == [7.0]
    rnn = TextRnn(units=(2,), bidirectional=False, recurrent_initializer=f"{own}:sevens")
    _, recurrent, _ = (
        build(rnn, SPEC, units=1, activation="sigmoid").training.layers[2].get_weights()
    )
    assert np.unique(recurrent).tolist() == [7.0]


def test_the_kinds_of_pooling_differ_in_width():
    assert shapes(Embedding(embedding_dim=3))["average"] == (3,)
    assert shapes(Embedding(embedding_dim=3, pooling="flatten"))["flatten"] == (360,)
    assert shapes(Bag())["bag"] == (10,)


@pytest.mark.parametrize("options", EVERY, ids=lambda options: options.kind)
def test_every_network_is_saved_and_answers_the_same_once_loaded(options, tmp_path):
    model = build(options, SHORT, units=2, activation="softmax").inference
    answers = model(IDS).numpy()
    assert answers.shape == (3, 2)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded(IDS).numpy(), answers)


@pytest.mark.parametrize("options", [Embedding(), TextRnn(units=(3,))], ids=["average", "last"])
def test_padding_after_a_text_changes_nothing(options):
    model = build(options, SHORT, units=1, activation="linear").inference
    longer = dataclasses.replace(SPEC, sequence_length=14)
    same = build(options, longer, units=1, activation="linear").inference
    same.set_weights(model.get_weights())
    padded = np.pad(IDS[:1], ((0, 0), (0, 4)))
    np.testing.assert_allclose(same(padded).numpy(), model(IDS[:1]).numpy(), rtol=1e-5)
    filled = np.where(padded == 0, 2, padded)
    assert abs(float(same(filled)[0, 0]) - float(model(IDS[:1])[0, 0])) > 1e-5


@pytest.mark.parametrize(
    ("mode", "rows"),
    [
        ("multi_hot", [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]),
        ("count", [[0, 1, 2, 0], [0, 0, 0, 3], [0, 0, 0, 0]]),
    ],
)
def test_a_bag_counts_tokens_and_no_padding(mode, rows):
    ids = np.array([[2, 1, 2], [3, 3, 3], [0, 0, 0]], np.int32)
    assert BagOfTokens(4, mode)(ids).numpy().tolist() == rows


def test_rare_tokens_weigh_more_and_rows_have_length_one():
    weights = inverse_frequencies((9, 4), 9)
    np.testing.assert_allclose(
        weights, [0, (np.log(1.9) + np.log(2.8)) / 2, np.log(1.9), np.log(2.8)], rtol=1e-6
    )
    layer = BagOfTokens(4, "tf_idf")
    ids = np.array([[2, 3, 3], [0, 0, 0]], np.int32)
    layer(ids)
    layer.weigh(weights)
    one, two = np.log(1.9), 2 * np.log(2.8)
    length = np.hypot(one, two)
    np.testing.assert_allclose(
        layer(ids).numpy(), [[0, 0, one / length, two / length], [0] * 4], rtol=1e-6
    )


def test_a_networks_bag_weighs_by_the_train_splits_frequencies():
    model = build(Bag(weigh="tf_idf"), SPEC, units=1, activation="sigmoid").training
    expected = inverse_frequencies(SPEC.document_frequencies, 10)
    np.testing.assert_array_equal(model.get_layer("bag").get_weights()[0], expected)


@pytest.fixture
def vectors(tmp_path):
    file = Path(tmp_path) / "vectors.txt"
    file.write_text("word0 1 2 3\nother 9 9 9\nword7 -1 0 0.5\n")
    return str(file)


def test_pretrained_vectors_are_taken_and_kept_or_trained(vectors):
    model = build(Embedding(vectors=vectors), SPEC, units=1, activation="sigmoid").training
    layer = model.get_layer("embedding")
    matrix = layer.get_weights()[0]
    assert matrix.shape == (10, 3)
    assert matrix[[0, 2, 9]].tolist() == [[0, 0, 0], [1, 2, 3], [-1, 0, 0.5]]
    assert not layer.trainable
    options = Embedding(vectors=vectors, train_vectors=True)
    trained = build(options, SPEC, units=1, activation="sigmoid").training
    assert trained.get_layer("embedding").trainable


def test_another_dimension_than_that_of_the_vectors_is_refused(vectors):
    options = Embedding(vectors=vectors, embedding_dim=50)
    with pytest.raises(
        OptionError,
        match=r"^trainer\.model\.embedding_dim: expected 3, as in .*vectors\.txt\. "
        r"Received: 50\. Leave it out\.$",
    ):
        build(options, SPEC, units=1, activation="sigmoid")


def test_hidden_tokens_lose_their_whole_vector_in_training_alone():
    model = build(Embedding(token_dropout=0.5), SHORT, units=1, activation="sigmoid").training
    layer = model.get_layer("token_dropout")
    vectors = np.ones((4, 10, 3), np.float32)
    hidden = keras.ops.convert_to_numpy(layer(vectors, training=True))
    assert {tuple(vector) for text in hidden for vector in text.tolist()} == {(0,) * 3, (2,) * 3}
    assert len({tuple(text[:, 0]) for text in hidden}) > 1, "each text loses its own"
    assert (keras.ops.convert_to_numpy(layer(vectors, training=False)) == vectors).all()


def test_a_network_of_letters_where_there_are_none_is_refused():
    with pytest.raises(OptionError, match=r"letters: expected texts with their letters.*alone"):
        build(Letters(), SPEC, units=1, activation="sigmoid")


def test_every_network_is_given_letters_where_there_are_some():
    spec = dataclasses.replace(SHORT, letters=5)
    inputs = {"tokens": IDS, "letters": np.zeros((3, 5), np.uint8)}
    for options in (Embedding(), Letters(most=4)):
        model = build(options, spec, units=1, activation="sigmoid").inference
        assert model(inputs).shape == (3, 1)


def test_a_kernel_wider_than_the_text_is_refused():
    with pytest.raises(
        OptionError,
        match=r"kernel_size, convolution 2 of texts of 120 tokens: expected at least 61 left\. "
        r"Received: 60\. Use padding=same",
    ):
        build(TextConv(filters=(2, 2), kernel_size=61), SPEC, units=1, activation="sigmoid")


def test_the_average_leaves_padding_out_and_that_of_nothing_is_zero():
    values = np.array([[[1.0], [3], [8]], [[1], [2], [3]]], np.float32)
    mask = np.array([[True, True, False], [False] * 3])
    assert AverageOfTokens()(values, mask=mask).numpy().tolist() == [[2], [0]]
    assert AverageOfTokens()(values).numpy().tolist() == [[4], [2]]
