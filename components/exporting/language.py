"""The signatures of a text generator: a prompt in, the prompt continued out; and its own loss.

serving_default  prompt, length, temperature -> text
generate         prompt, length, temperature, top_k, seed -> text
score            text -> loss, tokens, correct, unknown, unigram
"""

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from millrace.components.exporting import generation
from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.generation import Sampling
from millrace.components.exporting.saved_model import Endpoint, Outputs
from millrace.components.features import language, language_rows, record
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.tokenization import FIRST, PADDING, UNKNOWN
from millrace.serving.example import Decoded

_SCORES_AT_ONCE = 2**24  # floats: 64 MiB
_WRITTEN = 20  # tokens that are generated to be compared
_COMPARED = 4  # prompts whose continuation is computed the long way
_CLEAR = 1e-3  # of a score, either a logit or a probability

ScoreFunction = Callable[[tf.Tensor], tf.Tensor]  # ids int32 [batch, length] to scores of each id

_PROMPT = tf.TensorSpec([None], tf.string, name="prompt")
_LENGTH = tf.TensorSpec([], tf.int32, name="length")
_TEMPERATURE = tf.TensorSpec([], tf.float32, name="temperature")
_TOP_K = tf.TensorSpec([], tf.int32, name="top_k")
_SEED = tf.TensorSpec([], tf.int32, name="seed")
_TEXT = tf.TensorSpec([None], tf.string, name="text")


