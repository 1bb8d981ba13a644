"""How fast inference in Beam is, compared with a bare loop that calls the same model.

Rows are 28x28 grey PNGs, or with `photo` 400x300 JPEGs that the model resizes to 96x96; the
model is a small convolutional network whose signature takes the files' bytes. The bare loop
reads the records, calls the model in batches of the same size, and keeps the answers.

    python -m benchmarks.bulk_inference [ROWS] [digit|photo]
"""

import io
import itertools
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import Examples, Model
from millrace.components.beam.options import BeamOptions
from millrace.components.bulk_inferrer import bulk_inferrer
from millrace.components.evaluator import evaluator
from millrace.components.files.tfrecord import read_records, write_records
from millrace.serving.example import decode, encode
from millrace.serving.model import LoadedModel

SHARDS = 4
BATCH = 128
CLASSES = [f"class {number}" for number in range(10)]


def main() -> None:
    """Print one line per variant: seconds, those of CPU, and rows per second of either."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    kind = sys.argv[2] if len(sys.argv) > 2 else "digit"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = save_model(folder / "model", side=28 if kind == "digit" else 96)
        examples = write_examples(folder / "examples", rows, kind)
        loaded = LoadedModel(model.saved_model)
        for _ in range(2):  # the second time, everything is warm
            report("bare loop", rows, lambda: bare_loop(examples, loaded))
        run_on = BeamOptions()
        variants: dict[str, Callable[[Path], object]] = {
            "evaluator": lambda out: evaluator(examples, model, None, out, run_on=run_on),
            "evaluator, with baseline": lambda out: evaluator(
                examples, model, model, out, run_on=run_on
            ),
            "bulk_inferrer, jsonl": lambda out: bulk_inferrer(
                model, None, examples, None, out, run_on=run_on, prediction_logs=False
            ),
            "bulk_inferrer, examples": lambda out: bulk_inferrer(
                *(model, None, examples, None, out),
                run_on=run_on,
                format="examples",
                prediction_logs=False,
            ),
            "bulk_inferrer, jsonl and logs": lambda out: bulk_inferrer(
                model, None, examples, None, out, run_on=run_on
            ),
        }
        for number, (variant, run) in enumerate(variants.items()):
            out = folder / f"out{number}"
            out.mkdir()
            report(variant, rows, lambda run=run, out=out: run(out))  # type: ignore[misc]


def save_model(path: Path, side: int) -> Model:
    """An untrained classifier whose signature is that of an exported one."""
    network = keras.Sequential(
        [
            keras.Input((side, side, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(len(CLASSES), activation="softmax"),
        ]
    )
    names = tf.constant(CLASSES)

    def pixels(encoded: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(encoded, channels=1, expand_animations=False)
        image.set_shape([None, None, 1])
        return tf.image.resize(image, [side, side])

    def serve(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.map_fn(pixels, image_bytes, fn_output_signature=tf.float32)
        scores = network(images)
        return {
            "class": tf.gather(names, tf.argmax(scores, axis=1)),
            "score": tf.reduce_max(scores, axis=1),
            "scores": scores,
            "classes": tf.repeat(names[None], tf.shape(scores)[0], axis=0),
        }

    inputs = tf.TensorSpec([None], tf.string, name="image_bytes")
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serving_default", serve, [inputs])
    model = Model(path)
    archive.write_out(str(model.saved_model), verbose=False)
    described = {"task": "classification", "label": "image/class/text"}
    (path / "model.json").write_text(json.dumps(described))
    return model


def write_examples(path: Path, rows: int, kind: str) -> Examples:
    """`rows` records of random pictures in one split of `SHARDS` files."""
    pictures = [picture(seed, kind) for seed in range(min(rows, 200))]
    examples = Examples(path)
    examples.split_path("test").mkdir(parents=True)
    for shard in range(SHARDS):
        numbers = range(shard, rows, SHARDS)
        records = (
            encode(
                {
                    "image/encoded": pictures[number % len(pictures)],
                    "image/filename": f"{number}",
                    "image/class/text": CLASSES[number % len(CLASSES)],
                }
            )
            for number in numbers
        )
        write_records(examples.shard("test", shard, SHARDS), records)
    return examples


def picture(seed: int, kind: str) -> bytes:
    """One file's bytes: a smooth random pattern."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7), dtype=np.uint8)
    size, form = ((28, 28), "PNG") if kind == "digit" else ((400, 300), "JPEG")
    file = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(file, form)
    return file.getvalue()


def bare_loop(examples: Examples, model: LoadedModel) -> int:
    """Read, call, keep; returns the number of answers."""
    records = itertools.chain.from_iterable(map(read_records, examples.files("test")))
    kept = []
    while batch := list(itertools.islice(records, BATCH)):
        values = [decode(record)["image/encoded"][0] for record in batch]
        kept.append(model.predict({"image_bytes": np.array(values, object)}))
    return sum(len(answers["class"]) for answers in kept)


def report(variant: str, rows: int, run: Callable[[], object]) -> None:
    """Run it once and print how long it took."""
    started, used = time.perf_counter(), _cpu()
    run()
    seconds, cpu = time.perf_counter() - started, _cpu() - used
    rates = f"{rows / seconds:9,.0f} rows/s {rows / cpu:9,.0f} per second of CPU"
    print(f"{variant:30} {seconds:7.2f} s {cpu:7.2f} s of CPU {rates}", flush=True)


def _cpu() -> float:
    """Seconds of CPU of this process and of those that it waited for."""
    each = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in each)


if __name__ == "__main__":
    main()
