"""Rows of the train split that come again in another, where a model is judged by them.

Rows without a split of their own never do: their content decides (`example_gen.shards.splits`). In
files given as train and test they may.
"""

import hashlib
import logging

import numpy as np
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import SHORT, shard_pass
from millrace.components.files.tfrecord import read_records

logger = logging.getLogger("millrace.components.analyze")

_MOST = 200_000  # rows of all splits, beyond which it would take seconds to look
_SHARE = 0.01  # of a split, from which on it is worth a warning: few columns repeat by chance


def warn(examples: Examples, out: Path, run_on: BeamOptions) -> None:
    """Warn of splits whose rows the train split has as well."""
    if sum(examples.counts.values()) > _MOST:
        return
    for split, rows in shared(examples, out, run_on).items():
        count = examples.counts[split]
        if rows >= _SHARE * count:
            logger.warning(
                "%d of the %d rows of %s are in train too, which makes a model look better: "
                "take them out, or give all rows in one file, whose equal ones stay together",
                *(rows, count, split),
            )


def shared(examples: Examples, out: Path, run_on: BeamOptions) -> dict[str, int]:
    """How many rows of each other split equal one of the train split, by its name."""
    files = [(split, str(file)) for split in examples.splits for file in examples.files(split)]
    digests: dict[str, list[NDArray[np.uint64]]] = {split: [] for split in examples.splits}
    found = shard_pass(
        "Duplicates", [file for _, file in files], _digests, out, run_on, worth=SHORT
    )
    for (split, _), each in zip(files, found, strict=True):
        digests[split].append(each)
    known = np.concatenate(digests.pop("train", []) or [np.zeros(0, np.uint64)])
    return {
        split: int(np.isin(np.concatenate(parts), known).sum())
        for split, parts in digests.items()
        if parts
    }


def _digests(file: str) -> NDArray[np.uint64]:
    """Eight bytes for each record."""
    records = read_records(Path(file))
    joined = b"".join(hashlib.blake2b(each, digest_size=8).digest() for each in records)
    return np.frombuffer(joined, np.uint64)
