"""Ways from `tf.train.Example` records to columns: what each costs, in CPU time.

    python -m benchmarks.decoding [RECORDS] [REPEATS]

The records are rows of the race's table, 12 features with one value each. `walk` is a walk over the
wire format in NumPy, all records side by side; unlike the others it reads only records that all
have the same features, in the same order, with one value each.
"""

import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa
import pyarrow.csv

from benchmarks import race_inputs
from millrace.components.files import columns
from millrace.serving.example import decode, encode

_AT_ONCE = 1 << 15


def main() -> None:
    """Print one line per way, the first of them the reference."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    records = _records(count)
    ways: dict[str, Callable[[Sequence[bytes]], object]] = {
        "protobuf, one by one": lambda batch: list(map(decode, batch)),
        "ptars (columns.of_records)": lambda batch: columns.of_records(batch, "here"),
        "walk in NumPy": walk,
        "tf.io.parse_example": _parser(records[0]),
    }
    batch = columns.of_records(records, "here")
    assert all(batch.column(name).values.equals(found) for name, found in walk(records).items())
    reference = 0.0
    for name, way in ways.items():
        seconds = min(_seconds(way, records) for _ in range(repeats))
        reference = reference or seconds
        each = seconds / count * 1e6
        print(f"{name:28} {each:6.2f} us a record  {reference / seconds:6.1f} times as fast")


def _records(count: int) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        race_inputs.write_table(pathlib.Path(folder) / "table", count)
        table = pa.csv.read_csv(f"{folder}/table/data.csv")
    values = (
        [cell.encode() for cell in column.to_pylist()]
        if pa.types.is_string(column.type)
        else column.to_numpy().astype("float32" if pa.types.is_floating(column.type) else "int64")
        for column in table.columns
    )
    rows = zip(*values, strict=True)
    return [encode(dict(zip(table.column_names, row, strict=True))) for row in rows]


def _seconds(way: Callable[[Sequence[bytes]], object], records: Sequence[bytes]) -> float:
    start = time.process_time()
    for first in range(0, len(records), _AT_ONCE):
        way(records[first : first + _AT_ONCE])
    return time.process_time() - start


def _parser(record: bytes) -> Callable[[Sequence[bytes]], object]:
    import tensorflow as tf

    features = {
        name: tf.io.RaggedFeature(tf.string if isinstance(value, list) else value.dtype)
        for name, value in decode(record).items()
    }
    return lambda batch: tf.io.parse_example(tf.constant(batch), features)


def walk(records: Sequence[bytes]) -> dict[str, pa.Array]:
    """The values of each feature; one in every record, all written in the same order."""
    data = np.frombuffer(b"".join(records), np.uint8)
    ends = np.cumsum([len(record) for record in records])
    at = np.concatenate([[0], ends[:-1]])
    _, at = _varint(data, at + 1)  # the size of Features
    found = {}
    while (at < ends).all():
        _, at = _varint(data, at + 1)  # of an entry of the map
        length, at = _varint(data, at + 1)  # of its key
        name = data[at[0] : at[0] + length[0]].tobytes()
        key = np.frombuffer(name, np.uint8)
        if (length != len(key)).any() or (data[at[:, None] + np.arange(len(key))] != key).any():
            raise ValueError(f"{name!r}: expected in every record at this place")
        _, at = _varint(data, at + length + 1)  # of the Feature
        kind = data[at[0]] >> 3
        _, at = _varint(data, at + 1)  # of the list of values
        found[name.decode()], at = _READ[kind](data, at + 1)
    return found


def _varint(data: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers written at `at`, and the places behind them."""
    value = np.zeros(len(at), np.int64)
    more = np.arange(len(at))
    at = at.copy()
    for shift in range(0, 64, 7):
        byte = data[at[more]].astype(np.int64)
        value[more] |= (byte & 127) << shift
        at[more] += 1
        more = more[byte > 127]
        if not len(more):
            break
    return value, at


def _bytes(data: np.ndarray, at: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    length, at = _varint(data, at)
    ends = np.concatenate([[0], np.cumsum(length)])
    joined = data[np.repeat(at - ends[:-1], length) + np.arange(ends[-1])]
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(joined)]
    return pa.Array.from_buffers(pa.binary(), len(at), buffers), at + length


def _floats(data: np.ndarray, at: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    _, at = _varint(data, at)
    return pa.array(data[at[:, None] + np.arange(4)].view("<f4").ravel()), at + 4


def _integers(data: np.ndarray, at: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    _, at = _varint(data, at)
    value, at = _varint(data, at)
    return pa.array(value), at


_READ = {1: _bytes, 2: _floats, 3: _integers}


if __name__ == "__main__":
    main()
