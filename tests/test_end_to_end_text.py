"""From short reviews to answers over gRPC: the real command, the real server, a real socket."""

import json
from pathlib import Path

import numpy as np
import pytest

from millrace.components.artifacts import Examples
from millrace.components.files.tfrecord import read_records
from millrace.serving.client import Client
from millrace.serving.example import decode
from millrace.serving.launch import launch
from tests.command import millrace

SETTINGS = (
    "analyze.features.level=subword",
    "analyze.features.vocabulary_size=300",
    "trainer.epochs=12",
    "trainer.learning_rate=0.01",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("reviews") / "root"


@pytest.fixture(scope="module")
def told(root):
    """The recipe on subwords."""
    options = [word for setting in SETTINGS for word in ("--set", setting)]
    done = millrace("run", "reviews", "--root", root, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_reviews_are_served_as_they_were_trained(told, root):
    outputs = {step["step"]: Path(step["output"]) for step in told["steps"]}
    described = json.loads((outputs["export"] / "model.json").read_text())
    assert described["check"]["largest_difference"] < 1e-6
    assert described["level"] == "subword"
    examples = Examples(outputs["text_example_gen"])
    assert sum(examples.counts.values()) == 500
    rows = [decode(one) for file in examples.files("test") for one in read_records(file)]
    texts = np.array([row["text"][0] for row in rows], object)
    with launch(root / "serving" / "reviews", "reviews") as server, Client(server.target) as client:
        answers = client.predict("reviews", {"text": texts})
        odd = np.array([b"", b"\xff\xfe", "caf\u00e9 \u2014 \U0001f600".encode()], object)
        assert np.isfinite(client.predict("reviews", {"text": odd})["scores"]).all()
    assert answers["classes"][0].tolist() == [b"negative", b"positive"]
    truth = np.array([row["text/class/text"][0] for row in rows], object)
    assert (answers["class"] == truth).mean() >= 0.9


def test_a_test_split_of_one_class_blesses_and_pushes_nothing(tmp_path):
    words = {"neg": "a dull and tired film", "pos": "a warm and clever film"}
    for split, kind in (("train", "neg"), ("train", "pos"), ("test", "neg")):
        (tmp_path / "texts" / split / kind).mkdir(parents=True)
        for number in range(12):
            file = tmp_path / "texts" / split / kind / f"{number}.txt"
            file.write_text(f"{words[kind]} {split} {number}")
    asked = ("text-classifier", "--data", tmp_path / "texts", "--root", tmp_path / "root")
    done = millrace("run", *asked, "--set", "trainer.epochs=1", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["blessed"], told["pushed"]) == (False, None)
    cause = "split 'test' cannot judge a model: every row is of the class 'neg'"
    assert told["reasons"][0].startswith(cause)
    assert f"text-classifier not pushed: the evaluator did not bless it ({cause}" in done.stderr
    assert not (tmp_path / "root" / "serving" / "text-classifier").exists()
