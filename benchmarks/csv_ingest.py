"""How many rows per second `csv_example_gen` turns into records, on one core.

The reference is pyarrow alone, which reads the same file's columns with their types on one thread
and keeps nothing; for comparison, rows turned into `tf.train.Example` objects one by one. The table
has 12 columns: six of floats, three of integers, three of a few texts, some missing. Seconds are
CPU time, user and system, so a busy machine gives much the same figures.

    taskset -c 0 python -m benchmarks.csv_ingest [ROWS] [REPEATS]
"""

import csv
import io
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv
from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.files.tfrecord import write_records
from millrace.serving.protos import example_pb2

_TEXTS = np.array(["red", "green", "dark blue", ""])


def main() -> None:
    """Print one line per variant: seconds, rows per second, and the ratio to pyarrow alone."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "table.csv"
        write_table(file, rows)
        size = file.stat().st_size / 2**20
        print(f"{rows:,} rows of 12 columns, {size:.0f} MiB; CPU time, best of {repeats}")
        bare = show("pyarrow reads the columns", rows, lambda: read_alone(file), repeats, 0)
        show("csv_example_gen", rows, lambda: ingest(file), repeats, bare)
        some = max(1, rows // 10)
        show("tf.train.Example objects", some, lambda: row_by_row(file, some), repeats, bare)


def write_table(file: pathlib.Path, rows: int) -> None:
    """Write `rows` random rows, the same in every run."""
    random = np.random.default_rng(0)
    columns: dict[str, np.ndarray] = {
        f"float_{n}": random.normal(size=rows).round(4) for n in range(6)
    }
    columns |= {f"int_{n}": random.integers(0, 10 ** (2 + n), rows) for n in range(3)}
    columns |= {f"text_{n}": _TEXTS[random.integers(0, len(_TEXTS), rows)] for n in range(3)}
    pyarrow.csv.write_csv(pa.table(columns), str(file))


def ingest(file: pathlib.Path) -> None:
    """The whole step, including both passes of Beam."""
    with tempfile.TemporaryDirectory() as out:
        csv_example_gen(RawFiles(Path(file)), Path(out), run_on=BeamOptions())


def read_alone(file: pathlib.Path) -> int:
    """Parse and convert on one thread, and discard the result."""
    options = pyarrow.csv.ReadOptions(use_threads=False)
    reader = pyarrow.csv.open_csv(file, read_options=options)
    return sum(batch.num_rows for batch in reader)


def row_by_row(file: pathlib.Path, rows: int) -> int:
    """The first `rows` rows by the csv module, one message each, one TFRecord file."""
    with file.open(newline="") as opened, tempfile.TemporaryDirectory() as out:
        lines = csv.DictReader(io.StringIO("".join(next(opened) for _ in range(rows + 1))))
        return write_records(Path(out) / "rows.gz", map(example_of, lines))


def example_of(row: dict[str, str]) -> bytes:
    """One row as a message, its cells converted by the names of the columns."""
    example = example_pb2.Example()
    for name, cell in present(row):
        feature = example.features.feature[name]
        if name.startswith("float"):
            feature.float_list.value.append(float(cell))
        elif name.startswith("int"):
            feature.int64_list.value.append(int(cell))
        else:
            feature.bytes_list.value.append(cell.encode())
    return example.SerializeToString(deterministic=True)


def present(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The cells of `row` that hold a value."""
    return ((name, cell) for name, cell in row.items() if cell)


def show(name: str, rows: int, run: Callable[[], object], repeats: int, bare: float) -> float:
    """Measure the CPU time of `run`, print it, and return the rows per second."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    rate = rows / min(seconds)
    ratio = f"  {rate / bare:8.4f} of pyarrow alone" if bare else ""
    print(f"{name:28} {min(seconds):7.2f} s  {rate:12,.0f} rows/s{ratio}", flush=True)
    return rate


if __name__ == "__main__":
    main()
