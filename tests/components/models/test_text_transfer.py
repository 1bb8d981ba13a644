"""A SavedModel that gives vectors of texts, as those of TensorFlow Hub do, in a classifier."""

import hashlib

import numpy as np
import pytest
import tensorflow as tf
from etils.epath import Path

from millrace.components.errors import OptionError
from millrace.components.exporting import saved_model
from millrace.components.exporting.text import endpoints, reference
from millrace.components.features.text_spec import TextSpec
from millrace.components.models import hub, keras_file
from millrace.components.models.saved_model_layer import texts_of
from millrace.components.models.text import build
from millrace.components.models.text_options import TextTransfer
from millrace.serving.model import LoadedModel

TEXTS = ["The cat sat", "a DOG  barked", "", "caf\u00e9 cat cat"]
ROWS = [{"text": [text.encode()]} for text in TEXTS]
SPEC = TextSpec(("ham", "spam"), ("cat", "dog"), 4, letters=24, cased=True)
WORDS = {"cat": 0, "DOG": 1, "caf\u00e9": 2}


class WordVectors(tf.Module):
    """The mean of the vectors of words, by a vocabulary in a file, as nnlm's are."""

    def __init__(self, folder):
        super().__init__()
        (folder / "words.txt").write_text("".join(f"{word}\n" for word in WORDS))
        self.file = tf.saved_model.Asset(str(folder / "words.txt"))
        words = tf.lookup.TextFileInitializer(
            self.file.asset_path,
            *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
            *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
        )
        self.table = tf.lookup.StaticHashTable(words, len(WORDS))
        self.vectors = tf.Variable(np.eye(len(WORDS) + 1, dtype=np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
    def serve(self, sentences):
        ids = self.table.lookup(tf.strings.split(sentences)).to_tensor(len(WORDS))
        each = tf.gather(self.vectors, ids)
        return {"vector": tf.reduce_sum(each, 1), "words": each}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def numbers(self, numbers):
        return {"vector": numbers}


class Lengths(tf.Module):
    """A SavedModel without signatures, traced as TensorFlow Hub's are: for training, and not."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([1.0, 10.0])

    @tf.function
    def __call__(self, inputs, training=None):
        vectors = tf.cast(tf.strings.length(inputs), tf.float32)[:, None] * self.weights
        return -vectors if training else vectors


class Pairs(tf.Module):
    """What no layer of texts can be: two inputs."""

    @tf.function
    def __call__(self, inputs):
        return inputs["a"] + inputs["b"]


def saved(module, folder, *traces):
    for spec, settings in traces:
        module.__call__.get_concrete_function(spec, **settings)
    tf.saved_model.save(module, str(folder))
    return folder


@pytest.fixture
def folder(tmp_path):
    module = WordVectors(tmp_path)
    signatures = {"serving_default": module.serve, "numbers": module.numbers}
    tf.saved_model.save(module, str(tmp_path / "hub"), signatures)
    return tmp_path / "hub"


def network(weights, spec=SPEC, **options):
    settings = TextTransfer(weights=str(weights), dense=(), **{"cut": "vector", **options})
    return build(settings, spec, units=1, activation="sigmoid").inference


def test_letters_are_spelled_and_a_character_that_is_cut_is_left_out():
    rows = np.zeros((3, 8), np.uint8)
    for row, text in zip(rows, (b" A b ", b" caf\xc3\xa9", b" abcdef\xc3"), strict=True):
        row[: len(text)] = np.frombuffer(text, np.uint8)
    assert [text.decode() for text in texts_of(rows).numpy()] == ["A b", "caf\u00e9", "abcdef"]


def test_its_vectors_are_those_of_the_texts_in_their_case(folder):
    model = network(folder)
    assert model.get_layer("backbone").output.shape == (None, 4)
    letters = np.zeros((2, 24), np.uint8)
    for row, text in zip(letters, (b" DOG cat cat ", b" dog "), strict=True):
        row[: len(text)] = np.frombuffer(text, np.uint8)
    found = np.asarray(model.get_layer("backbone")(letters))
    assert found[0, :3].tolist() == [2.0, 1.0, 0.0]
    assert found[1, :3].tolist() == [0.0, 0.0, 0.0]
    assert [weight.path for weight in model.trainable_weights] == ["scores/kernel", "scores/bias"]


def test_the_keras_file_and_what_is_served_hold_it_once_its_folder_is_gone(folder, tmp_path):
    keras_file.save(network(folder), Path(tmp_path / "n.keras"))
    folder.rename(tmp_path / "gone")
    (tmp_path / "words.txt").unlink()
    model = keras_file.load(Path(tmp_path / "n.keras"))
    expected = reference(model, SPEC, ROWS).numbers["serving_default/scores"]
    saved_model.write(endpoints(model, SPEC), Path(tmp_path / "model"), model)
    del model
    with LoadedModel(Path(tmp_path / "model")) as served:
        inputs = np.array([text.encode() for text in TEXTS], object)
        found = served.predict({"text": inputs})["scores"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(np.unique(found[:, 0].round(6))) == 4


def test_an_address_is_looked_for_in_the_cache(folder, tmp_path, monkeypatch):
    address = "https://tfhub.dev/google/words/1"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    digest = hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    folder.rename(tmp_path / digest)
    assert hub.local(address, "p") == Path(tmp_path / digest)
    assert network(address).get_layer("backbone").output.shape == (None, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cut": ""}, r"expected one output\. Received: vector, words\. Set trainer\.model\.cut"),
        ({"cut": "words"}, r"expected a vector for each text, .* Received: words of \['batch'"),
        ({"endpoint": "numbers"}, r"takes a batch of texts, string \[batch\]\. Received: .*Name"),
    ],
)
def test_what_gives_no_vector_of_a_text_is_refused(folder, options, message):
    with pytest.raises(OptionError, match=message):
        network(folder, **options)


def test_texts_without_letters_and_a_model_without_weights_are_refused(folder):
    with pytest.raises(
        OptionError, match=r"trainer\.model=text_transfer: expected texts with their"
    ):
        network(folder, TextSpec(("ham", "spam"), ("cat",), 4))
    with pytest.raises(
        OptionError, match=r"weights: expected the folder or the address of a Saved"
    ):
        network("")


ANY_TEXTS = tf.TensorSpec([None], tf.string)
TRAINING, ANSWERING = (ANY_TEXTS, {"training": True}), (ANY_TEXTS, {"training": False})


def test_a_saved_model_without_signatures_is_called_itself_and_does_not_train(tmp_path):
    folder = saved(Lengths(), tmp_path / "hub", TRAINING, ANSWERING)
    model = network(folder, cut="")
    letters = np.zeros((1, 24), np.uint8)
    letters[0, :4] = np.frombuffer(b" cat", np.uint8)
    keras_file.save(model, Path(tmp_path / "n.keras"))
    folder.rename(tmp_path / "gone")
    again = keras_file.load(Path(tmp_path / "n.keras"))
    for each in (model, again):
        assert np.asarray(each.get_layer("backbone")(letters)).tolist() == [[3.0, 30.0]]
    signatures = endpoints(again, SPEC)
    expected = reference(again, SPEC, ROWS).numbers["serving_default/scores"]
    saved_model.write(signatures, Path(tmp_path / "model"), again)
    with LoadedModel(Path(tmp_path / "model")) as served:
        found = served.predict({"text": np.array([text.encode() for text in TEXTS], object)})
    np.testing.assert_allclose(found["scores"], expected, atol=1e-6)


BOTH = {"a": tf.TensorSpec([None], tf.string, "a"), "b": tf.TensorSpec([None], tf.string, "b")}


@pytest.mark.parametrize(
    ("module", "traces", "message"),
    [
        (Lengths, [TRAINING], r"__call__: .* Received: no trace .* with training=True\. Name"),
        (Pairs, [(BOTH, {})], r"__call__: .* takes a batch of texts.* Received: inputs a, b\."),
        (tf.Module, [], r"with a signature or one that can be called\. Received: neither\. Save"),
    ],
)
def test_what_cannot_be_called_with_texts_is_refused(tmp_path, module, traces, message):
    with pytest.raises(OptionError, match=message):
        network(saved(module(), tmp_path / "hub", *traces), cut="")


def test_a_saved_model_that_tensorflow_cannot_load_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(OptionError, match=r"that TensorFlow alone can load\. Received: .* Save it"):
        network(tmp_path)
