"""Raw text records to transformed ones: token ids and labels, ready to train on.

The ids come from `features.text`, the ops that `export` serves.
"""

import functools
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.features import text, text_record
from millrace.components.features.text_spec import TextSpec
from millrace.serving.example import Decoded, encode


def transform(
    rows: Iterable[tuple[Decoded, str]], spec: TextSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records of `rows`: raw ones, each with its position.

    Yields `tokens` (int64 [sequence_length]), `label` (int64, index in the spec's classes) and
    `text/filename`, encoded. Rows without a text, or whose class is not in the train split, go to
    `rejected`.
    """
    usable = _usable(rows, spec, rejected)
    preprocess = _compiled(spec)
    for batch in text_record.batches(usable, lambda row: len(row[1])):
        ids = preprocess(tf.constant([content for _, content, _ in batch])).numpy()
        for (row, _, label), tokens in zip(batch, ids, strict=True):
            name = text_record.source(row)
            yield encode(
                {text_record.TOKENS: tokens, text_record.INDEX: label, text_record.FILENAME: name}
            )


def _usable(
    rows: Iterable[tuple[Decoded, str]], spec: TextSpec, rejected: list[Rejected]
) -> Iterator[tuple[Decoded, bytes, int]]:
    """Each row that has a text and a known class, its text and its label."""
    labels = {name: label for label, name in enumerate(spec.classes)}
    for row, position in rows:
        name, content = text_record.class_name(row), text_record.text(row)
        if content is not None and name in labels:
            yield row, content, labels[name]
            continue
        reason = "no class" if name is None else f"class {name!r} is not in the train split"
        if content is None:
            reason = f"no `{text_record.TEXT}`"
        rejected.append(Rejected(text_record.source(row), reason, position))


@functools.lru_cache(maxsize=4)
def _compiled(spec: TextSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(lambda texts: text.preprocess(texts, spec), input_signature=signature)
