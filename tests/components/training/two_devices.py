"""Trainings on one device and on two, in a process that has two: the histories, as JSON."""

import csv
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from millrace.components.artifacts import Analysis, Examples
from millrace.components.features import spec
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files.tfrecord import write_records
from millrace.components.models.image_options import Augment
from millrace.components.models.language_options import Generator
from millrace.components.models.layer_options import Dense
from millrace.components.models.series_options import SeriesRnn
from millrace.components.trainer import trainer
from millrace.components.training.backup import Backup
from millrace.components.training.objective import Loss
from millrace.components.training.options import EarlyStopping, Optimizer
from millrace.components.training.replicas import Replicas
from millrace.components.training.schedule_options import ReduceOnPlateau
from millrace.serving.example import encode

SGD = Optimizer("sgd", momentum=0.9)
RANDOM = np.random.default_rng(0)


def examples(folder, described, records):
    """Examples of `records`, a fifth of them in the eval split, and the analysis `described`."""
    found, analysis = Examples(folder / "examples"), Analysis(folder / "analysis")
    analysis.path.mkdir(parents=True)
    spec.write(described, analysis.file)
    count = len(records) * 4 // 5
    splits = {"train": records[:count], "eval": records[count:]}
    for split, part in splits.items():
        found.split_path(split).mkdir(parents=True)
        write_records(found.shard(split, 0, 1), list(map(encode, part)))
    return found.write_summary({split: len(part) for split, part in splits.items()}), analysis


def pictures(folder):
    """Of three classes, the first of which has half of them."""
    labels = RANDOM.choice(3, 62, p=[0.5, 0.3, 0.2])
    pixels = RANDOM.integers(0, 100, (62, 36), np.uint8)
    pixels[np.arange(62), 2 * labels] = 250
    records = [
        {"image": image.tobytes(), "label": int(label)}
        for image, label in zip(pixels, labels, strict=True)
    ]
    return examples(folder, ImageSpec(("a", "b", "c"), 6, 6, 1), records)


def texts(folder):
    """Sequences of which some are mostly padding."""
    described = LanguageSpec(
        "character", tuple("e\nabcd "), (0, 5, 4, 3, 2, 1, 1, 1), 8, 8, "", "none"
    )
    records = []
    for _ in range(30):
        tokens = RANDOM.integers(2, described.tokens, 9)
        tokens[RANDOM.integers(2, 9) :] = 0
        records.append({"tokens": tokens[:-1].tolist(), "next": tokens[1:].tolist()})
    return examples(folder, described, records)


def series(folder):
    """Windows of which a third of what is to be forecast is unknown."""
    described = SeriesSpec(("y",), 4, 3, "h", (0.0,), (1.0,), (1.0,))
    values = RANDOM.normal(size=(40, 7)).astype(np.float32)
    values[:, 4:][RANDOM.random((40, 3)) < 1 / 3] = np.nan
    records = [{"window": row[:4].tolist(), "future": row[4:].tolist()} for row in values]
    return examples(folder, described, records)


CASES = {
    "of whole batches": (  # the last one has one example: none for the second device
        pictures,
        {
            "model": Dense(units=(8,), batch_normalization=True, l2=0.01),
            "batch_size": 8,
            "top_k": 2,
            "class_weight": "balanced",
            "augment": Augment(mixup=0.4, cutmix=1.0),
            "loss": Loss("categorical_crossentropy", 0.1),
            "optimizer": Optimizer("sgd", global_clipnorm=0.2),
        },
    ),
    "of padded texts, stopped early": (
        texts,
        {
            "model": Generator(units=(8,), embedding_dim=4, dropout=0.0),
            "learning_rate": 0.5,
            "schedule": ReduceOnPlateau(patience=1),
            "early_stopping": EarlyStopping(patience=3),
            "keep": "best",
            "epochs": 12,
        },
    ),
    "of unknown values": (series, {"model": SeriesRnn(units=(6,))}),
}


def train(folder, name, data, **options):
    """The history of a training in `folder`, which goes on where one of that `name` stopped."""
    out, resume = folder / name, folder / f"{name}.resume"
    for each in (out, resume):
        each.mkdir(exist_ok=True)
    settings = {"epochs": 2, "batch_size": 7, "optimizer": SGD, **options}
    trained = trainer(*data, None, out, resume, **settings)
    with trained.history_file.open() as file:
        return [[float(value) for value in row.values()] for row in csv.DictReader(file)]


def killed(folder, data, **options):
    """The history of a training that was broken off after its first epoch, then went on."""
    whole = Backup.on_epoch_end

    def once(self, epoch, logs=None):
        whole(self, epoch, logs)
        raise KeyboardInterrupt

    Backup.on_epoch_end = once
    try:
        train(folder, "killed", data, **options)
    except KeyboardInterrupt:
        Backup.on_epoch_end = whole
        return train(folder, "killed", data, **options)
    raise AssertionError


def drawn():
    """What dropout leaves of the same ones on each device."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = keras.Sequential([keras.Input((40,)), keras.layers.Dropout(0.5)])
        model.compile("sgd")
    Replicas(strategy).agree(model)
    left = strategy.run(tf.function(lambda: model(tf.ones([1, 40]), training=True)))
    return [each.numpy().tolist() for each in strategy.experimental_local_results(left)]


def _main(folder):
    cpu = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [cpu, cpu]
    )
    found = {}
    for number, (name, (data, options)) in enumerate(CASES.items()):
        place = folder / str(number)
        read = data(place)
        found[name] = {
            strategy: train(place, strategy, read, strategy=strategy, **options)
            for strategy in ("none", "mirrored")
        }
    place = folder / "random"
    options = {"model": Dense(units=(8,), dropout=0.5), "strategy": "mirrored", "epochs": 3}
    read = pictures(place)
    found["random"] = {
        "whole": train(place, "whole", read, **options),
        "killed": killed(place, read, **options),
    }
    found["drawn"] = drawn()
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
