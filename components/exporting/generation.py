"""Generating text token by token, inside a graph: read the prompts, then choose, write and step.

The state of the recurrent layers is kept, so each token costs one step. A row's answer depends only
on its own prompt and the seed, whatever else is in the batch: it has random numbers of its own, and
each prompt is read to its own end.
"""

import dataclasses

import keras
import tensorflow as tf

from millrace.components.features import language
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.tokenization import FIRST
from millrace.components.models import language as stepping
from millrace.components.models.language import States

LONGEST = 10_000  # tokens of one answer
_BELOW_ONE = 1 - 1e-6  # keeps a number drawn from [0, 1) below 1 when it is scaled in float32
_COLDEST = 1e-6  # temperature; below it division would overflow, and the likeliest always wins


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How the next token is chosen by the scores.

    Attributes:
        temperature: float32 []; divides the scores. 0 takes the likeliest token.
        top_k: int32 []; how many of the likeliest tokens to draw from; 0 is all.
        seed: int32 []; the same seed draws the same tokens.
    """

    temperature: tf.Tensor
    top_k: tf.Tensor
    seed: tf.Tensor


def check(length: tf.Tensor, sampling: Sampling) -> list[tf.Operation]:
    """Assertions on a client's inputs; if one fails, a server answers INVALID_ARGUMENT."""
    temperature, top_k = sampling.temperature, sampling.top_k
    return [
        _expect((length >= 0) & (length <= LONGEST), "length", f"0 to {LONGEST}", length),
        _expect(
            (temperature >= 0) & (temperature < float("inf")),
            *("temperature", "a finite number from 0 (greedy) up", temperature),
        ),
        _expect(top_k >= 0, "top_k", "0 (all tokens) or more", top_k),
    ]


def _expect(holds: tf.Tensor, name: str, expected: str, value: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(holds, [f"{name}: expected {expected}. Received:", value])


def write(
    model: keras.Model, spec: LanguageSpec, text: tf.Tensor, length: tf.Tensor, sampling: Sampling
) -> tf.Tensor:
    """The ids that follow each prompt, int32 [batch, length]; padding and unknown never do.

    Args:
        model: an inference network of `models.language`.
        spec: its vocabulary. After a delimiter the next record begins, with a fresh state.
        text: the prompts, string [batch].
        length: tokens to write, int32 [].
        sampling: how each token is chosen.
    """
    ids, lengths = language.prompts(text, spec)
    states, scores = _read(model, spec, ids, lengths)
    uniforms = _uniforms(text, sampling.seed)

    def step(
        number: tf.Tensor, scores: tf.Tensor, states: States, written: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, States, tf.TensorArray]:
        chosen = choose(scores, uniforms[:, number], sampling)
        if spec.delimiter:
            states = _where(chosen != FIRST, states, stepping.initial(model, tf.size(chosen)))
        following, states = stepping.step(model, chosen, states)
        return number + 1, following, states, written.write(number + 1, chosen)

    # One place more than needed, since an empty array could not be stacked.
    written = tf.TensorArray(tf.int32, length + 1, element_shape=lengths.shape)
    written = written.write(0, tf.zeros_like(lengths))
    *_, written = tf.while_loop(
        lambda number, *_: number < length, step, (tf.constant(0), scores, states, written)
    )
    return tf.transpose(written.stack()[1:])


def _read(
    model: keras.Model, spec: LanguageSpec, ids: tf.Tensor, lengths: tf.Tensor
) -> tuple[States, tf.Tensor]:
    """The states and scores after each row's last id."""
    batch, columns = tf.size(lengths), tf.transpose(ids)

    def step(
        place: tf.Tensor, scores: tf.Tensor, states: States
    ) -> tuple[tf.Tensor, tf.Tensor, States]:
        is_there = place < lengths
        following, after = stepping.step(model, columns[place], states)
        scores = tf.where(is_there[:, None], following, scores)
        return place + 1, scores, _where(is_there, after, states)

    first = (tf.constant(0), tf.zeros([batch, spec.tokens]), stepping.initial(model, batch))
    _, scores, states = tf.while_loop(lambda place, *_: place < tf.shape(ids)[1], step, first)
    return states, scores


def _where(rows: tf.Tensor, one: States, other: States) -> States:
    """The states of `one` in `rows` (bool [batch]), those of `other` elsewhere."""
    return tf.nest.map_structure(lambda a, b: tf.where(rows[:, None], a, b), one, other)


def _uniforms(text: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A number in [0, 1) for each token of each text, float32 [batch, LONGEST].

    Determined by the text and the seed; always as many, so a longer answer begins like a shorter
    one.
    """
    prints = tf.strings.to_hash_bucket_fast(text, 2**31 - 1)
    seeds = tf.stack([tf.fill([tf.size(text)], tf.cast(seed, tf.int64)), prints], axis=1)
    return tf.map_fn(
        lambda pair: tf.random.stateless_uniform([LONGEST], pair),
        seeds,
        fn_output_signature=tf.TensorSpec([LONGEST], tf.float32),
    )


def choose(scores: tf.Tensor, uniform: tf.Tensor, sampling: Sampling) -> tf.Tensor:
    """The next token of each row, int32 [batch].

    Args:
        scores: logits, float32 [batch, ids].
        uniform: a number in [0, 1), float32 [batch].
        sampling: how to choose.
    """
    known = scores[:, FIRST:]
    return FIRST + tf.cond(
        sampling.temperature > 0,
        lambda: _drawn(known, uniform, sampling),
        lambda: tf.argmax(known, axis=1, output_type=tf.int32),
    )


def _drawn(scores: tf.Tensor, uniform: tf.Tensor, sampling: Sampling) -> tf.Tensor:
    """Where the distribution function of softmax(scores / temperature) exceeds `uniform`."""
    temperature = tf.maximum(sampling.temperature, _COLDEST)
    scaled = (scores - tf.reduce_max(scores, axis=1, keepdims=True)) / temperature
    count = tf.minimum(sampling.top_k, scores.shape[1])
    weights = tf.exp(tf.cond(count > 0, lambda: _best(scaled, count), lambda: scaled))
    below = tf.cumsum(weights, axis=1)
    point = uniform * _BELOW_ONE * below[:, -1]
    return tf.argmax(below > point[:, None], axis=1, output_type=tf.int32)


def _best(scores: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """`scores`, with -inf for all but the `count` highest of each row (and their equals)."""
    lowest = tf.math.top_k(scores, count).values[:, -1:]
    return tf.where(scores >= lowest, scores, float("-inf"))