def endpoints(model: keras.Model, spec: LanguageSpec) -> dict[str, Endpoint]:
    """Each signature's function and its inputs, by name.

    Args:
        model: an inference network of `models.language`.
        spec: how text becomes ids.

    Returns:
        serving_default: prompt string [batch], length int32 [], temperature float32 [] -> text
            string [batch], the prompt and `length` more tokens; the same for the same inputs.
        generate: the same with top_k int32 [] and seed int32 [].
        score: text string [batch] -> loss float32 [batch] (nats, summed over its tokens),
            tokens int32 [batch] (how many there are), correct int32 [batch] (those that were
            the likeliest), unknown int32 [batch] (those not in the vocabulary), unigram
            float32 [batch] (the loss of a model that knows only the counts of tokens).
    """

    @tf.function(input_signature=[_PROMPT, _LENGTH, _TEMPERATURE, _TOP_K, _SEED])
    def continued(
        prompt: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        sampling = Sampling(temperature, top_k, seed)
        with tf.control_dependencies(generation.check(length, sampling)):
            ids = generation.write(model, spec, prompt, length, sampling)
        return tf.strings.join([prompt, language.continuation(ids, prompt, spec)])

    def predict(prompt: tf.Tensor, length: tf.Tensor, temperature: tf.Tensor) -> Outputs:
        return {"text": continued(prompt, length, temperature, 0, 0)}

    def generate(*inputs: tf.Tensor) -> Outputs:
        return {"text": continued(*inputs)}

    return {
        "serving_default": (predict, (_PROMPT, _LENGTH, _TEMPERATURE)),
        "generate": (generate, (_PROMPT, _LENGTH, _TEMPERATURE, _TOP_K, _SEED)),
        "score": (functools.partial(score, model, spec), (_TEXT,)),
    }


def score(model: keras.Model, spec: LanguageSpec, text: tf.Tensor) -> Outputs:
    """What the signature `score` answers to texts, string [batch]."""
    tokens, following, rows = language.windows(text, spec, spec.sequence_length)
    surprise = tf.constant(unigram(spec))
    is_token = following != PADDING
    losses, hits = _scored(model, spec, tokens, following)
    batch = tf.size(text)

    def per_text(values: tf.Tensor) -> tf.Tensor:
        of_window = tf.reduce_sum(tf.where(is_token, values, tf.zeros_like(values)), axis=1)
        return tf.math.unsorted_segment_sum(of_window, rows, batch)

    def count(values: tf.Tensor) -> tf.Tensor:
        return per_text(tf.cast(values, tf.int32))

    return {
        "loss": per_text(losses),
        "tokens": count(is_token),
        "correct": count(hits),
        "unknown": count(following == UNKNOWN),
        "unigram": per_text(tf.gather(surprise, following)),
    }


def _scored(
    model: keras.Model, spec: LanguageSpec, tokens: tf.Tensor, following: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss of each next token in nats, float32 [windows, length], and whether it led.

    A few windows at a time, since the scores of all of them might not fit into memory.
    """
    at_once = max(1, _SCORES_AT_ONCE // (spec.sequence_length * spec.tokens))
    windows = tf.shape(tokens)[0]
    parts = -(-windows // at_once)
    shape = [None, spec.sequence_length]
    losses = tf.TensorArray(tf.float32, parts, infer_shape=False, element_shape=shape)
    hits = tf.TensorArray(tf.bool, parts, infer_shape=False, element_shape=shape)

    def step(
        part: tf.Tensor, losses: tf.TensorArray, hits: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
        some = slice(part * at_once, (part + 1) * at_once)
        truth = following[some]
        logs = _log_probabilities(model, tokens[some])
        loss = -tf.gather(logs, truth, batch_dims=2)
        hit = tf.argmax(logs, axis=2, output_type=tf.int32) == truth
        return part + 1, losses.write(part, loss), hits.write(part, hit)

    _, losses, hits = tf.while_loop(
        lambda part, *_: part < parts, step, (tf.constant(0), losses, hits)
    )
    empty = tf.zeros([0, spec.sequence_length])
    found = tf.cond(windows > 0, losses.concat, lambda: empty)
    return found, tf.cond(windows > 0, hits.concat, lambda: empty > 0)


def _log_probabilities(model: keras.Model, tokens: tf.Tensor) -> tf.Tensor:
    """Of each id as the next, float32 [windows, length, ids], whatever `model` ends in."""
    raw = model(tokens, training=False)
    if _ends_in_logits(model):
        return tf.nn.log_softmax(raw)
    return tf.math.log(tf.maximum(raw, np.finfo(np.float32).tiny))


def _ends_in_logits(model: keras.Model) -> bool:
    return model.layers[-1].activation is keras.activations.linear


def unigram(spec: LanguageSpec) -> np.ndarray:
    """The loss of each id in nats by its count in the train split, float32 [ids].

    -log((count + 1) / (all + ids)), Laplace's rule, so that an id never seen has a loss too.
    Padding is never predicted: 0.
    """
    counts = np.array(spec.counts, np.float64) + 1
    return np.concatenate([[0.0], -np.log(counts / counts.sum())]).astype(np.float32)


def reference(model: keras.Model, spec: LanguageSpec, rows: Sequence[Decoded]) -> Reference:
    """What the signatures should answer to raw `rows`, computed on the path of training.

    `score` by Keras's own loss of the network on whole windows; the continuation of the first few
    records by running that network on the whole text again after each token. A text is compared
    only if no two tokens were close to a tie.
    """
    # Eagerly, Keras runs a recurrent layer as a loop in Python.
    network = tf.function(
        functools.partial(model, training=False),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
    )
    texts = [record.text(row) or b"" for row in rows]
    is_logits = _ends_in_logits(model)
    windows = language_rows.windows(texts, spec, spec.sequence_length)
    losses, counts = zip(
        *(_trained_loss(network, each, is_logits) for each in windows), strict=True
    )
    written = [_greedy(network, spec, prompt) for prompt in texts[:_COMPARED]]
    written += [(b"", False)] * (len(texts) - len(written))
    continued = (
        np.array([text.decode(errors="backslashreplace") for text, _ in written]),
        np.array([is_clear for _, is_clear in written]),
    )
    return Reference(
        numbers={
            "score/loss": np.array(losses, np.float32),
            "score/tokens": np.array(counts, np.int32),
        },
        texts={"serving_default/text": continued, "generate/text": continued},
    )


def _trained_loss(
    network: ScoreFunction, windows: language_rows.TokenWindows, is_logits: bool
) -> tuple[float, int]:
    """The summed loss of a text's windows as in training, and over how many tokens."""
    tokens, following = windows
    if not len(tokens):
        return 0.0, 0
    losses = keras.losses.sparse_categorical_crossentropy(
        following, network(tf.constant(tokens)), from_logits=is_logits, ignore_class=PADDING
    )
    return float(np.asarray(losses, np.float64).sum()), int((following != PADDING).sum())


def _greedy(network: ScoreFunction, spec: LanguageSpec, prompt: bytes) -> tuple[bytes, bool]:
    """`prompt` and the likeliest tokens after it, and whether each led by a clear margin."""
    ids = language.prompts(tf.constant([prompt]), spec)[0].numpy()[0].tolist()
    written: list[int] = []
    is_clear = True
    for _ in range(_WRITTEN):
        scores = network(tf.constant([ids]))[0, -1, FIRST:].numpy()
        second, first = np.sort(scores)[-2:]
        is_clear &= bool(first - second > _CLEAR)
        written.append(FIRST + int(scores.argmax()))
        begins = bool(spec.delimiter) and written[-1] == FIRST
        ids = [FIRST] if begins else [*ids, written[-1]]
    text = language.continuation(tf.constant([written]), tf.constant([prompt]), spec)
    return prompt + text.numpy()[0], is_clear
