"""How many images per second `image_example_gen` reads, checks, encodes and writes.

For comparison, a bare loop over the same files does the same work with nothing around it: read,
decode with Pillow, encode an Example, write a TFRecord. The ratio is what listing, splitting, Beam,
threads and the accounting for each file cost, or gain.

    python -m benchmarks.ingest [--photos DIR] [--repeats N]
"""

import argparse
import io
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable

import numpy as np
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.image import image_example_gen
from millrace.components.files.tfrecord import FAST, write_records
from millrace.serving.example import encode

_PHOTOS = pathlib.Path(__file__).parents[2] / "shared" / "data" / "cats_vs_dogs"
_SMALL = 10_000
_CLASSES = 10


def main() -> None:
    """Print a table: the dataset, its images and bytes, both rates, their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=pathlib.Path, default=_PHOTOS, help="class folders")
    parser.add_argument("--repeats", type=int, default=5, help="the best of this many is shown")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, best of {arguments.repeats}; images per second")
    print(f"{'dataset':<22}{'images':>8}{'MiB':>8}{'bare loop':>11}{'ours':>9}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as scratch:
        small = pathlib.Path(scratch) / "small"
        _write_small(small)
        _show("PNG 28x28 grey", small, arguments.repeats)
        if arguments.photos.is_dir():
            photos = pathlib.Path(scratch) / "photos"
            for copy in range(4):
                shutil.copytree(arguments.photos, photos / "all" / str(copy))
            (photos / "other").mkdir()
            _write_image(photos / "other" / "0.png", 0)
            _show("photos (4 copies)", photos, arguments.repeats)


def _write_small(root: pathlib.Path) -> None:
    for number in range(_SMALL):
        folder = root / str(number % _CLASSES)
        folder.mkdir(parents=True, exist_ok=True)
        _write_image(folder / f"{number}.png", number)


def _write_image(path: pathlib.Path, seed: int) -> None:
    """A 28x28 grey PNG that compresses about as well as a scanned digit."""
    rough = np.random.default_rng(seed).integers(0, 256, (14, 14), np.uint8)
    Image.fromarray(rough.repeat(2, 0).repeat(2, 1)).save(path)


def _show(name: str, root: pathlib.Path, repeats: int) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    bare = len(files) / _best(lambda out: _bare_loop(files, size, out), repeats)
    ours = len(files) / _best(lambda out: _ours(root, out), repeats)
    print(
        f"{name:<22}{len(files):>8,}{size / 2**20:>8.1f}{bare:>11,.0f}{ours:>9,.0f}"
        f"{ours / bare:>8.2f}",
        flush=True,
    )


def _best(job: Callable[[Path], None], repeats: int) -> float:
    """The shortest wall time of `repeats` runs, seconds, each into an empty folder."""
    seconds = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            job(Path(folder))
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def _ours(root: pathlib.Path, out: Path) -> None:
    image_example_gen(RawFiles(Path(root)), out, run_on=BeamOptions())


def _bare_loop(files: list[pathlib.Path], size: int, out: Path) -> None:
    level = FAST if size < 4096 * len(files) else 0
    write_records(out / "all.gz", map(_bare_example, files), level=level)


def _bare_example(path: pathlib.Path) -> bytes:
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    return encode(
        {
            "image/encoded": data,
            "image/format": (image.format or "").lower(),
            "image/height": image.height,
            "image/width": image.width,
            "image/channels": len(image.getbands()),
            "image/filename": str(path),
            "image/class/label": 0,
            "image/class/text": path.parent.name,
        }
    )


if __name__ == "__main__":
    main()
