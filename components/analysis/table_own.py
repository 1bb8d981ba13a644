"""A person's own function over the columns of a table, while these are surveyed."""

import dataclasses
from collections.abc import Iterator

from etils.epath import Path

from millrace.components.features.hook_spec import Hook
from millrace.components.features.table_spec import RawColumn
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import decode


@dataclasses.dataclass(frozen=True)
class Own:
    """The function, the columns that it is given, and the label, which it is not."""

    hook: Hook
    raw: tuple[RawColumn, ...]
    label: str


def records(shard: str, own: Own | None) -> Iterator[bytes]:
    """The records of `shard`; with `own`, those of the columns that its function makes."""
    found = read_records(Path(shard))
    if own is None:
        return found
    from millrace.components.features import table_rows  # TensorFlow

    return table_rows.preprocessed(map(decode, found), own.raw, own.hook, own.label)
