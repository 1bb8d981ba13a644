"""Text to token ids in stock TensorFlow ops: written once, for training and for serving.

    ids = pad(lookup(split(standardize(text, "lower"), "word"), vocabulary), 120)

`text` is UTF-8, string [batch]; `split` gives the pieces as a ragged string tensor [batch,
(pieces)], `lookup` their ids as a ragged int32 tensor, `pad` a dense int32 [batch, length]. A
vocabulary is a tuple of distinct pieces without padding and unknown: the id of its piece i is
i + 2, so a network needs `len(vocabulary) + 2` ids.

Nothing here is a resource: a vocabulary is a constant of the graph, looked up by fingerprint,
so that there is no table for an export to track or a server to initialise. The rules, and the
same functions without TensorFlow, are in `features.tokenization`.
"""

import functools
import itertools

import numpy as np
import tensorflow as tf

from components.errors import DataError
from components.features import tokenization
from components.features.tokenization import (
    FIRST,
    LONGEST_PIECE,
    UNKNOWN,
    WORD_START,
    Level,
    Side,
    Standardize,
)

_PAGE = 256  # code points; the table is kept as the few pages on which something changes
_REMOVED = -1


def standardize(
    text: tf.Tensor, how: Standardize = "lower_and_strip_punctuation", *, strip_html: bool = False
) -> tf.Tensor:
    """`text` (string [batch]) with every code point mapped, string [batch].

    Bytes that are no UTF-8 become U+FFFD. With `strip_html`, each tag becomes a space first.
    """
    if strip_html:
        text = tf.strings.regex_replace(text, tokenization.TAG, " ")
    if how == "none":
        return text
    points = tf.strings.unicode_decode(text, "UTF-8")
    mapped = tf.ragged.map_flat_values(_mapped, points, how)
    kept = tf.ragged.boolean_mask(mapped, mapped != _REMOVED)
    return tf.strings.unicode_encode(kept, "UTF-8")


