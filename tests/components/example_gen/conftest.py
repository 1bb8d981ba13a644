"""Small images, class folders of them, and a way to run an ingest and read its records."""

import io
import os
import pathlib

import numpy as np
import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import Examples, Rejected
from millrace.components.files.tfrecord import read_records
from millrace.serving.example import decode


def image_bytes(seed: int, *, size=(5, 4), mode="RGB", kind="PNG", **options) -> bytes:
    """A file of an image of noise, `size` = (width, height)."""
    channels = 4 if "A" in mode else 3
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(sink, kind, **options)
    return sink.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Writes `{path: bytes}` below a source folder, which it returns."""

    def write(files: dict[str, bytes]) -> Path:
        root = tmp_path / "source"
        root.mkdir(exist_ok=True)
        for path, data in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return Path(root)

    return write


def spoil(root, suffix: str) -> list[Rejected]:
    """Put a pipe and a file whose name is not UTF-8 into `root`; returns how they are set aside."""
    os.mkfifo(pathlib.Path(root) / f"pipe{suffix}")
    pathlib.Path(root, f"caf\udce9{suffix}").write_bytes(b"")
    return [
        Rejected(rf"caf\xe9{suffix}", "its name is not UTF-8: rename it"),
        Rejected(f"pipe{suffix}", "a pipe, not a file"),
    ]


@pytest.fixture
def out(tmp_path) -> Path:
    """An empty staging folder."""
    staging = tmp_path / "out"
    staging.mkdir()
    return Path(staging)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> str:
    """Where TensorFlow Datasets prepares the sets of a test module, each once."""
    return str(tmp_path_factory.mktemp("tfds"))


def records_of(examples: Examples) -> dict[str, list[dict]]:
    """The decoded records of each split, in file order."""
    return {
        split: [decode(record) for path in examples.files(split) for record in read_records(path)]
        for split in examples.splits
    }


def files_of(examples: Examples) -> dict[str, bytes]:
    """The bytes of each file of an artifact."""
    root = pathlib.Path(examples.path)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
