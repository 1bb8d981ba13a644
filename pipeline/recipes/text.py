"""Recipes for text classifiers, and where their texts come from."""

from etils.epath import Path

from millrace.components.example_gen.reviews import reviews_table
from millrace.components.example_gen.text import text_example_gen
from millrace.components.example_gen.tfds import tfds_example_gen
from millrace.components.features.text_spec import TextOptions
from millrace.pipeline.dag import Dag, Source, Step
from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes.row import Recipe

_HELD_OUT = 0.15  # of train, where a set has no eval split: nobody shall stop early on test


def _reviews(dag: Dag, data: str | None) -> Step:
    source = Source(data) if data else dag.step(reviews_table)
    return dag.step(text_example_gen, source=source)


def _files(dag: Dag, data: str | None) -> Step:
    """Ingest of anybody's labelled texts: class folders, a table, or `tfds:NAME`."""
    if not data:
        raise UsageError(
            f"Recipe {dag.name}: expected --data PATH, a folder with one folder of texts per "
            "class, or a CSV, TSV or JSON file of texts and classes, or `tfds:NAME`. "
            "Received: no --data."
        )
    if data.startswith("tfds:"):
        name = data.removeprefix("tfds:")
        return dag.step(tfds_example_gen, dataset=name, eval_from_train=_HELD_OUT)
    path = str(Path(data).expanduser())
    return dag.step(text_example_gen, source=Source(path), eval_from_train=_HELD_OUT)


def _imdb(dag: Dag, data: str | None) -> Step:
    """Ingest of TFDS `imdb_reviews`, from a TFDS data folder if `--data` is one, or of `--data`."""
    folder = Path(data).expanduser() if data else None
    is_prepared = folder is not None and (folder / "imdb_reviews" / "plain_text").exists()
    if data and not is_prepared:
        return _files(dag, data)
    return dag.step(
        tfds_example_gen,
        dataset="imdb_reviews",
        data_dir=str(folder.resolve()) if folder else None,
        only=("train", "test"),  # the third has no classes
        eval_from_train=_HELD_OUT,
    )


_BEST = ("trainer.monitor=val_loss", "trainer.keep=best", "trainer.early_stopping.patience=4")
_IMDB = "TFDS imdb_reviews, or --data"
_POOLED = (
    "trainer.model=embedding",
    "trainer.model.dropout=0.3",
    "trainer.learning_rate=0.003",
    "trainer.epochs=30",
    *_BEST,
)

ROWS: tuple[Recipe, ...] = (
    Recipe(
        "reviews",
        "text",
        "inside: 500 short reviews put together for this project",
        "good and bad reviews by the average of word vectors, in a minute",
        _reviews,
        (*_POOLED, "evaluator.at_least.accuracy=0.9"),
        TextOptions(),
    ),
    Recipe(
        "imdb",
        "text",
        _IMDB,
        "film reviews by the average of word vectors",
        _imdb,
        (*_POOLED, "evaluator.at_least.accuracy=0.8"),
        TextOptions(truncating="pre"),
    ),
    Recipe(
        "imdb-subwords",
        "text",
        _IMDB,
        "film reviews by the average of the vectors of subwords",
        _imdb,
        (*_POOLED, "evaluator.at_least.accuracy=0.8"),
        TextOptions(level="subword", vocabulary_size=8_000, truncating="pre"),
    ),
    Recipe(
        "imdb-bilstm",
        "text",
        _IMDB,
        "film reviews by an LSTM of 64 units that reads from both ends",
        _imdb,
        (
            "trainer.model=text_rnn",
            "trainer.model.units=64",
            "trainer.model.dense=",
            "trainer.model.embedding_l2=1e-5",
            "trainer.model.embedding_dropout=0.3",
            "trainer.model.token_dropout=0.5",
            "trainer.model.dropout=0.5",
            "trainer.model.pooling=average",
            "trainer.learning_rate=0.002",
            "trainer.schedule=cosine",
            "trainer.optimizer.clipnorm=1",
            "trainer.epochs=10",
            "evaluator.at_least.accuracy=0.8",
        ),
        TextOptions(sequence_length=400, truncating="pre"),
    ),
    Recipe(
        "imdb-conv1d",
        "text",
        _IMDB,
        "film reviews by 128 filters over five words",
        _imdb,
        (
            "trainer.model=text_conv",
            "trainer.model.filters=128",
            "trainer.model.kernel_size=5",
            "trainer.model.dense=",
            "trainer.model.embedding_dim=32",
            "trainer.model.embedding_dropout=0.5",
            "trainer.model.dropout=0.5",
            "trainer.model.pooling=average",
            "trainer.epochs=25",
            *_BEST,
            "evaluator.at_least.accuracy=0.8",
        ),
        TextOptions(sequence_length=400, truncating="pre"),
    ),
    Recipe(
        "sarcasm",
        "text",
        "--data: headlines as JSON, with headline and is_sarcastic",
        "headlines of newspapers and of The Onion",
        _files,
        (*_POOLED, "evaluator.at_least.accuracy=0.82"),
        TextOptions(),
    ),
    Recipe(
        "bbc-news",
        "text",
        "--data: a folder of articles per topic",
        "news in five topics",
        _files,
        (*_POOLED, "evaluator.at_least.accuracy=0.95"),
        TextOptions(),
    ),
    Recipe(
        "sms-spam",
        "text",
        "--data: a table of messages, ham or spam",
        "short messages, by 128 filters over three subwords, capitals and marks kept",
        _files,
        (
            "trainer.model=text_conv",
            "trainer.model.filters=128",
            "trainer.model.kernel_size=3",
            "trainer.model.dense=",
            "trainer.model.embedding_dim=32",
            "trainer.model.embedding_dropout=0.3",
            "trainer.model.dropout=0.5",
            "trainer.learning_rate=0.002",
            "trainer.epochs=25",
            *_BEST,
            "evaluator.at_least.f1_score=0.95",
        ),
        TextOptions(
            level="subword", standardize="none", vocabulary_size=4_000, sequence_length=100
        ),
    ),
    Recipe(
        "text-classifier",
        "text",
        "--data PATH: a folder of texts per class, a CSV, TSV or JSON, or tfds:NAME",
        "anybody's texts; vocabulary and length are chosen from the data",
        _files,
        ("trainer.model=auto", "trainer.threshold=auto", "trainer.epochs=30", *_BEST),
        TextOptions(
            standardize="lower_and_split_punctuation",
            vocabulary_size=50_000,
            whole=0.99,
            longest=1024,
            letters=True,
        ),
    ),
)
