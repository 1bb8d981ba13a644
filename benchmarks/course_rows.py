"""The rows of the course: which data each recipe gets, what it must reach, what it is asked.

A data set that this project cannot carry is named by its folder below the one that is given to
`benchmarks.course`; where a row's own set is not at hand, `stand_in` says what took its place.
"""

import dataclasses

TFDS = "tfds"  # a TFDS data folder, filled from downloaded files


@dataclasses.dataclass(frozen=True)
class Row:
    """One recipe, run and asked.

    Attributes:
        recipe: its name.
        data: a folder or file below the data folder, `TFDS`, a name in `course_data.MADE`, or
            empty for what the recipe carries inside.
        settings: what `--set` is given; `{data}` stands for the data folder.
        needs: conditions on the evaluation's metrics, such as `accuracy >= 0.95`; a name on the
            right side is another metric.
        ask: what `millrace predict` is given.
        answer: the field of the prediction to show.
        near: the number that the answer must be within `within` of, if any.
        stand_in: what took the place of the row's own data set.
        name: of the model, where one recipe has several rows.
    """

    recipe: str
    data: str = ""
    settings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    ask: tuple[str, ...] = ("--sample", "1")
    answer: str = "class"
    near: float | None = None
    within: float = 0.0
    stand_in: str = ""
    name: str = ""


def _forecast(recipe: str, data: str = "", *settings: str) -> Row:
    """A series, which must beat its baselines on the test period."""
    needs = ("mae < naive_mae", "mae < moving_average_mae")
    return Row(recipe, data, settings, needs, answer="forecast")


def _generate(recipe: str, data: str, prompt: str, *needs: str, length: int = 12) -> Row:
    ask = ("--prompt", prompt, "--length", str(length), "--seed", "1")
    return Row(recipe, data, (), ("perplexity < unigram_perplexity", *needs), ask, "text")


_CATS = "cats_vs_dogs"
_WEIGHTS = "{data}/squeezenet_weights/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
_IMDB = ("accuracy >= 0.8",)
_SPAM = ("--text", "WINNER!! Call 09061701461 now to claim your prize")

ROWS: tuple[Row, ...] = (
    Row("line-fit", ask=("x=10",), answer="prediction", near=19, within=0.1),
    Row("house-prices", ask=("bedrooms=7",), answer="prediction", near=4, within=0.05),
    Row("digits", needs=("accuracy >= 0.95",)),
    Row("reviews", needs=("accuracy >= 0.9",), ask=("--text", "a warm and clever film")),
    _forecast("co2"),
    _forecast("synthetic-series"),
    _forecast("sunspots", "sunspots"),
    _forecast("daily-temperatures", "daily_min_temperatures"),
    _forecast("airline", "airline_passengers"),
    _forecast("bike-sharing", "bike_sharing"),
    _forecast("ett", "ett/ETTh1.csv"),
    _forecast("forecaster", "weather_2012", "series_example_gen.targets=Temp (C)"),
    Row("penguins", "penguins", needs=("accuracy >= 0.95",)),
    Row("penguins", TFDS, needs=("accuracy >= 0.95",), name="penguins-tfds"),
    Row("bike-demand", "bike_sharing", needs=("r2 >= 0.7",), answer="prediction"),
    Row("tabular", "messy_csv", answer="prediction"),
    Row("sarcasm", "sarcasm", needs=("accuracy >= 0.82",)),
    Row("bbc-news", "bbc_news", needs=("accuracy >= 0.95",)),
    Row("imdb", "imdb_reviews", needs=_IMDB),
    Row(
        "cats-vs-dogs-transfer",
        _CATS,
        (f"trainer.model.weights={_WEIGHTS}",),
        ("accuracy >= 0.95",),
    ),
    _generate("irish-lyrics", "irish_lyrics", "Laurence went to dublin", "perplexity < 110"),
    Row("fashion-mnist-dense", TFDS, needs=("accuracy >= 0.85",)),
    Row("mnist", TFDS, needs=("accuracy >= 0.97",)),
    Row("imdb-conv1d", "imdb_reviews", needs=_IMDB),
    Row("sms-spam", "sms_spam", needs=("f1_score >= 0.95",), ask=_SPAM),
    Row("text-classifier", "sms_spam", needs=("accuracy >= 0.95",), ask=_SPAM),
    Row("imdb-subwords", "imdb_reviews", needs=_IMDB),
    Row("cifar-small-cnn", "numerals", stand_in="CMATERdb's bangla numerals, 32x32x3, ten classes"),
    Row(
        "rock-paper-scissors",
        "three-signs",
        ("trainer.epochs=15",),
        stand_in="the signs 0, 2 and 5; 15 epochs",
    ),
    Row(
        "horses-or-humans",
        _CATS,
        ("trainer.epochs=6",),
        stand_in="400 photos of cats and dogs; 6 epochs",
    ),
    Row("horses-or-humans-compact", _CATS, stand_in="400 photos of cats and dogs"),
    Row("cats-vs-dogs", _CATS, stand_in="400 of its 25,000 photos"),
    Row("cats-vs-dogs-augmented", _CATS, stand_in="400 of its 25,000 photos"),
    Row("sign-language", "sign_language_digits", needs=("accuracy >= 0.9",)),
    Row(
        "sign-language",
        "pixels.csv",
        needs=("accuracy >= 0.9",),
        name="sign-language-pixels",
        stand_in="the same signs as a CSV of 28x28 grey pixels",
    ),
    Row("image-classifier", "sign_language_digits", needs=("accuracy >= 0.9",)),
    _generate("shakespeare-chars", TFDS, "ROMEO:", "perplexity < 10", length=80),
    _generate("text-generator", "irish_lyrics", "my love is", "perplexity < 150"),
    Row("fashion-mnist-cnn", TFDS, needs=("accuracy >= 0.9",)),
    Row("imdb-bilstm", "imdb_reviews", needs=_IMDB),
)
