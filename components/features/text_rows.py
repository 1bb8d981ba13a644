"""Raw text records to transformed ones: token ids and labels, ready to train on.

The ids come from `features.text`, the ops that `export` serves.
"""

import functools
from collections.abc import Callable, Iterable, Iterator

import tensorflow as tf

from millrace.components.artifacts import Rejected
from millrace.components.features import hook as hooks
from millrace.components.features import record, text
from millrace.components.features.hook_spec import Hook
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
    filename = record.filename("text")
    for batch in record.batches(usable, lambda row: len(row[1])):
        ids = preprocess(tf.constant([content for _, content, _ in batch])).numpy()
        for (row, _, label), tokens in zip(batch, ids, strict=True):
            source = record.source(row, "text")
            yield encode({record.TOKENS: tokens, record.INDEX: label, filename: source})


def preprocessed(rows: Iterable[Decoded], hook: Hook) -> Iterator[Decoded]:
    """Each raw record, its text replaced by what the function of `hook` returns.

    `transform` and `export` have that function in their graphs, see `features.text`; `analyze`,
    which needs no TensorFlow otherwise, counts tokens after this one. A record without a text
    stays as it is.
    """
    for batch in record.batches(rows, lambda row: len(record.text(row) or b"")):
        texts = [record.text(row) or b"" for row in batch]
        changed = hooks.apply(hook, tf.constant(texts), text.TEXTS).numpy()
        for row, content in zip(batch, changed, strict=True):
            has_text = record.text(row) is not None
            yield {**row, record.TEXT: [content]} if has_text else row


def _usable(
    rows: Iterable[tuple[Decoded, str]], spec: TextSpec, rejected: list[Rejected]
) -> Iterator[tuple[Decoded, bytes, int]]:
    """Each row that has a text and a known class, its text and its label."""
    labels = {name: label for label, name in enumerate(spec.classes)}
    for row, position in rows:
        content, label = record.text(row), record.label_of(row, "text", labels)
        if content is not None and not isinstance(label, str):
            yield row, content, label
            continue
        reason = f"no `{record.TEXT}`" if content is None else str(label)
        rejected.append(Rejected(record.source(row, "text"), reason, position))


@functools.lru_cache(maxsize=4)
def _compiled(spec: TextSpec) -> Callable[[tf.Tensor], tf.Tensor]:
    return tf.function(
        lambda texts: text.preprocess(texts, spec), input_signature=[text.TEXTS], autograph=False
    )
