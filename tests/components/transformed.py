"""Transformed pictures and their analysis on disk: one bright column tells the class."""

import numpy as np

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageSpec
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode

NAMES = ("ant", "bee", "cow")


def pictures(count, classes, shape, seed):
    """Noise uint8 of `shape`, brighter in column `2 * class`, and the class."""
    random = np.random.default_rng(seed)
    for number in range(count):
        label = number % classes
        pixels = random.integers(0, 100, shape, dtype=np.uint8)
        pixels[:, 2 * label] = 250
        yield pixels, label


def write(folder, classes=3, side=6, channels=1, train=48, evaluated=24, wrong=0):
    """Transformed Examples and their Analysis below `folder`; every `wrong`-th label lies."""
    examples, analysis = Examples(folder / "examples"), Analysis(folder / "analysis")
    analysis.path.mkdir(parents=True)
    spec.write(ImageSpec(NAMES[:classes], side, side, channels), analysis.file)
    counts = {"train": train, "eval": evaluated}
    for seed, (split, count) in enumerate(counts.items()):
        examples.split_path(split).mkdir(parents=True)
        records = [
            encode({"image": pixels.tobytes(), "label": _said(label, number, classes, wrong)})
            for number, (pixels, label) in enumerate(
                pictures(count, classes, (side, side, channels), seed)
            )
        ]
        write_records(examples.shard(split, 0, 1), records)
    return examples.write_summary(counts), analysis


def _said(label, number, classes, wrong):
    return (label + 1) % classes if wrong and number % wrong == 0 else label
