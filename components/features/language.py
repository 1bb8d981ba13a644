"""Text to windows of token ids, and ids to text, in stock TensorFlow ops: written once.

`transform` prepares the `windows` that a model trains on; an exported model scores texts by the
same windows, reads a prompt by `prompts` and writes by `continuation`. If the records of a corpus
are delimited (lines, paragraphs), a text is split at the delimiter first, and each part begins and
ends with it: one record in training is one sequence in serving.
"""

import tensorflow as tf

from millrace.components.features import tokens
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.tokenization import FIRST, PADDING, WORD_START

_UNREADABLE = "\N{REPLACEMENT CHARACTER}"  # stands for an unknown token, which has no text
_SPACE_AT_END = r"(?s).*\s"


def windows(
    text: tf.Tensor, spec: LanguageSpec, stride: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The windows of each text, one every `stride` tokens.

    Args:
        text: UTF-8, string [batch].
        spec: says what a token, a record and a window is.
        stride: at most the window's length. If equal, each token is `next` in exactly one window.

    Returns:
        tokens: int32 [windows, length], 0 where a window ends early.
        next: the token that follows each, int32 [windows, length], also 0 there.
        rows: the text that each window comes from, int32 [windows], ascending.
    """
    parts = _parts(text, spec)
    ids = _delimited(_ids(parts.flat_values, spec), spec)
    cut, sequences = _cut(ids, spec.sequence_length, stride)
    following = cut[:, 1:]
    present = tf.where(following == PADDING, PADDING, cut[:, :-1])
    return present, following, tf.gather(tf.cast(parts.value_rowids(), tf.int32), sequences)


def prompts(text: tf.Tensor, spec: LanguageSpec) -> tuple[tf.Tensor, tf.Tensor]:
    """The tokens that a model has to read before it continues each text.

    Of delimited records only the last one counts, since each starts fresh. A text without any
    token is continued like a beginning.

    Args:
        text: UTF-8, string [batch]; may be empty.
        spec: says what a token is.

    Returns:
        ids: int32 [batch, longest], 0 after the end of a shorter row.
        lengths: ids of each row, int32 [batch], at least 1.
    """
    last = _unix(text)
    if spec.delimiter:
        last = tf.strings.regex_replace(last, rf"(?s)\A.*{spec.delimiter}", "")
    ids = _ids(last, spec)
    starts = tf.fill([tf.size(text), 1], spec.start)
    needed = tf.ones_like(starts, tf.bool) if spec.delimiter else (ids.row_lengths() == 0)[:, None]
    ids = tf.concat([tf.ragged.boolean_mask(starts, needed), ids], axis=1)
    return ids.to_tensor(PADDING), tf.cast(ids.row_lengths(), tf.int32)


def continuation(ids: tf.Tensor, prompt: tf.Tensor, spec: LanguageSpec) -> tf.Tensor:
    """The text of `ids`, to be appended to `prompt`.

    Words are separated by a space, also from the prompt unless that is empty or ends in
    whitespace; characters and subwords bring their own.

    Args:
        ids: int32 [batch, length]; padding has no text.
        prompt: string [batch].
        spec: the vocabulary.

    Returns:
        string [batch].
    """
    pieces = tf.gather(tf.constant(["", _UNREADABLE, *spec.vocabulary]), ids)
    if spec.level == "character":
        return tf.strings.reduce_join(pieces, axis=1)
    ends = (ids == FIRST) if spec.delimiter else tf.zeros_like(ids, tf.bool)
    is_apart = (prompt == "") | tf.strings.regex_full_match(prompt, _SPACE_AT_END)
    after_gap = tf.concat([is_apart[:, None], ends], axis=1)[:, : tf.shape(ids)[1]]
    if spec.level == "word":
        gaps = tf.where(after_gap | ends | (ids == PADDING), "", " ")
        return tf.strings.reduce_join(tf.strings.join([gaps, pieces]), axis=1)
    bare = tf.strings.regex_replace(pieces, WORD_START, "")
    spaced = tf.strings.regex_replace(pieces, WORD_START, " ")
    return tf.strings.reduce_join(tf.where(after_gap, bare, spaced), axis=1)


def _parts(text: tf.Tensor, spec: LanguageSpec) -> tf.RaggedTensor:
    """The records of each text, ragged string [batch, (records)]; without empty ones."""
    text = _unix(text)
    if not spec.delimiter:
        return tf.RaggedTensor.from_tensor(text[:, None], ragged_rank=1)
    parts = tf.strings.split(text, spec.delimiter)
    return tokens.kept(parts, tf.strings.strip(parts.flat_values) != "")


def _unix(text: tf.Tensor) -> tf.Tensor:
    """`text` with its line breaks as line feeds."""
    return tf.strings.regex_replace(text, "\r\n?", "\n")


def _ids(text: tf.Tensor, spec: LanguageSpec) -> tf.RaggedTensor:
    """The ids of each text's tokens, ragged int32 [batch, (tokens)]."""
    plain = tokens.standardize(text, spec.standardize)
    return tokens.lookup(tokens.split(plain, spec.level, spec.vocabulary), spec.vocabulary)


def _delimited(ids: tf.RaggedTensor, spec: LanguageSpec) -> tf.RaggedTensor:
    """Each row between two delimiters, if records are delimited; rows without ids stay empty."""
    if not spec.delimiter:
        return ids
    one = tf.fill([ids.nrows(), 1], FIRST)
    edge = tf.ragged.boolean_mask(one, (ids.row_lengths() > 0)[:, None])
    return tf.concat([edge, ids, edge], axis=1)


def _cut(ids: tf.RaggedTensor, length: int, stride: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Windows of `length` + 1 ids, int32 [windows, length + 1], and each one's row [windows].

    A row of n ids has 1 + ceil((n - 1 - length) / stride) windows, at least one; none if it has
    fewer than two ids.
    """
    sizes = tf.cast(ids.row_lengths(), tf.int32)
    beyond = tf.maximum(0, sizes - 1 - length)
    counts = tf.where(sizes < 2, 0, 1 + (beyond + stride - 1) // stride)
    rows = tf.repeat(tf.range(tf.size(sizes)), counts)
    within = tf.ragged.range(counts).flat_values * stride
    offsets = within[:, None] + tf.range(length + 1)
    starts = tf.cast(ids.row_starts(), tf.int32)
    places = tf.gather(starts, rows)[:, None] + offsets
    is_there = offsets < tf.gather(sizes, rows)[:, None]
    found = tf.gather(ids.flat_values, tf.where(is_there, places, 0))
    return tf.where(is_there, found, PADDING), rows
