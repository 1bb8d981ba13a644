"""Small pictures as files, and as raw records on disk."""

import io

import numpy as np
from PIL import Image

from millrace.components.artifacts import Examples
from millrace.components.files.tfrecord import write_records
from millrace.serving.example import encode


def file(pixels, kind="PNG", **options):
    """`pixels` (uint8 array or PIL image) as the bytes of a file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def raw(content, name, label=0, filename="a.png", size=(8, 8), channels=1):
    """One raw image record."""
    return encode(
        {
            "image/encoded": content,
            "image/format": "png",
            "image/height": size[0],
            "image/width": size[1],
            "image/channels": channels,
            "image/filename": filename,
            "image/class/label": label,
            "image/class/text": name,
        }
    )


def write(path, splits, shards=1):
    """Raw Examples in folder `path`: lists of records by split."""
    examples = Examples(path)
    for split, records in splits.items():
        examples.split_path(split).mkdir(parents=True)
        for shard in range(shards):
            write_records(examples.shard(split, shard, shards), records[shard::shards])
    return examples.write_summary({split: len(records) for split, records in splits.items()})


def blobs(count, names=("dark", "light"), side=8, channels=1, seed=0):
    """Records of classes told apart by brightness, in turn."""
    random, records = np.random.default_rng(seed), []
    for number in range(count):
        label = number % len(names)
        level = 255 * (label + 0.5) / len(names)
        shape = (side, side) if channels == 1 else (side, side, channels)
        pixels = np.clip(random.normal(level, 25, shape), 0, 255).astype(np.uint8)
        name = f"{names[label]}/{number}.png"
        records.append(raw(file(pixels), names[label], label, name, (side, side), channels))
    return records
