"""From plain text to a prompt continued over gRPC: the real command, the real server."""

import json
from pathlib import Path

import numpy as np
import pytest

from millrace.serving.client import Client
from millrace.serving.errors import InvalidArgumentError
from millrace.serving.launch import launch
from tests.command import millrace

LINES = [
    f"the {adjective} {noun} {verb} in the {place}"
    for adjective in ("old", "young", "wild")
    for noun in ("rose", "maid", "moon")
    for verb in ("sings", "sleeps", "waits")
    for place in ("morning", "night", "garden")
]


pytestmark = pytest.mark.timeout(900)  # the first test waits for the whole job


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("language") / "root"


@pytest.fixture(scope="module")
def told(root, tmp_path_factory):
    """The recipe for anybody's text on a file of lines, once."""
    song = tmp_path_factory.mktemp("corpus") / "song.txt"
    song.write_text("\n".join([*LINES, *LINES[:9], ""]) + "\n")
    network = ("generator", "cell=gru", "units=24", "dropout=0.2", "continuations=6")
    settings = (
        f"trainer.model={network[0]}",
        *(f"trainer.model.{each}" for each in network[1:]),
        *("trainer.learning_rate=0.004", "trainer.epochs=12", "trainer.batch_size=4"),
    )
    chosen = [part for setting in settings for part in ("--set", setting)]
    where = ("--data", song, "--root", root)
    done = millrace("run", "text-generator", *where, "--json", *chosen, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def client(told, root):
    folder = root / "serving" / "text-generator"
    with launch(folder, "text-generator") as server, Client(server.target) as connected:
        yield connected


def continued(client, prompts, *, length=6, temperature=0.0, seed=0):
    asked = {
        "prompt": np.array(prompts, object),
        "length": np.int32(length),
        "temperature": np.float32(temperature),
        "top_k": np.int32(0),
        "seed": np.int32(seed),
    }
    return client.predict("text-generator", asked, signature="generate")["text"].tolist()


def outputs(told):
    return {step["step"]: Path(step["output"]) for step in told["steps"]}


def test_the_model_is_blessed_and_foresees_lines_that_it_has_not_read(told):
    assert told["blessed"] is True
    assert told["metrics"]["perplexity"] < told["metrics"]["unigram_perplexity"]
    assert told["metrics"]["perplexity_ratio"] < 0.5
    assert Path(told["pushed"], "saved_model.pb").is_file()


def test_lines_and_words_were_chosen_from_the_text(told):
    spec = json.loads((outputs(told)["analyze"] / "analysis.json").read_text())
    assert (spec["kind"], spec["level"], spec["delimiter"]) == ("language", "word", "\n")
    summary = json.loads((outputs(told)["corpus_example_gen"] / "examples.json").read_text())
    assert sum(summary["counts"].values()) == 90
    assert summary["notes"]["duplicates"] == 9


def test_the_evaluation_has_samples_to_read(told):
    page = (outputs(told)["evaluator"] / "samples.txt").read_text()
    assert "--- temperature 0.5\nthe " in page


def test_a_served_prompt_is_continued_by_a_line_of_the_corpus(client):
    (answer,) = continued(client, [b"the young"], length=5)
    words = answer.decode().split()
    assert words[:2] == ["the", "young"]
    assert words[2] in ("rose", "maid", "moon")


def test_the_same_seed_gives_the_same_text_over_grpc(client):
    prompts = [b"the old", b"", b"the wild moon"]
    once = continued(client, prompts, temperature=1.0, seed=3, length=20)
    assert continued(client, prompts, temperature=1.0, seed=3, length=20) == once
    assert continued(client, prompts, temperature=1.0, seed=4, length=20) != once


def test_a_length_out_of_bounds_is_answered_with_the_bounds(client):
    with pytest.raises(InvalidArgumentError, match=r"length: expected 0 to 10000\. Received:"):
        continued(client, [b"the"], length=-1)


def test_the_recipe_without_data_says_what_it_needs(tmp_path):
    done = millrace("run", "irish-lyrics", "--root", tmp_path)
    assert done.returncode == 2
    assert "expected --data PATH, a text file or a folder of them, or `tfds:NAME`" in done.stderr
