"""How fast `statistics_gen` is, compared with a bare loop that only reads and decodes.

60,000 records like Fashion-MNIST's: as many bytes as a 28x28 grey PNG and the usual image features,
in 4 gzipped shards.

    python -m benchmarks.statistics [RECORDS]
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from etils.epath import Path

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.statistics_gen import statistics_gen
from millrace.serving.example import decode, encode

SHARDS = 4
PNG_BYTES = (150, 900)
CLASSES = 10


def main() -> None:
    """Print one line per variant: seconds, and records per second."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    with tempfile.TemporaryDirectory() as folder:
        examples = write_examples(Path(folder) / "examples", records)
        report("read, decode", records, lambda: bare_loop(examples))
        out = Path(folder) / "out"
        report(
            "statistics_gen", records, lambda: statistics_gen(examples, out, run_on=BeamOptions())
        )


def write_examples(path: Path, records: int) -> Examples:
    """Write `records` records into one split."""
    examples = Examples(path)
    examples.split_path("train").mkdir(parents=True)
    for shard in range(SHARDS):
        numbers = range(shard, records, SHARDS)
        write_records(examples.shard("train", shard, SHARDS), map(record, numbers))
    return examples


def record(number: int) -> bytes:
    """The record of one picture, its pixels random."""
    random = np.random.default_rng(number)
    label = number % CLASSES
    return encode(
        {
            "image/encoded": b"\x89PNG" + random.bytes(int(random.integers(*PNG_BYTES))),
            "image/format": b"png",
            "image/height": 28,
            "image/width": 28,
            "image/channels": 1,
            "image/filename": f"train/{label}/{number:05d}.png",
            "image/class/label": label,
            "image/class/text": f"class {label}",
        }
    )


def bare_loop(examples: Examples) -> int:
    """Read and decode every record, and discard it."""
    return sum(len(decode(record)) for record in records_of(examples))


def records_of(examples: Examples) -> Iterator[bytes]:
    """Every record of the split."""
    for file in examples.files("train"):
        yield from read_records(file)


def report(name: str, records: int, run: Callable[[], object]) -> None:
    """Time `run` once and print it."""
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    print(f"{name:16} {seconds:6.2f} s  {records / seconds:10,.0f} records/s")


if __name__ == "__main__":
    main()
