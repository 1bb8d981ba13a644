"""What reading TFRecords costs: epochs from them, and epochs of the same arrays in memory.

`fashion-mnist-cnn` (28x28 grey pixels, two convolutions of 64 filters) and `tabular` (twelve
columns, six of them texts, wide and deep), with batches as their recipes have them. The data are
made up: their content does not change the time. The same network is trained by `Model.fit` on the
trainer's input and on arrays, in turns, three epochs at a time; the first turn of each does not
count, so that all is traced. The first epoch includes what is done once, such as reading the
records. CPU time is that of the process, all threads; figures are medians.

    python -m benchmarks.training [PICTURES ROWS ROUNDS]
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow as pa
from etils.epath import Path

from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.table_spec import Category, Number, TableSpec
from millrace.components.files import arrow_examples
from millrace.components.files.tfrecord import write_records
from millrace.components.models.build import build
from millrace.components.models.image_options import Augment, Cnn
from millrace.components.models.table_options import WideDeep
from millrace.components.training import dataset, objective
from millrace.components.training.compiling import compile_model
from millrace.components.training.options import ADAM, Descent
from millrace.components.training.schedule_options import CONSTANT

BATCH = 32  # of both recipes
SIDE, CLASSES = 28, 10
NUMBERS, TEXTS, WORDS = 6, 6, 20
EPOCHS, ROUNDS = 3, 3

Arrays = Mapping[str, np.ndarray]


class Case(NamedTuple):
    """A recipe's network and data of its shape, `label` among them."""

    spec: ImageSpec | TableSpec
    model: Cnn | WideDeep
    arrays: Arrays


def main() -> None:
    """Print one line per recipe and feed, then their ratios."""
    pictures, rows, rounds = map(int, sys.argv[1:] or (10_000, 100_000, ROUNDS))
    random = np.random.default_rng(0)
    for recipe, case in (
        ("fashion-mnist-cnn", of_pictures(pictures, random)),
        ("tabular", of_rows(rows, random)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "data_tfrecord-00000-of-00001.gz"
            write(file, case)
            compare(recipe, file, case, rounds)


def of_pictures(count: int, random: np.random.Generator) -> Case:
    """Random pictures."""
    names = tuple(f"class {number}" for number in range(CLASSES))
    arrays = {
        "image": random.integers(0, 256, (count, SIDE, SIDE, 1), np.uint8),
        "label": random.integers(0, CLASSES, count, np.int32),
    }
    return Case(ImageSpec(names, SIDE, SIDE, 1), Cnn(filters=(64, 64), dense=(128,)), arrays)


def of_rows(count: int, random: np.random.Generator) -> Case:
    """Random rows of two classes."""
    words = tuple(f"word {number:02d}" for number in range(WORDS))
    spec = TableSpec(
        "label",
        "classification",
        raw=(),
        classes=("no", "yes"),
        numbers=tuple(Number(f"number {index}", 0.0, 1.0, 0.0) for index in range(NUMBERS)),
        discrete=tuple(Category(f"text {index}", words) for index in range(TEXTS)),
    )
    arrays: Arrays = {
        "numeric": random.standard_normal((count, NUMBERS), np.float32),
        "categorical": random.integers(2, 2 + WORDS, (count, TEXTS), np.int32) + spec.offsets,
        "label": random.integers(0, 2, count, np.int32),
    }
    return Case(spec, WideDeep(), arrays)


def write(file: Path, case: Case) -> None:
    """The arrays as the records that `transform` writes, not compressed."""
    columns = {name: _column(values) for name, values in case.arrays.items()}
    write_records(file, arrow_examples.as_bytes(arrow_examples.records(columns)), level=0)


def _column(values: np.ndarray) -> pa.Array:
    if values.dtype == np.uint8:
        return pa.array([pixels.tobytes() for pixels in values], pa.binary())
    flat = values.astype(np.float32 if values.dtype.kind == "f" else np.int64).ravel()
    if values.ndim == 1:
        return pa.array(flat)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), values.shape[1])


def compare(recipe: str, file: Path, case: Case, rounds: int) -> None:
    """Train epochs from the records and from memory in turns, and print what they took."""
    layout, count = case.spec.layout, len(case.arrays["label"])
    aim = objective.of(case.spec, objective.AUTO, "probabilities")
    keras.utils.set_random_seed(42)
    model = build(
        case.model, Augment(), case.spec, units=aim.units, activation=aim.activation
    ).training
    steps = -(-count // BATCH)
    compile_model(model, aim, Descent(ADAM, None, CONSTANT, "float32"), 0, steps=steps, epochs=1)
    inputs: Any = {column.name: case.arrays[column.name] for column in layout.inputs}
    inputs = inputs if len(inputs) > 1 else inputs[layout.inputs[0].name]
    label = case.arrays["label"]
    targets = label[:, None].astype(np.float32) if aim.is_binary else label
    buffer = dataset.default_buffer(layout, count)

    def from_records(clock: Clock) -> None:
        order = dataset.Order(seed=42, first=0, epochs=EPOCHS, buffer=buffer)
        batches = dataset.training([file], layout, aim, order, BATCH, count)
        model.fit(
            batches,
            epochs=EPOCHS,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[clock],
        )

    def from_memory(clock: Clock) -> None:
        model.fit(inputs, targets, BATCH, epochs=EPOCHS, verbose=0, callbacks=[clock])

    feeds = {"TFRecords": from_records, "memory": from_memory}
    turns: dict[str, list[np.ndarray]] = {name: [] for name in feeds}
    for _ in range(1 + rounds):
        for name, run in feeds.items():
            clock = Clock()
            run(clock)
            turns[name].append(clock.epochs)
    report(recipe, count, {name: np.stack(each[1:]) for name, each in turns.items()})


class Clock(keras.callbacks.Callback):
    """Reads CPU time and the time at its making and after every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._read = [_now()]

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Read the clocks."""
        self._read.append(_now())

    @property
    def epochs(self) -> np.ndarray:
        """Seconds of CPU and seconds of each epoch, [epochs, 2]."""
        return np.diff(self._read, axis=0)


def report(recipe: str, count: int, taken: Mapping[str, np.ndarray]) -> None:
    """Print the medians of what `taken` [turns, epochs, 2] says, and their ratios."""
    for which, part in (("first", np.s_[:, :1]), ("later", np.s_[:, 1:])):
        found = [np.median(each[part].reshape(-1, 2), axis=0) for each in taken.values()]
        for name, (cpu, wall) in zip(taken, found, strict=True):
            line = f"{cpu:6.2f} s of CPU {wall:6.2f} s, {count:,} examples"
            print(f"{recipe:18} {which} {name:10} {line}")
        cpu, wall = found[0] / found[1]
        print(f"{recipe:18} {which} ratio      {cpu:6.3f} {wall:14.3f}", flush=True)


def _now() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, time.perf_counter()


if __name__ == "__main__":
    main()
