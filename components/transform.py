"""Raw image records to pixels and labels, ready to train on: one Beam element per shard.

A shard is read, decoded and written by one worker, so that no picture travels between
workers; what it counted and set aside it leaves in a file beside, which arrives the same way
from every runner. The pixels come from `features.image`, the ops that `export` serves.
"""

import dataclasses
import functools
import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from etils.epath import Path
from pydantic import Field

from components.artifacts import Analysis, Examples, Rejected
from components.beam_options import BeamOptions
from components.errors import DataError
from components.features import record, spec
from components.features.spec import ImageSpec
from components.tfrecord import read_records, write_records
from serving.example import Decoded, decode, encode

logger = logging.getLogger(__name__)

_STORED = 0  # zlib level: decoded pixels shrink little and would be inflated again every epoch

Share = Annotated[float, Field(ge=0, le=1)]


@dataclasses.dataclass(frozen=True)
class _Shard:
    """One file of a split and what becomes of it; travels to the workers."""

    split: str
    source: str
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
    """Decode, resize and label every split's images as the analysis says.

    Writes `image` (bytes: uint8, height * width * channels), `label` (int64, index in the
    analysis' classes) and `image/filename` per record, in the order of the raw ones.

    Args:
        examples: raw image records.
        analysis: classes, size and channels.
        out: gets the transformed records.
        run_on: Beam's flags.
        max_rejected: the share of records that may be set aside because they cannot be decoded
            or their class is not in the train split.

    Raises:
        DataError: more were set aside.
    """
    start = time.monotonic()
    shards = _shards(examples, Examples(out))
    _run(run_on, shards, spec.read(analysis.file))
    counts = dict.fromkeys(examples.splits, 0)
    rejected: list[Rejected] = []
    for shard in shards:
        notes = json.loads(Path(shard.notes).read_text())
        counts[shard.split] += notes["count"]
        rejected += [Rejected(**item) for item in notes["rejected"]]
        Path(shard.notes).unlink()
    total = sum(counts.values())
    seconds = time.monotonic() - start
    logger.info("%d images in %.1f s (%.0f/s)", total, seconds, total / max(seconds, 1e-9))
    _check_rejected(rejected, total + len(rejected), max_rejected)
    return Examples(out).write_summary(counts, rejected)


def _shards(examples: Examples, out: Examples) -> list[_Shard]:
    shards = []
    for split in examples.splits:
        files = examples.files(split)
        out.split_path(split).mkdir(parents=True, exist_ok=True)
        for index, file in enumerate(files):
            target = str(out.shard(split, index, len(files)))
            shards.append(_Shard(split, str(file), target, f"{target}.json"))
    return shards


def _run(run_on: BeamOptions, shards: Sequence[_Shard], image: ImageSpec) -> None:
    import apache_beam as beam

    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(shards, reshuffle=False)
            | "DecodeAndWrite" >> beam.Map(functools.partial(_write_shard, image=image))
        )


def _write_shard(shard: _Shard, image: ImageSpec) -> None:
    rejected: list[Rejected] = []
    rows = (decode(raw) for raw in read_records(Path(shard.source)))
    kept = _transformed(_labelled(rows, image, shard.source, rejected), image, rejected)
    count = write_records(Path(shard.target), kept, level=_STORED)
    notes = {"count": count, "rejected": [dataclasses.asdict(item) for item in rejected]}
    Path(shard.notes).write_text(json.dumps(notes))


def _labelled(
    rows: Iterable[Decoded], image: ImageSpec, file: str, rejected: list[Rejected]
) -> Iterator[tuple[Decoded, str, int]]:
    """Each row of a known class, its position and its label; the others go to `rejected`."""
    labels = {name: label for label, name in enumerate(image.classes)}
    for number, row in enumerate(rows):
        name, position = record.class_name(row), f"{Path(file).name}, record {number}"
        if name in labels:
            yield row, position, labels[name]
        else:
            reason = "no class" if name is None else f"class {name!r} is not in the train split"
            rejected.append(Rejected(record.source(row), reason, position))


def _transformed(
    rows: Iterable[tuple[Decoded, str, int]], image: ImageSpec, rejected: list[Rejected]
) -> Iterator[bytes]:
    """The transformed records; rows that cannot be decoded go to `rejected`."""
    from components.features.decoding import decode_rows  # TensorFlow

    for (row, position, label), pixels in decode_rows(rows, image):
        source = record.source(row)
        if isinstance(pixels, str):
            rejected.append(Rejected(source, pixels, position))
        else:
            name, content = record.FILENAME, pixels.tobytes()
            yield encode({record.PIXELS: content, record.INDEX: label, name: source})


def _check_rejected(rejected: Sequence[Rejected], total: int, limit: float) -> None:
    if len(rejected) <= limit * total:
        if rejected:
            logger.warning("%d of %d records set aside", len(rejected), total)
        return
    first = "; ".join(f"{item.source or item.position}: {item.reason}" for item in rejected[:3])
    raise DataError(
        f"Images: expected at most {limit:.1%} to be set aside. Received: {len(rejected)} of "
        f"{total}, first {first}. Mend or remove them, or raise transform.max_rejected."
    )
