"""Data that rows of the course need in another form than it comes in: built once, then kept."""

import csv
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks.course_rows import TFDS

_SIGNS = "sign_language_digits/Dataset"


def place(data: str, source: pathlib.Path, made: pathlib.Path) -> pathlib.Path:
    """Where the `data` of a row is: below `source`, or below `made`, built there if needed."""
    if data not in BUILDERS:
        return source / data
    there = made / data
    if not there.exists():
        part = made / f"{data}.part"
        if part.is_dir():
            shutil.rmtree(part)
        BUILDERS[data](source, part)
        part.rename(there)
    return there


def _tfds(source: pathlib.Path, out: pathlib.Path) -> None:
    """A TFDS data folder whose downloads are local files."""
    script = source / "seed_tfds_cache.py"
    subprocess.run([sys.executable, script, "--src", source, "--data-dir", out], check=True)


def _three_signs(source: pathlib.Path, out: pathlib.Path) -> None:
    for name in "025":
        shutil.copytree(source / _SIGNS / name, out / name)


def _numerals(source: pathlib.Path, out: pathlib.Path) -> None:
    """CMATERdb's bangla numerals as a folder of pictures per split and class."""
    for split, file in (("train", "training"), ("test", "testing")):
        with np.load(source / "cmaterdb" / "bangla-numerals" / f"{file}-images.npz") as arrays:
            for number, (pixels, label) in enumerate(
                zip(arrays["images"], arrays["labels"], strict=True)
            ):
                folder = out / split / str(label)
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / f"{number}.png")


def _pixels(source: pathlib.Path, out: pathlib.Path) -> None:
    """The signs as Sign Language MNIST writes them: a label and 784 grey pixels in a row."""
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *(f"pixel{number}" for number in range(1, 785))])
        for path in sorted((source / _SIGNS).rglob("*.JPG")):
            with Image.open(path) as image:
                grey = image.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
            writer.writerow([path.parent.name, *np.asarray(grey).reshape(-1).tolist()])


BUILDERS: dict[str, Callable[[pathlib.Path, pathlib.Path], None]] = {
    TFDS: _tfds,
    "three-signs": _three_signs,
    "numerals": _numerals,
    "pixels.csv": _pixels,
}
"""The functions that build data, by the name in the rows."""
