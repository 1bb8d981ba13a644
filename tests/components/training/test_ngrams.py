"""A network of n-grams, its weights solved for from transformed records on disk."""

import json
from collections import Counter

import keras
import numpy as np
import pytest
from scipy import sparse

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec
from millrace.components.features.text_spec import TextSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models.auto_options import Auto
from millrace.components.models.ngram_layer import NO_RUN
from millrace.components.models.text_options import Letters, Ngrams
from millrace.components.trainer import trainer
from millrace.components.training import logistic
from millrace.serving.example import encode

WORDS = ("not", "good", "bad", "film", "very", "it", "was")
SPEC = TextSpec(("no", "yes"), WORDS, 6, letters=40)


def texts(count, seed):
    """Ids of words at random; yes is `good`, but for `not good`."""
    random = np.random.default_rng(seed)
    ids = random.integers(2, SPEC.size, (count, 6))
    ids[::3, 1], ids[1::3, :2] = 3, [2, 3]
    is_not = (ids[:, :-1] == 2) & (ids[:, 1:] == 3)
    good = ids == 3
    good[:, 1:] &= ~is_not
    ids[ids == 1] = 0
    return ids, good.any(axis=1).astype(int)


def letters_of(ids):
    words = " ".join(SPEC.names[each] for each in ids)
    return f" {words} ".encode().ljust(40, b"\0")[:40]


@pytest.fixture
def data(tmp_path):
    examples, analysis = Examples(tmp_path / "examples"), Analysis(tmp_path / "analysis")
    analysis.path.mkdir(parents=True)
    spec.write(SPEC, analysis.file)
    counts = {"train": 90, "eval": 60}
    for seed, (split, count) in enumerate(counts.items()):
        examples.split_path(split).mkdir(parents=True)
        rows = zip(*texts(count, seed), strict=True)
        records = [
            encode({"tokens": ids.tolist(), "letters": letters_of(ids), "label": int(label)})
            for ids, label in rows
        ]
        write_records(examples.shard(split, 0, 1), records)
    return examples.write_summary(counts), analysis


@pytest.fixture
def train(tmp_path, data):
    def run(name="out", **options):
        out, resume = tmp_path / name, tmp_path / f"{name}.resume"
        out.mkdir()
        resume.mkdir()
        return trainer(*data, None, out, resume, epochs=1, **options)

    return run


def test_pairs_tell_what_words_alone_do_not(train):
    ids, labels = texts(60, 1)
    right = {}
    for longest in (1, 2):
        trained = train(f"runs of {longest}", model=Ngrams(longest=longest, most=100))
        inputs = {"tokens": ids, "letters": np.zeros((60, 40), np.uint8)}
        answers = keras.models.load_model(trained.keras_file)(inputs)[:, 0] > 0.5
        right[longest] = np.mean(answers == labels)
    assert right[1] < 0.95 < right[2]
    rows = trained.history_file.read_text().splitlines()
    assert len(rows) == 2
    assert float(dict(zip(*(row.split(",") for row in rows), strict=True))["val_accuracy"]) > 0.95


def test_the_weights_are_those_of_the_problem(train):
    layer = keras.models.load_model(
        train(model=Ngrams(most=100, strength=2.0), class_weight="balanced").keras_file
    ).get_layer("scores")
    ids, labels = texts(90, 0)
    found = layer.features(ids.astype(np.int32))
    places = (found.indices[:, 0].numpy(), found.indices[:, 1].numpy())
    features = sparse.csr_matrix((found.values.numpy(), places), shape=found.shape)
    start = logistic.nothing(features.shape[1], 1)
    expected = logistic.fit(features, labels, start, 2.0, logistic.balanced(labels, 2))
    np.testing.assert_allclose(layer.kernel.numpy(), expected.kernel, atol=1e-3)
    np.testing.assert_allclose(layer.bias.numpy(), expected.bias, atol=1e-3)
    documents = (features > 0).sum(axis=0)
    idf = np.where(documents > 0, np.log(91 / (1 + documents)) + 1, 0)
    np.testing.assert_allclose(layer.idf.numpy(), np.ravel(idf), rtol=1e-6)


def test_the_most_frequent_runs_are_kept(train):
    def keys(name, **options):
        model = keras.models.load_model(
            train(name, model=Ngrams(**options, strength=1.0)).keras_file
        )
        return model.get_layer("scores").keys.numpy()

    few = keys("few", most=3)
    pairs = [row[:-1] * SPEC.size + row[1:] for row in texts(90, 0)[0]]
    every, counts = np.unique(np.concatenate([np.unique(row) for row in pairs]), return_counts=True)
    assert few.tolist() == sorted(every[np.lexsort((every, -counts))[:3]].tolist())
    common = keys("common", most=100, minimum_texts=9)
    assert [key for key in common if key < SPEC.size**2] == every[counts >= 9].tolist()


def test_runs_of_letters_that_two_texts_have_are_told_apart_and_no_single_letter(train):
    trained = train(model=Letters(longest=3, strength=1.0))
    layer = keras.models.load_model(trained.keras_file).get_layer("scores")
    counts = Counter()
    for letters in map(letters_of, texts(90, 0)[0]):
        runs = {letters[at : at + size] for size in (2, 3) for at in range(41 - size)}
        counts.update(run for run in runs if b" " not in run[1:-1] and b"\0" not in run)
    known = layer.keys.numpy()
    wanted = sorted(int.from_bytes(run) for run, count in counts.items() if count > 1)
    assert known[known != NO_RUN].tolist() == wanted
    assert not layer.idf.numpy()[:256].any()


def test_auto_tries_networks_of_pairs_first(train):
    trained = train(model=Auto(tried=2, averaged=1))
    lines = (trained.path / "candidates.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["name", "ngrams", "ngrams_ratios"]
    assert json.loads((trained.path / "model.json").read_text())["name"] == "ngrams"
