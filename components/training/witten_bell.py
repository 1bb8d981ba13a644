"""The continuations of runs of tokens, counted on the train split, and how much each says.

Their share in the answer, by the length of the longest run that is known, is that which suits the
validation split best: expectation maximisation, as Jelinek, Mercer, "Interpolated estimation of
Markov source parameters from sparse data" (1980).
"""

import logging
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from millrace.components.features.language_spec import LanguageSpec
from millrace.components.models.continuations import (
    CONTINUATIONS,
    Continuations,
    histories,
    longest_order,
)
from millrace.components.training import dataset
from millrace.components.training.plan import Split, TrainingPlan

logger = logging.getLogger("millrace.components.trainer")

_MOST_PAIRS = 2**20  # 8 MiB; of more, the rarest runs are left out
_ROUNDS = 30
_LEAST = 20.0  # tokens that a share is drawn towards that of all by
_UNVALIDATED = 0.4
_SHARED_TOKENS = 200_000  # of the validation split, at most, to settle shares by


def added(network: keras.Model, plan: TrainingPlan, spec: LanguageSpec, wanted: int) -> keras.Model:
    """`network`, an inference network of `models.language`, with the continuations of its plan.

    Args:
        network: trained.
        plan: by which.
        spec: of its vocabulary.
        wanted: tokens of the longest run, the next one included.
    """
    order = longest_order(spec.tokens, wanted)
    runs, starts, following, counts, every = _counted(plan, spec, order)
    activation = keras.activations.serialize(network.layers[-1].activation)
    layer = Continuations(
        order, spec.tokens, len(runs), len(following), activation, name=CONTINUATIONS
    )
    mixed = keras.Model(network.input, layer((network.input, network.output)), name=network.name)
    for weight, values in (
        (layer.numbers, runs),
        (layer.starts, starts),
        (layer.following, following),
        (layer.counts, counts),
        (layer.every, every),
    ):
        weight.assign(values)
    layer.shares.assign(_shares(network, layer, plan))
    return mixed


def _counted(plan: TrainingPlan, spec: LanguageSpec, order: int) -> tuple[np.ndarray, ...]:
    """Runs, where each one's continuations start, these, their counts; and of every token alone."""
    length = order - 1
    powers = spec.tokens ** np.arange(length, dtype=np.int64)
    pairs: list[np.ndarray] = []
    every = np.zeros(spec.tokens, np.int64)
    for ids, following in _windows(plan, plan.train):
        last = following.shape[1] - spec.stride if spec.stride else 0
        known = following != 0
        known[1:, : max(0, last)] = False  # of overlapping windows, each place once
        history = histories(tf.constant(ids), length).numpy()[known][:, ::-1].astype(np.int64)
        next_one = following[known].astype(np.int64)
        every += np.bincount(next_one, minlength=spec.tokens)
        numbers = np.cumsum(history * powers, axis=1)
        whole = np.cumprod(history != 0, axis=1).astype(bool)
        pairs += [
            numbers[whole[:, at], at] * spec.tokens + next_one[whole[:, at]] for at in range(length)
        ]
    found, counts = np.unique(np.concatenate(pairs), return_counts=True)
    runs, of_run = np.unique(found // spec.tokens, return_inverse=True)
    while len(found) > _MOST_PAIRS:
        totals = np.bincount(of_run, counts)
        kept = totals[of_run] > totals[of_run].min()
        found, counts = found[kept], counts[kept]
        runs, of_run = np.unique(found // spec.tokens, return_inverse=True)
    starts = np.searchsorted(of_run, np.arange(len(runs) + 1)).astype(np.int32)
    alike = (every + every.astype(bool).sum() / spec.tokens) / (every.sum() + (every > 0).sum())
    return runs, starts, (found % spec.tokens).astype(np.int32), counts.astype(np.float32), alike


def _windows(plan: TrainingPlan, split: Split) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and those that follow, int32 [windows, length] each, in the order of the files."""
    layout, objective = plan.spec.layout, plan.objective
    for ids, following in dataset.evaluation(split.files, layout, objective, split.count):
        yield ids.numpy(), following.numpy()


def _shares(network: keras.Model, layer: Continuations, plan: TrainingPlan) -> np.ndarray:
    """The share of the counts by the length of the longest run that they know, float32 [order]."""
    if plan.validation is None:
        return np.full(layer.order, _UNVALIDATED, np.float32)
    parts: list[np.ndarray] = []
    tokens = 0
    for ids, following in _windows(plan, plan.validation):
        parts.append(_likelihoods(network, layer, tf.constant(ids), following))
        tokens += parts[-1].shape[1]
        if tokens >= _SHARED_TOKENS:
            break
    own, counted, length = np.concatenate(parts, axis=1)
    before = -np.mean(np.log(own))
    overall = _share(own, counted, 0.5, 0.0)
    shares = np.full(layer.order, overall)
    for each in range(layer.order):
        chosen = length == each
        if chosen.any():
            shares[each] = _share(own[chosen], counted[chosen], overall, _LEAST)
    mixed = shares[length.astype(int)]
    after = -np.mean(np.log(mixed * counted + (1 - mixed) * own))
    logger.info(
        "with the continuations of %d runs of up to %d tokens: %.4f in place of %.4f nats a token",
        *(layer.runs, layer.order - 1, after, before),
    )
    return shares.astype(np.float32)


def _likelihoods(
    network: keras.Model, layer: Continuations, ids: tf.Tensor, following: np.ndarray
) -> np.ndarray:
    """Of each token that follows, by the network and by the counts, and the length: [3, tokens]."""
    scores = network(ids, training=False)
    if layer.activation is keras.activations.linear:
        scores = tf.nn.softmax(scores)
    is_there = following != 0
    history = tf.boolean_mask(histories(ids, layer.order - 1), is_there)
    truth = tf.constant(following[is_there])
    counted, length = layer.counted(history)
    own = tf.gather(tf.boolean_mask(scores, is_there), truth, batch_dims=1)
    by_count = tf.gather(counted, truth, batch_dims=1)
    found = np.stack([own.numpy(), by_count.numpy(), length.numpy()]).astype(np.float64)
    found[:2] = np.maximum(found[:2], 1e-30)
    return found


def _share(own: np.ndarray, counted: np.ndarray, prior: float, weight: float) -> float:
    """The share of `counted` in a mixture with `own` that makes what happened likeliest."""
    share = prior
    for _ in range(_ROUNDS):
        likely = share * counted
        part = likely / (likely + (1 - share) * own)
        share = float((part.sum() + weight * prior) / (len(part) + weight))
    return share
