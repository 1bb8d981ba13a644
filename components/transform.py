"""Raw records to what a network takes, ready to train on: one Beam element per shard.

A shard is read, transformed and written by one worker, so that no record travels between
workers; what it counted and set aside it leaves in a file beside, which arrives the same way
from every runner. The arithmetic is in `features`, the ops that `export` serves.
"""

import dataclasses
import functools
import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Rejected
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
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
    """One file of a split and what becomes of it; travels to the workers.

    Attributes:
        others: the files of the other splits that belong to the same shard.
    """

    split: str
    source: str
    others: tuple[str, ...]
    target: str
    notes: str


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
    shards = _shards(examples, Examples(out))
    _run(run_on, shards, specs.read(analysis.file))
    counts, left_out = dict.fromkeys(examples.splits, 0), Counter[tuple[str, str]]()
    rejected: list[Rejected] = []
    for shard in shards:
        notes = json.loads(Path(shard.notes).read_text())
        counts[shard.split] += notes["count"]
        rejected += [Rejected(**item) for item in notes["rejected"]]
        left_out += Counter({(shard.split, what): n for what, n in notes["left_out"].items()})
        Path(shard.notes).unlink()
    total = sum(counts.values())
    seconds = time.monotonic() - start
    logger.info("%d records in %.1f s (%.0f/s)", total, seconds, total / max(seconds, 1e-9))
    for (split, what), number in left_out.items():
        logger.info("%s: left out %d %s", split, number, what)
    _check_rejected(rejected, total + len(rejected), max_rejected)
    return Examples(out).write_summary(
        counts, rejected, {f"{split}: {what}": n for (split, what), n in left_out.items()}
    )


def _shards(examples: Examples, out: Examples) -> list[_Shard]:
    shards = []
    for split in examples.splits:
        files = examples.files(split)
        out.split_path(split).mkdir(parents=True, exist_ok=True)
        for index, file in enumerate(files):
            target = str(out.shard(split, index, len(files)))
            others = _others(examples, split, index)
            shards.append(_Shard(split, str(file), others, target, f"{target}.json"))
    return shards


def _others(examples: Examples, split: str, index: int) -> tuple[str, ...]:
    """The files of number `index` of the other splits; all of one that is sharded otherwise."""
    own, found = len(examples.files(split)), list[str]()
    for other in examples.splits:
        if other != split:
            files = list(map(str, examples.files(other)))
            found += [files[index]] if len(files) == own else files
    return tuple(found)


def _run(run_on: BeamOptions, shards: Sequence[_Shard], spec: Spec) -> None:
    import apache_beam as beam

    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(shards)
            | "TransformAndWrite" >> beam.Map(functools.partial(_write_shard, spec=spec))
        )


def _write_shard(shard: _Shard, spec: Spec) -> None:
    rejected, left_out = list[Rejected](), Counter[str]()
    records = _transformed(shard, spec, rejected, left_out)
    notes = {
        "count": write_records(Path(shard.target), records, level=_STORED),
        "rejected": [dataclasses.asdict(item) for item in rejected],
        "left_out": left_out,
    }
    Path(shard.notes).write_text(json.dumps(notes))


def _transformed(
    shard: _Shard, spec: Spec, rejected: list[Rejected], left_out: Counter[str]
) -> Iterator[bytes]:
    """The transformed records of a file; see `features.rows.transform`."""
    from millrace.serving.example import decode  # numpy

    file = Path(shard.source)
    raw = enumerate(read_records(file))
    rows = ((decode(content), f"{file.name}, record {number}") for number, content in raw)
    beside = itertools.chain.from_iterable(map(read_records, map(Path, shard.others)))
    return features.transform(rows, spec, rejected, lambda: map(decode, beside), left_out)


def _check_rejected(rejected: Sequence[Rejected], total: int, limit: float) -> None:
    if len(rejected) <= limit * total:
        if rejected:
            logger.warning("%d of %d records set aside", len(rejected), total)
        return
    first = "; ".join(f"{item.source or item.position}: {item.reason}" for item in rejected[:3])
    raise DataError(
        f"transform: expected at most {limit:.1%} to be set aside. Received: {len(rejected)} of "
        f"{total}, first {first}. Correct or remove them, or raise transform.max_rejected."
    )
