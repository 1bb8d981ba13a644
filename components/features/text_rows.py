"""Raw text records to transformed ones: token ids, letters and labels, ready to train on.

The ids are those of `features.text`, the ops that `export` serves: of most texts they come from
`features.token_ids`, which gives the same ones without TensorFlow and several times as fast. The
ops get what may not be the same there, and what one of them shortens first: texts that are not
UTF-8, that a function of the user's changes, or of megabytes.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.components.artifacts import Rejected
from millrace.components.features import letters, record, token_ids
from millrace.components.features.hook_spec import Hook
from millrace.components.features.text_spec import TextSpec
from millrace.components.features.text_survey import Tokenizer
from millrace.components.files import arrow_examples, columns
from millrace.serving import tensorflow_import

if TYPE_CHECKING:
    import tensorflow as tf

_AT_ONCE = 1 << 14  # texts without TensorFlow
_LONG = 1 << 22  # bytes of a text


def transform(
    batches: Iterable[pa.RecordBatch], place: str, spec: TextSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of raw ones.

    Yields `tokens` (int64 [sequence_length]), `letters` (bytes, if the spec has them), `label`
    (int64, index in the spec's classes) and `text/filename`, encoded. Rows without a text, or whose
    class is not in the train split, go to `rejected`.
    The arguments are those of `rows.transform`, the records as `files.columns` has them.
    """
    start = 0
    for batch in batches:
        labels, reasons = record.labels(batch, "text", spec.classes)
        texts, sources = record.texts(batch), record.sources(batch, "text")
        reasons[texts.is_null().to_numpy(zero_copy_only=False)] = f"no `{record.TEXT}`"
        is_usable = reasons == ""
        for number in np.flatnonzero(~is_usable).tolist():
            where = columns.position(place, start + number)
            rejected.append(Rejected(sources[number].as_py(), reasons[number], where))
        start += batch.num_rows
        usable = [array.filter(pa.array(is_usable)) for array in (texts, pa.array(labels), sources)]
        for rows in record.parts(usable[0], _AT_ONCE):
            content, label, source = (array[rows] for array in usable)
            start_of = 0
            for inputs in _rows_of(content, spec):
                tokens = inputs[record.TOKENS]
                part = slice(start_of, start_of + len(tokens))
                start_of = part.stop
                flat = tokens.astype(np.int64).ravel()
                cells = {
                    record.TOKENS: pa.FixedSizeListArray.from_arrays(flat, tokens.shape[1]),
                    record.INDEX: label[part],
                    record.filename("text"): source[part],
                }
                if spec.letters:
                    cells[record.LETTERS] = pa.array(
                        [row.tobytes() for row in inputs[record.LETTERS]]
                    )
                yield from arrow_examples.as_bytes(arrow_examples.records(cells))


def _rows_of(texts: pa.BinaryArray, spec: TextSpec) -> Iterator[dict[str, np.ndarray]]:
    """What a network takes of `texts` in their order, by the layout's names, some at a time."""
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if spec.hook or longest > _LONG or not token_ids.are_utf8(texts):
        for rows in record.parts(texts):
            yield inputs(texts[rows].to_pylist(), spec)
        return
    vocabulary, cut = _tokenizer(spec)
    content = texts.to_pylist()
    found = token_ids.of(content, cut, vocabulary)
    found = found if spec.oov_token else found.known()
    start = 0
    for ids in found.rows(spec.sequence_length, spec.padding, spec.truncating):
        part = content[start : start + len(ids)]
        start += len(ids)
        row = {record.TOKENS: ids}
        if spec.letters:
            row[record.LETTERS] = letters.of(
                part, spec.letters, strip_html=spec.strip_html, cased=spec.cased
            )
        yield row


@functools.lru_cache(maxsize=4)
def _tokenizer(spec: TextSpec) -> tuple[pa.StringArray, Tokenizer]:
    pieces = frozenset(spec.vocabulary if spec.level == "subword" else ())
    cut = Tokenizer(spec.level, spec.standardize, spec.strip_html, pieces)
    return pa.array(spec.vocabulary, pa.string()), cut


def inputs(texts: Sequence[bytes], spec: TextSpec) -> dict[str, np.ndarray]:
    """What a network takes of texts, [texts, ...], by the names of the layout."""
    tensorflow_import.load()
    import tensorflow as tf

    found = _compiled(spec)(tf.constant(texts, tf.string))
    return {name: values.numpy() for name, values in found.items()}


def preprocessed(batches: Iterable[pa.RecordBatch], hook: Hook) -> Iterator[pa.RecordBatch]:
    """The columns of raw records, their text replaced by what the function of `hook` returns.

    `transform` and `export` have that function in their graphs, see `features.text`; `analyze`,
    which needs no TensorFlow otherwise, counts tokens after this one.
    """
    tensorflow_import.load()
    import tensorflow as tf

    from millrace.components.features import hook as hooks
    from millrace.components.features import text

    for batch in batches:
        texts = record.texts(batch)
        changed = np.array([b""] * len(texts), object)
        for rows in record.parts(texts):
            given = tf.constant(texts[rows].fill_null(b"").to_pylist(), tf.string)
            changed[rows] = hooks.apply(hook, given, text.TEXTS).numpy()
        is_missing = texts.is_null().to_numpy(zero_copy_only=False)
        others = {name: batch.column(name) for name in batch.schema.names if name != record.TEXT}
        column = columns.of_array(changed[:, None], is_missing)
        yield pa.RecordBatch.from_pydict({**others, record.TEXT: column})


@functools.lru_cache(maxsize=4)
def _compiled(spec: TextSpec) -> "Callable[[tf.Tensor], dict[str, tf.Tensor]]":
    import tensorflow as tf

    from millrace.components.features import text

    return tf.function(
        lambda texts: text.inputs(texts, spec), input_signature=[text.TEXTS], autograph=False
    )
