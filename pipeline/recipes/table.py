"""Recipes for tables, and where their rows come from."""

from collections.abc import Callable

from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.example_gen.samples import house_prices, line_fit
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.tables_tfds import tfds_table_example_gen
from millrace.components.features.table_spec import TableOptions
from millrace.pipeline.dag import Dag, OptionsOf, Source, Step
from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes.row import Ingest, Recipe

# Rows without a label are set aside where they are read, so both steps are told by one option.
_LABEL = OptionsOf("analyze", "features.label")


def _inside(write: Callable[[Path], RawFiles]) -> Ingest:
    """Ingest of a table so small that all of it is trained on, or of what `--data` holds."""

    def ingest(dag: Dag, data: str | None) -> Step:
        source = Source(str(Path(data).expanduser())) if data else dag.step(write)
        return dag.step(csv_example_gen, source=source, splits={"train": 1.0}, label=_LABEL)

    return ingest


def _tfds(dataset: str) -> Ingest:
    """Ingest of the TensorFlow Datasets set `dataset`, or of what `--data` holds instead.

    `--data` may be a TFDS data folder, a CSV or a folder of them, or `tfds:NAME`.
    """

    def ingest(dag: Dag, data: str | None) -> Step:
        if data is None:
            return dag.step(tfds_table_example_gen, dataset=dataset, label=_LABEL)
        folder = Path(data).expanduser()
        is_ours = (folder / dataset).exists() or (folder / "downloads").exists()
        if not data.startswith("tfds:") and is_ours:
            data_dir = str(folder.resolve())
            return dag.step(
                tfds_table_example_gen, dataset=dataset, data_dir=data_dir, label=_LABEL
            )
        return _anything(dag, data)

    return ingest


def _anything(dag: Dag, data: str | None) -> Step:
    """Ingest of anybody's table: a CSV, a folder of them, or `tfds:NAME`."""
    if not data:
        raise UsageError(
            f"Recipe {dag.name}: expected --data FILE, a CSV whose columns have names, or a folder "
            "of such files, or `tfds:NAME`. Received: no --data."
        )
    if data.startswith("tfds:"):
        name = data.removeprefix("tfds:")
        return dag.step(tfds_table_example_gen, dataset=name, label=_LABEL)
    source = Source(str(Path(data).expanduser()))
    # Where a data set has no eval split of its own, nobody shall stop early on its test split.
    return dag.step(csv_example_gen, source=source, eval_from_train=0.1, label=_LABEL)


_LINEAR = (
    "trainer.model=dense",
    "trainer.model.units=[]",
    "trainer.optimizer=sgd",
    "trainer.epochs=500",
)
_STOPPED = ("trainer.early_stopping.patience=15", "trainer.keep=best")

ROWS: tuple[Recipe, ...] = (
    Recipe(
        "line-fit",
        "table",
        "inside: six points of y = 2x - 1",
        "one unit learns a line; y(10) is near 19",
        _inside(line_fit),
        (*_LINEAR, "trainer.learning_rate=0.01"),
        TableOptions(label="y", problem="regression", scaling="none"),
    ),
    Recipe(
        "house-prices",
        "table",
        "inside: six houses, price = 0.5 + 0.5 bedrooms in 100,000",
        "one unit learns the price of houses; that of seven bedrooms is near 4",
        _inside(house_prices),
        (*_LINEAR, "trainer.learning_rate=0.03"),
        TableOptions(label="price", problem="regression", scaling="none"),
    ),
    Recipe(
        "penguins",
        "table",
        "TFDS penguins/processed, or --data",
        "the species of 334 penguins by four measures",
        _tfds("penguins/processed"),
        (
            "trainer.model=dense",
            "trainer.model.units=32,16",
            "trainer.epochs=80",
            "trainer.batch_size=16",
            "trainer.learning_rate=0.005",
            "evaluator.at_least.accuracy=0.9",
            *_STOPPED,
        ),
        TableOptions(label="species"),
    ),
    Recipe(
        "bike-demand",
        "table",
        "--data FILE: the hours of Capital bike sharing as a CSV",
        "how many bicycles are rented in an hour, by time and weather",
        _anything,
        (
            "trainer.model=wide_deep",
            "trainer.model.units=64,32",
            "trainer.epochs=30",
            "trainer.batch_size=128",
            "trainer.learning_rate=0.003",
            "evaluator.at_least.r2=0.7",
            *_STOPPED,
        ),
        TableOptions(
            label="count",
            exclude=("instant", "casual", "registered"),
            categorical=("season", "weathersit", "weekday", "hour", "month"),
            crosses=("hour:weekday",),
            cross_size=300,
        ),
    ),
    Recipe(
        "tabular",
        "table",
        "--data FILE: a CSV, or a folder of them, or tfds:NAME",
        "anybody's table; label, problem and types are chosen from the data",
        _anything,
        (
            "trainer.model=auto",
            "trainer.threshold=auto",
            "trainer.epochs=100",
            "trainer.batch_size=32",
            "trainer.learning_rate=0.003",
            "transform.max_rejected=0.05",
            "evaluator.max_rejected=0.05",
            "trainer.keep=best",
        ),
        TableOptions(),
    ),
)
