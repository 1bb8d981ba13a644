"""The recipes: rows of a table, and the wiring that a kind of data shares.

A row names its data, how it is ingested, and its options as a person would type them after
`--set`. The wiring is the whole pipeline at a glance.
"""

import dataclasses
from collections.abc import Callable

from etils.epath import Path

from components.analyze import analyze
from components.artifacts import Evaluation, Model
from components.bulk_inferrer import bulk_inferrer
from components.evaluator import evaluator
from components.example_gen.digits import digits_images
from components.example_gen.image import image_example_gen
from components.example_gen.tfds import tfds_example_gen
from components.example_gen.tfrecords import import_example_gen
from components.example_validator import example_validator
from components.export import export
from components.infra_validator import infra_validator
from components.pusher import pusher
from components.schema_gen import import_schema, schema_gen
from components.statistics_gen import statistics_gen
from components.trainer import trainer
from components.transform import transform
from pipeline.dag import Dag, Previous, Source, Step
from pipeline.errors import UsageError
from pipeline.options import nearest

Ingest = Callable[[Dag, str | None], Step]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One row of the table of recipes."""

    name: str
    kind: str
    data: str
    summary: str
    ingest: Ingest
    settings: tuple[str, ...] = ()

    def wire(
        self, name: str, data: str | None, serving_root: Path, schema: str | None = None
    ) -> Dag:
        """The DAG of this recipe for the pipeline `name`, whose pushed model bears that name.

        With `schema`, a curated schema file takes the place of the inferred one.

        Raises:
            UsageError: the recipe needs `data` and got none.
        """
        dag = Dag(name)
        classify_images(dag, self.ingest(dag, data), serving_root, schema)
        dag.configure(self.settings)
        return dag


def classify_images(dag: Dag, examples: Step, serving_root: Path, curated: str | None) -> None:
    """From examples of labelled images to a pushed classifier; `curated` names a schema file."""
    statistics = dag.step(statistics_gen, examples=examples)
    if curated:
        schema = dag.step(import_schema, source=Source(curated))
    else:
        schema = dag.step(schema_gen, statistics=statistics)
    dag.step(example_validator, statistics=statistics, schema=schema, previous=Previous(statistics))
    analysis = dag.step(analyze, examples=examples)
    transformed = dag.step(transform, examples=examples, analysis=analysis)
    trained = dag.step(trainer, examples=transformed, analysis=analysis)
    model = dag.step(export, model=trained, analysis=analysis, examples=examples)
    evaluation = dag.step(
        evaluator, examples=examples, model=model, baseline=Previous(model, blessed=True)
    )
    infra = dag.step(infra_validator, model=model, examples=examples)
    dag.step(
        pusher,
        model=model,
        evaluation=evaluation,
        infra=infra,
        model_name=dag.name,
        serving_root=str(serving_root),
    )


def bulk_inference(name: str, model: Path, evaluation: Path, data: str) -> Dag:
    """One step: the model in the folder `model` over the files at `data`."""
    dag = Dag(name)
    dag.step(
        bulk_inferrer,
        model=Source(str(model), Model),
        evaluation=Source(str(evaluation), Evaluation),
        source=Source(data),
    )
    return dag


def find(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        UsageError: there is none; offers the nearest.
    """
    if name not in RECIPES:
        raise UsageError(f"Recipe {name!r}: unknown. {nearest(name, RECIPES)}")
    return RECIPES[name]


def _digits(dag: Dag, data: str | None) -> Step:
    source = Source(data) if data else dag.step(digits_images)
    return dag.step(image_example_gen, source=source)


def _anything(dag: Dag, data: str | None) -> Step:
    """Ingest of anybody's labelled images: class folders, TFRecords, or `tfds:NAME`."""
    if not data:
        raise UsageError(
            f"Recipe {dag.name}: expected --data DIR, a folder with one folder of images per "
            "class, or one of TFRecords, or `tfds:NAME`. Received: no --data."
        )
    if data.startswith("tfds:"):
        return dag.step(tfds_example_gen, dataset=data.removeprefix("tfds:"))
    folder = Path(data).expanduser()
    if any(True for pattern in ("*tfrecord*", "*/*tfrecord*") for _ in folder.glob(pattern)):
        return dag.step(import_example_gen, source=Source(data))
    # Where a data set has no eval split of its own, nobody shall stop early on its test split.
    return dag.step(image_example_gen, source=Source(data), eval_from_train=0.1)


def _tfds(dataset: str) -> Ingest:
    """Ingest of the TensorFlow Datasets set `dataset`, or of what `--data` holds instead.

    `--data` may be a TFDS data folder, a folder of the set's own downloaded files, or a
    folder of images in class folders.
    """

    def ingest(dag: Dag, data: str | None) -> Step:
        folder = Path(data).expanduser() if data else None
        if folder is None:
            return dag.step(tfds_example_gen, dataset=dataset)
        if (folder / dataset).exists() or (folder / "downloads").exists():
            return dag.step(tfds_example_gen, dataset=dataset, data_dir=str(folder.resolve()))
        if folder.is_dir() and any(entry.is_dir() for entry in folder.iterdir()):
            return dag.step(image_example_gen, source=Source(str(folder)))
        return dag.step(tfds_example_gen, dataset=dataset, manual_dir=str(folder.resolve()))

    return ingest


_SMALL_CNN = ("trainer.model=cnn", "trainer.model.filters=32,64", "trainer.model.padding=same")
_COURSE_CNN = ("trainer.model=cnn", "trainer.model.filters=64,64", "trainer.model.dense=128")

_ROWS = (
    Recipe(
        "digits",
        "image",
        "inside: the 1,797 digit scans of scikit-learn",
        "handwritten digits of 8x8 pixels; the main job, in a minute",
        _digits,
        ("trainer.epochs=15", *_SMALL_CNN),
    ),
    Recipe(
        "fashion-mnist-dense",
        "image",
        "TFDS fashion_mnist, or --data",
        "clothes of 28x28 pixels by Flatten, Dense 128, Dense 10",
        _tfds("fashion_mnist"),
        (
            "analyze.image.scale=standardise",
            "trainer.epochs=5",
            "trainer.model=dense",
            "trainer.batch_size=128",
        ),
    ),
    Recipe(
        "fashion-mnist-cnn",
        "image",
        "TFDS fashion_mnist, or --data",
        "clothes of 28x28 pixels by two convolutions of 64 filters",
        _tfds("fashion_mnist"),
        ("trainer.epochs=5", *_COURSE_CNN),
    ),
    Recipe(
        "mnist",
        "image",
        "TFDS mnist, or --data",
        "digits of 28x28 pixels; stops by itself at 99 % training accuracy",
        _tfds("mnist"),
        ("trainer.epochs=10", "trainer.model=dense", "trainer.stop_at.accuracy=0.99"),
    ),
    Recipe(
        "image-classifier",
        "image",
        "--data DIR: a folder of images per class, or TFRecords, or tfds:NAME",
        "anybody's images; size and channels are chosen from the data",
        _anything,
        (
            "trainer.epochs=30",
            *_SMALL_CNN,
            "trainer.model.filters=32,64,128",
            "trainer.model.dropout=0.4",
            "trainer.augment.rotation=10",
            "trainer.augment.zoom=0.1",
            "trainer.early_stopping.patience=10",
            "trainer.monitor=val_accuracy",
            "trainer.keep=best",
        ),
    ),
)

RECIPES: dict[str, Recipe] = {row.name: row for row in _ROWS}
