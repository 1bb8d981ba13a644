"""Recipes for text generators, and where their text comes from."""

from etils.epath import Path

from millrace.components.example_gen.corpus import corpus_example_gen
from millrace.components.example_gen.tfds_texts import tfds_texts
from millrace.components.features.language_spec import LanguageOptions
from millrace.pipeline.dag import Dag, Source, Step
from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes.row import Ingest, Recipe


def _texts(dag: Dag, data: str | None) -> Step:
    """Ingest of anybody's text: a file, a folder of files, or `tfds:NAME`."""
    if not data:
        raise UsageError(
            f"Recipe {dag.name}: expected --data PATH, a text file or a folder of them, or "
            "`tfds:NAME`. Received: no --data."
        )
    if data.startswith("tfds:"):
        texts = dag.step(tfds_texts, dataset=data.removeprefix("tfds:"))
        return dag.step(corpus_example_gen, source=texts)
    # Where a text has no eval split of its own, nobody shall stop early on its test split.
    source = Source(str(Path(data).expanduser()))
    return dag.step(corpus_example_gen, source=source, eval_from_train=0.1)


def _tfds(dataset: str) -> Ingest:
    """Ingest of the TensorFlow Datasets set `dataset`, or of what `--data` holds instead.

    `--data` may be a TFDS data folder, a text file or a folder of them, or `tfds:NAME`.
    """

    def ingest(dag: Dag, data: str | None) -> Step:
        folder = Path(data).expanduser() if data and not data.startswith("tfds:") else None
        if data is None:
            texts = dag.step(tfds_texts, dataset=dataset)
        elif folder and ((folder / dataset).exists() or (folder / "downloads").exists()):
            texts = dag.step(tfds_texts, dataset=dataset, data_dir=str(folder.resolve()))
        else:
            return _texts(dag, data)
        return dag.step(corpus_example_gen, source=texts)

    return ingest


_TRAINED = ("trainer.output=logits", "trainer.optimizer.clipnorm=1.0", "trainer.keep=best")
_GENERATOR = ("trainer.model=generator", "trainer.model.cell=gru", *_TRAINED)

ROWS: tuple[Recipe, ...] = (
    Recipe(
        "irish-lyrics",
        "language",
        "--data: the lyrics, a song line in each",
        "song lines continued word by word",
        _texts,
        (
            "corpus_example_gen.unit=line",
            *_GENERATOR,
            "trainer.epochs=30",
            "trainer.batch_size=32",
            "trainer.model.units=128",
            "trainer.model.dropout=0.4",
            "trainer.learning_rate=0.003",
            "trainer.early_stopping.patience=4",
            "evaluator.at_most.perplexity_ratio=0.2",
        ),
        LanguageOptions(level="word"),
    ),
    Recipe(
        "shakespeare-chars",
        "language",
        "TFDS tiny_shakespeare, or --data",
        "plays continued letter by letter, by a GRU of 256",
        _tfds("tiny_shakespeare"),
        (
            "corpus_example_gen.unit=passage",
            *_GENERATOR,
            "trainer.epochs=4",
            "trainer.batch_size=64",
            "trainer.model.units=256",
            "trainer.learning_rate=0.005",
            "evaluator.at_most.perplexity_ratio=0.15",
        ),
        LanguageOptions(level="character", sequence_length=100),
    ),
    Recipe(
        "text-generator",
        "language",
        "--data: a text file, a folder of them, or tfds:NAME",
        "anybody's text; lines or passages, words or characters are chosen from the data",
        _texts,
        (
            "trainer.model=auto",
            *_TRAINED,
            "trainer.epochs=10",
            "trainer.batch_size=64",
            "trainer.early_stopping.patience=2",
        ),
        LanguageOptions(),
    ),
)
