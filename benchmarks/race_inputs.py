"""The inputs of `benchmarks.race`, the same in every run."""

import io
import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv
from etils.epath import Path
from PIL import Image

from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

_CLASSES = 10
_COARSE, _SIDE = 7, 28  # pixels


def write_table(folder: pathlib.Path, rows: int) -> None:
    """One CSV of six columns of floats, two of integers, three of texts and a `label` of 0 or 1."""
    random = np.random.default_rng(2)
    columns: dict[str, np.ndarray] = {
        f"n{place}": random.normal(place, 1 + place, rows).round(4) for place in range(6)
    }
    columns["i0"], columns["i1"] = random.integers(0, 100, rows), random.poisson(3, rows)
    columns["c0"] = random.choice(["red", "green", "blue"], rows)
    cities = np.array([f"city_{number:03d}" for number in range(200)])
    columns["c1"] = cities[(random.zipf(1.5, rows) - 1) % len(cities)]
    columns["c2"] = random.choice(["yes", "no"], rows, p=[0.3, 0.7])
    leaning = columns["n0"] + 0.3 * (columns["n1"] - 1) + (columns["c0"] == "red")
    noise = 0.5 * random.normal(size=rows)
    columns["label"] = (leaning + 0.02 * (columns["i0"] - 50) + noise > 0.3).astype(int)
    folder.mkdir()
    with (folder / "data.csv").open("wb") as file:
        file.write(f"{','.join(columns)}\n".encode())  # TFX takes no header in quotes
        unquoted = pa.csv.WriteOptions(include_header=False, quoting_style="none")
        pa.csv.write_csv(pa.table(columns), file, unquoted)


def write_pictures(files: pathlib.Path, records: pathlib.Path, count: int) -> None:
    """Grey PNGs of 28x28 in ten classes: a folder for each in `files`, one TFRecord in `records`.

    A record has the bytes of a file as `image` and its class as `label`.
    """
    files.mkdir()
    records.mkdir()
    for name in range(_CLASSES):
        (files / str(name)).mkdir()

    def written() -> Iterator[bytes]:
        for number, png in enumerate(_pictures(count)):
            label = number % _CLASSES
            (files / str(label) / f"{number:06d}.png").write_bytes(png)
            yield encode({"image": png, "label": label})

    write_records(Path(records / "data.tfrecord"), written())


def _pictures(count: int) -> Iterator[bytes]:
    """Smooth patterns: that of the class in turn, with as much noise."""
    random = np.random.default_rng(1)
    patterns = random.integers(0, 128, (_CLASSES, _COARSE, _COARSE))
    for number in range(count):
        noise = random.integers(0, 128, (_COARSE, _COARSE))
        coarse = (patterns[number % _CLASSES] + noise).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        picture.save(file, "PNG")
        yield file.getvalue()
