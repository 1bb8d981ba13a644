"""Raw records to what a network takes, ready to train on, shard by shard.

The arithmetic is in `features`, the ops that `export` serves.
"""

import dataclasses
import functools
import itertools
import logging
import time
from collections import Counter

from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.rejected import check_rejected
from millrace.components.beam.shard_pass import LONG, SHORT, shard_pass
from millrace.components.features import rows as features
from millrace.components.features import spec as specs
from millrace.components.features.spec import Spec
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.options.ranges import Share

logger = logging.getLogger(__name__)

# zlib level: numbers shrink little and would be inflated again in every epoch
_STORED = 0


@dataclasses.dataclass(frozen=True)
class _Shard:
    """One file of a split and what becomes of it.

    Attributes:
        others: the files of the other splits that belong to the same shard, where they are read.
    """

    split: str
    source: str
    others: tuple[str, ...]
    target: str


@dataclasses.dataclass
class _Transformed:
    """What became of a shard: records written and set aside, and what was left out of others."""

    count: int
    rejected: list[Rejected]
    left_out: Counter[str]


def transform(
    examples: Examples,
    analysis: Analysis,
    out: Path,
    *,
    run_on: BeamOptions,
    max_rejected: Share = 0.01,
) -> Examples:
    """Turn every split's records into what a network takes, as the analysis says.

    Writes what the spec's `layout` says, and where a record came from, in the order of the
    raw ones: pixels, token ids, windows or columns, and what is to be learnt of them. The notes
    count what was left out of usable records, such as windows without a known target.

    Args:
        examples: raw records.
        analysis: how they are to be preprocessed.
        out: gets the transformed records.
        run_on: Beam's flags.
        max_rejected: the share of records that may be set aside because they cannot be used
            or their class is not in the train split.

    Raises:
        DataError: more were set aside.
    """
    start = time.monotonic()
    spec = specs.read(analysis.file)
    shards = _shards(examples, Examples(out), spec)
    work = functools.partial(_write_shard, spec=spec)
    worth = LONG if features.needs_tensorflow(spec) else SHORT
    done = shard_pass("TransformAndWrite", shards, work, out, run_on, worth=worth)
    counts, left_out = dict.fromkeys(examples.splits, 0), Counter[tuple[str, str]]()
    rejected: list[Rejected] = []
    for shard, part in zip(shards, done, strict=True):
        counts[shard.split] += part.count
        rejected += part.rejected
        left_out += Counter({(shard.split, what): n for what, n in part.left_out.items()})
    total = sum(counts.values())
    seconds = time.monotonic() - start
    logger.info("%d records in %.1f s (%.0f/s)", total, seconds, total / max(seconds, 1e-9))
    for (split, what), number in left_out.items():
        logger.info("%s: left out %d %s", split, number, what)
    check_rejected("transform", rejected, total + len(rejected), max_rejected, what="records")
    if rejected:
        logger.warning("%d of %d records set aside", len(rejected), total + len(rejected))
    return Examples(out).write_summary(
        counts, rejected, {f"{split}: {what}": n for (split, what), n in left_out.items()}
    )


def _shards(examples: Examples, out: Examples, spec: Spec) -> list[_Shard]:
    shards = []
    for split in examples.splits:
        files = examples.files(split)
        out.split_path(split).mkdir(parents=True, exist_ok=True)
        for index, file in enumerate(files):
            target = str(out.shard(split, index, len(files)))
            others = _others(examples, split, index) if features.reads_others(spec) else ()
            shards.append(_Shard(split, str(file), others, target))
    return shards


def _others(examples: Examples, split: str, index: int) -> tuple[str, ...]:
    """The files of number `index` of the other splits; all of one that is sharded otherwise."""
    own, found = len(examples.files(split)), list[str]()
    for other in examples.splits:
        if other != split:
            files = list(map(str, examples.files(other)))
            found += [files[index]] if len(files) == own else files
    return tuple(found)


def _write_shard(shard: _Shard, spec: Spec) -> _Transformed:
    rejected, left_out = list[Rejected](), Counter[str]()
    file = Path(shard.source)
    records = features.transform(
        read_records(file),
        file.name,
        spec,
        rejected,
        lambda: itertools.chain.from_iterable(map(read_records, map(Path, shard.others))),
        left_out,
    )
    count = write_records(Path(shard.target), records, level=_STORED)
    return _Transformed(count, rejected, left_out)
