"""Raw records of a table with a person's own preprocessing applied, for whoever counts values.

`transform` and `export` have it in their graph, see `features.table`; `analyze`, which needs no
TensorFlow otherwise, runs the same function over batches of the records that it reads.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from millrace.components.errors import OptionError
from millrace.components.features import hook as hooks
from millrace.components.features import table_rows
from millrace.components.features.hook_spec import PLACE, Hook
from millrace.components.features.table_spec import Raw
from millrace.serving.example import Decoded, Value, encode

_BATCH = 1024  # rows changed at once


def applied(rows: Iterable[Decoded], raw: Sequence[Raw], hook: Hook, label: str) -> Iterator[bytes]:
    """Each row as a record of the columns that the function of `hook` makes, and of its label.

    NaN and the empty text are a missing cell, which is no feature.

    Args:
        rows: raw records.
        raw: the columns that the function is given.
        hook: the function.
        label: the feature that it is not given.

    Raises:
        OptionError: it makes a column of the label's name.
    """
    waiting = iter(rows)
    for batch in iter(lambda: list(itertools.islice(waiting, _BATCH)), []):
        given = {each.name: tf.constant(table_rows.column(batch, each)) for each in raw}
        made = {name: each.numpy() for name, each in hooks.columns(hook, given).items()}
        if label in made:
            raise OptionError(
                f"{PLACE}: expected {hook.function} to leave the label {label!r} to the data. "
                "Received: a column of this name. Call it otherwise."
            )
        for place, row in enumerate(batch):
            cells = {name: values[place] for name, values in made.items()}
            features = {name: _value(cell) for name, cell in cells.items() if _is_there(cell)}
            truth: dict[str, Value] = {label: row[label]} if label in row else {}
            yield encode(features | truth)


def _is_there(cell: bytes | np.float32) -> bool:
    return bool(cell) if isinstance(cell, bytes) else not np.isnan(cell)


def _value(cell: bytes | np.float32) -> Value:
    return cell if isinstance(cell, bytes) else np.array([cell], np.float32)
