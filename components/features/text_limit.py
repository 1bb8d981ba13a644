"""The part of a long text that can matter if only its first or last tokens are kept.

Standardising and tokenizing a text takes 70 bytes of memory for each of its own, so a book among
messages is shortened first, by operations on strings that need little more memory than the text
itself. The resulting ids are the same for any text: a property test compares them with those of the
whole text.

1. What `standardize` would remove is removed first, and what it would turn into a space becomes
   one. Each word that is left then gives at least one token, each character exactly one.
2. Of characters, the first (or last) `length` are kept; of words, as many words. A word longer
   than every piece of the vocabulary is unknown, whatever it ends in, and of a word that is cut
   into subwords the first `length` pieces have at most 16 times as many characters.

If unknown tokens are dropped, any word may matter, and all are kept.
"""

import functools

import numpy as np
import tensorflow as tf

from millrace.components.features import tokenization
from millrace.components.features.text_spec import TextSpec
from millrace.components.features.tokenization import LONGEST_PIECE, Standardize

_SHORT = 4096  # bytes; tokenizing a text up to here is as fast as looking at it twice
_TO_THE_END = np.iinfo(np.int32).max  # characters


def shortened(text: tf.Tensor, spec: TextSpec) -> tf.Tensor:
    """Texts with the same ids as `text`, no longer than the part that these can depend on.

    Args:
        text: string [batch], already without tags if they are stripped.
        spec: how it becomes ids.

    Returns:
        string [batch]; `text` itself if all are short.
    """
    is_long = tf.reduce_any(tf.strings.length(text) > _SHORT)
    return tf.cond(is_long, lambda: _shortened(text, spec), lambda: tf.identity(text))


def _shortened(text: tf.Tensor, spec: TextSpec) -> tf.Tensor:
    text = _reduced(text, spec.standardize)
    if spec.oov_token is None:
        return text
    if spec.level == "character":
        return _characters(text, spec)
    is_start = spec.truncating == "post"
    words = tf.strings.split(text, maxsplit=spec.sequence_length if is_start else -1)
    words = words[:, : spec.sequence_length] if is_start else words[:, -spec.sequence_length :]
    if spec.level == "word":
        longest = 1 + max(map(len, spec.vocabulary), default=0)
        words = tf.ragged.map_flat_values(_beginning, words, longest)
    elif is_start:
        longest = LONGEST_PIECE * (spec.sequence_length + 1)
        words = tf.ragged.map_flat_values(_beginning, words, longest)
    return tf.strings.reduce_join(words, axis=1, separator=" ")


def _characters(text: tf.Tensor, spec: TextSpec) -> tf.Tensor:
    if spec.truncating == "post":
        return _beginning(text, spec.sequence_length)
    # If a text begins within a character, such as b"\x80", that one is not counted: keep it too.
    count = tf.strings.length(text, "UTF8_CHAR")
    start = tf.maximum(0, count - spec.sequence_length)
    return tf.strings.substr(text, start, tf.fill(tf.shape(text), _TO_THE_END), "UTF8_CHAR")


def _beginning(text: tf.Tensor, characters: int) -> tf.Tensor:
    return tf.strings.substr(text, 0, characters, "UTF8_CHAR")


def _reduced(text: tf.Tensor, how: Standardize) -> tf.Tensor:
    """`text` without what `how` removes, and with spaces where it puts them."""
    if how == "none":
        return text
    # Otherwise an invalid byte could become valid UTF-8 once the characters in between are gone.
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
    removed, spaces = _classes(how)
    if removed:
        text = tf.strings.regex_replace(text, f"{removed}+", "")
    return tf.strings.regex_replace(text, spaces, " ")


@functools.cache
def _classes(how: Standardize) -> tuple[str, str]:
    """The code points that are removed and those that become a space, as RE2's classes."""
    table = tokenization.table(how)
    removed = [point for point, target in table.items() if target is None]
    spaces = [point for point, target in table.items() if target == ord(" ")]
    return _class(removed), _class(spaces)


def _class(points: list[int]) -> str:
    inside = "".join(rf"\x{{{point:x}}}" for point in sorted(points))
    return f"[{inside}]" if points else ""
