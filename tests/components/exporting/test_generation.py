"""The loop that writes, around a network that is only a counter; and the choice of a token."""

import numpy as np
import pytest
import tensorflow as tf

from millrace.components.exporting import generation
from millrace.components.exporting.generation import Sampling, choose
from tests.components.language_models import LINES, RUNNING

GREEDY = Sampling(tf.constant(0.0), tf.constant(0), tf.constant(0))


class Counter:
    """Scores id 3 until three tokens were read since the beginning, then 2; `model`: its ids."""

    @staticmethod
    def initial(model, batch):
        return [[tf.zeros([batch, 1])]]

    @staticmethod
    def step(model, tokens, states):
        count = states[0][0] + 1
        best = tf.where(count[:, 0] < 3, 3, 2)
        return tf.one_hot(best, model), [[count]]


@pytest.fixture
def written(monkeypatch):
    monkeypatch.setattr(generation, "stepping", Counter)

    def write(spec, prompts, length=7):
        ids = generation.write(spec.tokens, spec, tf.constant(prompts), tf.constant(length), GREEDY)
        return ids.numpy().tolist()

    return write


def test_after_a_delimiter_the_state_is_fresh(written):
    assert written(LINES, [""]) == [[3, 3, 2, 3, 3, 2, 3]]


def test_running_text_goes_on_after_a_line_break(written):
    assert written(RUNNING, ["a"]) == [[3, 3, 2, 2, 2, 2, 2]]


def test_each_prompt_is_read_to_its_own_end(written):
    assert written(LINES, ["", "come", "come all ye all", "x\ncome"], 3) == [
        *([3, 3, 2], [3, 2, 3], [2, 3, 3], [3, 2, 3])
    ]


def drawn(scores, chances, **options):
    given = {"temperature": 1.0, "top_k": 0} | options
    choice = Sampling(
        tf.constant(given["temperature"]), tf.constant(given["top_k"]), tf.constant(0)
    )
    rows = tf.tile(tf.constant([scores], tf.float32), [len(chances), 1])
    return choose(rows, tf.constant(chances, tf.float32), choice).numpy()


# Padding and unknown would be the likeliest; then shares of 1/8, 5/8 and 2/8.
SCORES = [99.0, 99.0, *np.log([1.0, 5.0, 2.0])]


def test_chance_falls_on_each_token_by_its_probability():
    chances = (np.arange(800) + 0.5) / 800
    assert np.bincount(drawn(SCORES, chances)).tolist() == [0, 0, 100, 500, 200]


def test_the_ends_of_chance_are_tokens_too():
    assert drawn(SCORES, [0.0, np.nextafter(np.float32(1), np.float32(0))]).tolist() == [2, 4]


def test_temperature_flattens_the_shares():
    chances = (np.arange(1000) + 0.5) / 1000
    roots = np.sqrt([1.0, 5.0, 2.0])
    found = np.bincount(drawn(SCORES, chances, temperature=2.0))[2:] / 1000
    np.testing.assert_allclose(found, roots / roots.sum(), atol=2e-3)


def test_only_the_best_are_drawn_from():
    chances = (np.arange(700) + 0.5) / 700
    assert np.bincount(drawn(SCORES, chances, top_k=2)).tolist() == [0, 0, 0, 500, 200]
    assert set(drawn(SCORES, chances, top_k=1).tolist()) == {3}


def test_without_temperature_the_likeliest_known_token_is_taken():
    assert drawn(SCORES, [0.0, 0.99], temperature=0.0).tolist() == [3, 3]
