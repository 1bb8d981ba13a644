"""Raw text records with a person's own preprocessing applied, for whoever counts tokens.

`transform` and `export` have it in their graph, see `features.text`; `analyze`, which needs no
TensorFlow otherwise, runs the same function over batches of the records that it reads.
"""

from collections.abc import Iterable, Iterator

import tensorflow as tf

from millrace.components.features import hook as hooks
from millrace.components.features import text_record
from millrace.components.features.hook_spec import Hook
from millrace.components.features.text import TEXTS
from millrace.serving.example import Decoded


def applied(rows: Iterable[Decoded], hook: Hook) -> Iterator[Decoded]:
    """Each row in turn, its text changed by the function of `hook`; one without stays as it is."""
    for batch in text_record.batches(rows, lambda row: len(text_record.text(row) or b"")):
        texts = [text_record.text(row) or b"" for row in batch]
        changed = hooks.apply(hook, tf.constant(texts), TEXTS).numpy()
        for row, content in zip(batch, changed, strict=True):
            has_text = text_record.text(row) is not None
            yield {**row, text_record.TEXT: [content]} if has_text else row
