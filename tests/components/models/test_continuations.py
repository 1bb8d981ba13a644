"""Witten-Bell probabilities, against the same written out by hand, and their part in a mixture."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf

from millrace.components.models.continuations import Continuations, histories, longest_order

TEXT = [1, 2, 1, 2, 3, 1, 2, 1, 1, 3]
TOKENS, ORDER = 5, 3


def followed():
    """By run, how often each token followed it."""
    found = collections.defaultdict(collections.Counter)
    for place in range(1, len(TEXT)):
        for length in range(min(place, ORDER - 1) + 1):
            found[tuple(TEXT[place - length : place])][TEXT[place]] += 1
    return found


def by_hand(history, token):
    """Method C of Witten and Bell, from every token alike up."""
    likely = 1 / TOKENS
    for length in range(len(history) + 1):
        seen = followed().get(tuple(history[len(history) - length :]))
        if seen is None:
            return likely, length - 1
        likely = (seen[token] + len(seen) * likely) / (sum(seen.values()) + len(seen))
    return likely, len(history)


def layer(activation="softmax", shares=(0.5, 0.5, 0.5)):
    runs = {run: seen for run, seen in followed().items() if run}
    number = {run: sum(id_ * TOKENS**at for at, id_ in enumerate(reversed(run))) for run in runs}
    ordered = sorted(runs, key=number.get)
    pairs = [(token, count) for run in ordered for token, count in sorted(runs[run].items())]
    made = Continuations(ORDER, TOKENS, len(runs), len(pairs), activation)
    made.build()
    made.numbers.assign([number[run] for run in ordered])
    made.starts.assign(np.cumsum([0, *(len(runs[run]) for run in ordered)]))
    made.following.assign([token for token, _ in pairs])
    made.counts.assign([count for _, count in pairs])
    made.every.assign([by_hand((), token)[0] for token in range(TOKENS)])
    made.shares.assign(shares)
    return made


@pytest.mark.parametrize("history", [(1, 2), (2, 1), (3, 4), (4, 1), (0, 2), (0, 0), (1, 3)])
def test_probabilities_are_those_of_the_longest_known_run(history):
    found, length = layer().counted(tf.constant([history]))
    known = tuple(token for token in history if token)
    expected = [by_hand(known, token) for token in range(TOKENS)]
    np.testing.assert_allclose(found[0], [likely for likely, _ in expected], rtol=1e-6)
    assert int(length[0]) == expected[0][1]
    assert float(tf.reduce_sum(found)) == pytest.approx(1)


def test_a_history_is_the_last_ids_up_to_each():
    found = histories(tf.constant([[5, 6, 7]]), 2)
    assert found.numpy().tolist() == [[[0, 5], [5, 6], [6, 7]]]


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_the_share_goes_by_the_length_of_the_run(activation):
    mixing = layer(activation, shares=(0.0, 0.25, 1.0))
    ids = tf.constant([[4, 1, 2]])  # known are runs of 0, 1 and 2 tokens
    own = np.array([[[0.1, 0.2, 0.3, 0.2, 0.2]] * 3], np.float32)
    found = mixing((ids, np.log(own) if activation == "linear" else own)).numpy()
    mixed = np.exp(found) if activation == "linear" else found
    expected = [
        share * np.array([by_hand(run, token)[0] for token in range(TOKENS)])
        + (1 - share) * own[0, 0]
        for share, run in [(0.0, (4,)), (0.25, (4, 1)), (1.0, (1, 2))]
    ]
    np.testing.assert_allclose(mixed[0], expected, rtol=1e-5)


def test_runs_fit_their_numbers():
    assert [longest_order(tokens, 6) for tokens in (70, 1000, 20_000)] == [6, 6, 4]


def test_counts_are_saved_with_the_network(tmp_path):
    ids, scores = keras.Input((None,), dtype="int32"), keras.Input((None, TOKENS))
    made = layer()
    model = keras.Model([ids, scores], made((ids, scores)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    asked = [np.array([[1, 2]]), np.full((1, 2, TOKENS), 0.2, np.float32)]
    np.testing.assert_array_equal(again(asked), model(asked))
