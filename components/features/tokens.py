"""Text to token ids in stock TensorFlow ops: written once, for training and for serving.

    ids = pad(lookup(split(standardize(text, "lower"), "word"), vocabulary), 120)

`text` is UTF-8, string [batch]; `split` gives the pieces as a ragged string tensor [batch,
(pieces)], `lookup` their ids as a ragged int32 tensor, `pad` a dense int32 [batch, length]. A
vocabulary is a tuple of distinct pieces without padding and unknown: the id of its piece i is
i + 2, so a network needs `len(vocabulary) + 2` ids.

Nothing here is a resource: a vocabulary is a constant of the graph, looked up by fingerprint, so
there is no table for an export to track or a server to initialise. The rules, and the same
functions without TensorFlow, are in `features.tokenization`.
"""

import functools
import itertools

import numpy as np
import tensorflow as tf

from millrace.components.errors import DataError
from millrace.components.features import tokenization
from millrace.components.features.tokenization import (
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
_TO_THE_END = np.iinfo(np.int32).max  # characters


def standardize(
    text: tf.Tensor, how: Standardize = "lower_and_strip_punctuation", *, strip_html: bool = False
) -> tf.Tensor:
    """`text` (string [batch]) with every code point mapped, string [batch].

    Bytes that are not valid UTF-8 become U+FFFD. With `strip_html`, each tag becomes a space first.
    """
    if strip_html:
        text = without_tags(text)
    if how == "none":
        return text
    points = tf.strings.unicode_decode(text, "UTF-8")
    mapped = tf.ragged.map_flat_values(_mapped, points, how)
    return tf.strings.unicode_encode(kept(mapped, mapped.flat_values != _REMOVED), "UTF-8")


def without_tags(text: tf.Tensor) -> tf.Tensor:
    """`text` (string [batch]) with each HTML tag replaced by a space."""
    return tf.strings.regex_replace(text, tokenization.TAG, " ")


def kept(rows: tf.RaggedTensor, mask: tf.Tensor) -> tf.RaggedTensor:
    """The values of `rows` ([batch, (values)]) for which `mask` (bool [values]) is true.

    Like `tf.ragged.boolean_mask`, but that makes the mask dense to count it: rows times the longest
    of them, gigabytes for one long text among a few hundred short ones.
    """
    before = tf.concat([[0], tf.cumsum(tf.cast(mask, rows.row_splits.dtype))], axis=0)
    splits = tf.gather(before, rows.row_splits)
    values = tf.boolean_mask(rows.flat_values, mask)
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def _mapped(points: tf.Tensor, how: Standardize) -> tf.Tensor:
    """What `tokenization.table` makes of code points (int32 [points]); -1 means removed."""
    index, pages = _pages(how)
    page = tf.gather(tf.constant(index), tf.minimum(points // _PAGE, len(index) - 1))
    shift = tf.gather(tf.reshape(tf.constant(pages), [-1]), page * _PAGE + points % _PAGE)
    return tf.where(shift == _REMOVED, _REMOVED, tf.bitwise.bitwise_xor(points, shift))


@functools.cache
def _pages(how: Standardize) -> tuple[np.ndarray, np.ndarray]:
    """The table in two steps: the page of each 256 code points, int32, and the distinct pages.

    A page holds what each code point is XORed with: 0 leaves it, -1 removes it. The last entry of
    the index stands for all code points beyond.
    """
    table = tokenization.table(how)
    size = (max(table) // _PAGE + 2) * _PAGE
    changes = np.zeros(size, np.int32)
    for point, target in table.items():
        changes[point] = _REMOVED if target is None else point ^ target
    pages, index = np.unique(changes.reshape(-1, _PAGE), axis=0, return_inverse=True)
    return index.reshape(-1).astype(np.int32), pages


def split(
    text: tf.Tensor, level: Level, pieces: tuple[str, ...] = (), *, most: int | None = None
) -> tf.RaggedTensor:
    """The tokens of standardised text (string [batch]), ragged string [batch, (tokens)].

    `pieces` is the vocabulary if the level is `subword`, `most` the number of pieces after which
    the rest of a word does not matter.
    """
    if level == "character":
        return tf.strings.unicode_split(text, "UTF-8")
    words = tf.strings.split(text)
    return words if level == "word" else _subwords(words, pieces, most)


def _subwords(words: tf.RaggedTensor, pieces: tuple[str, ...], most: int | None) -> tf.RaggedTensor:
    """Words (ragged [batch, (words)]) as the longest matching pieces, [batch, (pieces)].

    Each distinct word is split once: all of them at the same time, a piece per step.
    """
    distinct, places = tf.unique(words.flat_values)
    marked = tf.strings.join([WORD_START, distinct])
    cut = _cut(marked, pieces, most)
    nested = words.with_flat_values(places)
    return tf.gather(cut, nested).merge_dims(1, 2)


def _cut(words: tf.Tensor, pieces: tuple[str, ...], most: int | None) -> tf.RaggedTensor:
    """The pieces of each word (string [words]), ragged string [words, (pieces)]."""
    longest = min(LONGEST_PIECE, max(map(len, pieces), default=1))
    cut, owners = (
        tf.TensorArray(dtype, 0, dynamic_size=True, infer_shape=False, element_shape=[None])
        for dtype in (tf.string, tf.int32)
    )

    def step(
        count: tf.Tensor,
        left: tf.Tensor,
        rest: tf.Tensor,
        cut: tf.TensorArray,
        owners: tf.TensorArray,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray]:
        start = _substrings(rest, 0, longest)
        taken = _longest(start, longest, pieces)
        cut = cut.write(count, _substrings(start, 0, taken))
        owners = owners.write(count, left)
        rest = _substrings(rest, taken, _TO_THE_END)
        is_left = rest != ""
        left, rest = tf.boolean_mask(left, is_left), tf.boolean_mask(rest, is_left)
        return count + 1, left, rest, cut, owners

    every = tf.range(tf.size(words))
    shapes = (tf.TensorShape([]), *[tf.TensorShape([None])] * 2, *[tf.TensorShape(None)] * 2)
    *_, cut, owners = tf.while_loop(
        lambda count, left, *_: (count == 0) | (tf.size(left) > 0),
        step,
        (tf.constant(0), every, words, cut, owners),
        shape_invariants=shapes,
        maximum_iterations=most,
    )
    return _by_owner(cut.concat(), owners.concat(), tf.size(words))


def _longest(starts: tf.Tensor, most: int, pieces: tuple[str, ...]) -> tf.Tensor:
    """The length of the longest piece that each of `starts` begins with, at least 1.

    Args:
        starts: of words, string [words].
        most: characters of a piece.
        pieces: the vocabulary.

    Returns:
        int32 [words].
    """
    sizes = tf.range(1, 1 + most)
    shape = [tf.size(starts), most]
    tried = _substrings(tf.broadcast_to(starts[:, None], shape), 0, tf.broadcast_to(sizes, shape))
    fits = sizes <= tf.strings.length(starts, "UTF8_CHAR")[:, None]
    found = fits & (_ids(tried, pieces) != UNKNOWN)
    return tf.maximum(1, tf.reduce_max(tf.where(found, sizes, 0), axis=1))


def _substrings(words: tf.Tensor, start: int | tf.Tensor, length: int | tf.Tensor) -> tf.Tensor:
    """Parts of `words` by characters; each start lies within or at the end."""
    shape = tf.shape(words)
    start, length = (tf.broadcast_to(each, shape) for each in (start, length))
    return tf.strings.substr(words, start, length, "UTF8_CHAR")


def _by_owner(values: tf.Tensor, owners: tf.Tensor, count: tf.Tensor) -> tf.RaggedTensor:
    """`values` as a row for each of `count` owners, in their order."""
    order = tf.argsort(owners, stable=True)
    lengths = tf.cast(tf.math.bincount(owners, minlength=count, maxlength=count), tf.int64)
    return tf.RaggedTensor.from_row_lengths(tf.gather(values, order), lengths, validate=False)


def lookup(
    pieces: tf.RaggedTensor, vocabulary: tuple[str, ...], *, drop_unknown: bool = False
) -> tf.RaggedTensor:
    """The ids of pieces (ragged string [batch, (pieces)]), ragged int32; 1 for an unknown one.

    Raises:
        DataError: two pieces of the vocabulary are the same, or have the same fingerprint.
    """
    ids = tf.ragged.map_flat_values(_ids, pieces, vocabulary)
    return kept(ids, ids.flat_values != UNKNOWN) if drop_unknown else ids


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
    """Sorted fingerprints, with the pieces and the ids that they belong to."""
    encoded = [piece.encode() for piece in vocabulary]
    with tf.init_scope():
        prints = _fingerprints(tf.constant(encoded)).numpy()
    order = np.argsort(prints, kind="stable")
    twins = (pair for pair in itertools.pairwise(order) if prints[pair[0]] == prints[pair[1]])
    for one, other in twins:
        raise DataError(
            "Vocabulary: expected pieces with distinct fingerprints. Received: "
            f"{vocabulary[one]!r} and {vocabulary[other]!r}. Remove one of them."
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
        truncating: where a longer row is cut.
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