def _mapped(points: tf.Tensor, how: Standardize) -> tf.Tensor:
    """What `tokenization.table` makes of code points (int32 [points]); -1 is removed."""
    index, pages = _pages(how)
    page = tf.gather(tf.constant(index), tf.minimum(points // _PAGE, len(index) - 1))
    shift = tf.gather(tf.reshape(tf.constant(pages), [-1]), page * _PAGE + points % _PAGE)
    return tf.where(shift == _REMOVED, _REMOVED, tf.bitwise.bitwise_xor(points, shift))


@functools.cache
def _pages(how: Standardize) -> tuple[np.ndarray, np.ndarray]:
    """The table in two steps: the page of each 256 code points, int32, and the distinct pages.

    A page holds what the code point is XORed with, 0 to stay as it is, and -1 to be removed. The
    last entry of the index stands for all code points beyond.
    """
    table = tokenization.table(how)
    size = (max(table) // _PAGE + 2) * _PAGE
    changes = np.zeros(size, np.int32)
    for point, target in table.items():
        changes[point] = _REMOVED if target is None else point ^ target
    pages, index = np.unique(changes.reshape(-1, _PAGE), axis=0, return_inverse=True)
    return index.reshape(-1).astype(np.int32), pages


def split(text: tf.Tensor, level: Level, pieces: tuple[str, ...] = ()) -> tf.RaggedTensor:
    """The tokens of standardised text (string [batch]), ragged string [batch, (tokens)].

    `pieces` is the vocabulary where the level is `subword`.
    """
    if level == "character":
        return tf.strings.unicode_split(text, "UTF-8")
    words = tf.strings.split(text)
    return words if level == "word" else _subwords(words, pieces)


def _subwords(words: tf.RaggedTensor, pieces: tuple[str, ...]) -> tf.RaggedTensor:
    """Words (ragged [batch, (words)]) as the longest pieces that fit, [batch, (pieces)].

    Each distinct word is cut once: all of them at the same time, a piece per step.
    """
    distinct, places = tf.unique(words.flat_values)
    marked = tf.strings.join([WORD_START, distinct])
    cut = _cut(marked, pieces)
    nested = words.with_flat_values(places)
    return tf.gather(cut, nested).merge_dims(1, 2)


def _cut(words: tf.Tensor, pieces: tuple[str, ...]) -> tf.RaggedTensor:
    """The pieces of each word (string [words]), ragged string [words, (pieces)]."""
    lengths = tf.strings.length(words, "UTF8_CHAR")
    sizes = tf.range(1, 1 + min(LONGEST_PIECE, max(map(len, pieces), default=1)))
    steps = tf.TensorArray(tf.string, 0, dynamic_size=True, element_shape=[None])

    def longest(starts: tf.Tensor) -> tf.Tensor:
        """The characters of the longest piece at each start, int32 [words]; at least one."""
        fits = starts[:, None] + sizes <= lengths[:, None]
        tried = _substrings(words[:, None], starts[:, None] + tf.zeros_like(sizes), sizes)
        found = fits & (_ids(tried, pieces) != UNKNOWN)
        return tf.maximum(1, tf.reduce_max(tf.where(found, sizes, 0), axis=1))

    def step(
        count: tf.Tensor, starts: tf.Tensor, steps: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        taken = longest(starts)
        return count + 1, starts + taken, steps.write(count, _substrings(words, starts, taken))

    def unfinished(count: tf.Tensor, starts: tf.Tensor, steps: tf.TensorArray) -> tf.Tensor:
        return (count == 0) | tf.reduce_any(starts < lengths)

    start = tf.zeros_like(lengths)
    shapes = [tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape(None)]
    _, _, steps = tf.while_loop(
        unfinished, step, [tf.constant(0), start, steps], shape_invariants=shapes
    )
    grid = tf.transpose(tf.reshape(steps.stack(), [-1, tf.size(words)]))
    return tf.ragged.boolean_mask(grid, grid != "")


def _substrings(words: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Parts of `words` by characters; "" where a start lies behind the end."""
    shape = tf.shape(starts)
    whole = tf.broadcast_to(words, shape)
    sizes = tf.broadcast_to(lengths, shape)
    within = starts < tf.strings.length(whole, "UTF8_CHAR")
    parts = tf.strings.substr(whole, tf.where(within, starts, 0), sizes, "UTF8_CHAR")
    return tf.where(within, parts, "")


def lookup(
    pieces: tf.RaggedTensor, vocabulary: tuple[str, ...], *, drop_unknown: bool = False
) -> tf.RaggedTensor:
    """The ids of pieces (ragged string [batch, (pieces)]), ragged int32; 1 if not in there.

    Raises:
        DataError: two pieces of the vocabulary are the same.
    """
    ids = tf.ragged.map_flat_values(_ids, pieces, vocabulary)
    return tf.ragged.boolean_mask(ids, ids != UNKNOWN) if drop_unknown else ids


def _ids(pieces: tf.Tensor, vocabulary: tuple[str, ...]) -> tf.Tensor:
    """The ids of pieces (string, any shape), int32 of that shape."""
    if not vocabulary:
        return tf.fill(tf.shape(pieces), UNKNOWN)
    prints, words, ids = _sorted(vocabulary)
    flat = tf.reshape(pieces, [-1])
    found = tf.searchsorted(tf.constant(prints), _fingerprints(flat))
    place = tf.minimum(found, len(prints) - 1)
    is_known = tf.gather(tf.constant(words), place) == flat
    return tf.reshape(
        tf.where(is_known, tf.gather(tf.constant(ids), place), UNKNOWN), tf.shape(pieces)
    )


def _fingerprints(pieces: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_hash_bucket_fast(pieces, np.iinfo(np.int64).max)


@functools.lru_cache(maxsize=8)
def _sorted(vocabulary: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fingerprints in their order, with the pieces and the ids that they belong to."""
    encoded = [piece.encode() for piece in vocabulary]
    with tf.init_scope():
        prints = _fingerprints(tf.constant(encoded)).numpy()
    order = np.argsort(prints, kind="stable")
    twins = (pair for pair in itertools.pairwise(order) if prints[pair[0]] == prints[pair[1]])
    for one, other in twins:
        raise DataError(
            "Vocabulary: expected pieces with fingerprints of their own. Received: "
            f"{vocabulary[one]!r} and {vocabulary[other]!r}. Leave one of them out."
        )
    ids = (order + FIRST).astype(np.int32)
    return prints[order], np.array(encoded, object)[order], ids


def pad(
    ids: tf.RaggedTensor, length: int, padding: Side = "post", truncating: Side = "post"
) -> tf.Tensor:
    """Rows of exactly `length` ids: int32 [batch, length], zeros where a row is shorter.

    Args:
        ids: ragged int32 [batch, (ids)].
        length: of every row.
        padding: where the zeros go.
        truncating: where a longer row loses what is too much.
    """
    if truncating == "pre":
        ids = ids[:, -length:]
    rows = ids.to_tensor(0, shape=[None, length])
    if padding == "post":
        return rows
    missing = length - tf.minimum(tf.cast(ids.row_lengths(), tf.int32), length)
    source = tf.range(length) - missing[:, None]
    moved = tf.gather(rows, tf.maximum(source, 0), batch_dims=1)
    return tf.where(source >= 0, moved, 0)
