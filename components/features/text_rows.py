"""Raw text records to transformed ones: token ids and labels, ready to train on.

The ids come from `features.text`, the ops that `export` serves.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.features import hook as hooks
from millrace.components.features import record, text
from millrace.components.features.hook_spec import Hook
from millrace.components.features.text_spec import TextSpec
from millrace.components.files import arrow_examples, columns


def transform(
    batches: Iterable[pa.RecordBatch], place: str, spec: TextSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of raw ones.

    Yields `tokens` (int64 [sequence_length]), `label` (int64, index in the spec's classes) and
    `text/filename`, encoded. Rows without a text, or whose class is not in the train split, go to
    `rejected`.
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
        for rows in record.parts(usable[0]):
            content, label, source = (array[rows] for array in usable)
            tokens = ids(content.to_pylist(), spec).astype(np.int64)
            cells = {
                record.TOKENS: pa.FixedSizeListArray.from_arrays(tokens.ravel(), tokens.shape[1]),
                record.INDEX: label,
                record.filename("text"): source,
            }
            yield from arrow_examples.as_bytes(arrow_examples.records(cells))


def ids(texts: Sequence[bytes], spec: TextSpec) -> np.ndarray:
    """The ids of texts, as a model takes them: int32 [texts, sequence_length]."""
    found: np.ndarray = _compiled(spec)(tf.constant(texts, tf.string)).numpy()
    return found


def preprocessed(batches: Iterable[pa.RecordBatch], hook: Hook) -> Iterator[pa.RecordBatch]:
    """The columns of raw records, their text replaced by what the function of `hook` returns.

    `transform` and `export` have that function in their graphs, see `features.text`; `analyze`,
    which needs no TensorFlow otherwise, counts tokens after this one.
    """
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
def _compiled(spec: TextSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    return tf.function(
        lambda texts: text.preprocess(texts, spec), input_signature=[text.TEXTS], autograph=False
    )
