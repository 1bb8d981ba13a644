"""The rows of the course: the data of each recipe, the results it must reach, and its query.

A dataset that this project cannot include is named by its folder below the one passed to
`benchmarks.course`; if a row's own dataset is not available, `stand_in` says what replaces it.
"""

import dataclasses

TFDS = "tfds"  # a TFDS data folder, filled from downloaded files


@dataclasses.dataclass(frozen=True)
class CourseRow:
    """One recipe, run and queried.

    Attributes:
        recipe: its name.
        data: a folder or file below the data folder, `TFDS`, a name in `course_data.BUILDERS`,
            or empty for data that come with the recipe.
        settings: the arguments of `--set`; `{data}` stands for the data folder.
        needs: conditions on the evaluation's metrics, such as `accuracy >= 0.95`; a name on the
            right side is another metric.
        query: the arguments of `millrace predict`.
        answer: the field of the prediction to show.
        near: the number that the answer must be within `within` of, if any.
        stand_in: what replaces the row's own dataset.
        name: of the model, if one recipe has several rows.
    """

    recipe: str
    data: str = ""
    settings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    query: tuple[str, ...] = ("--sample", "1")
    answer: str = "class"
    near: float | None = None
    within: float = 0.0
    stand_in: str = ""
    name: str = ""


def _forecast(recipe: str, data: str = "", *settings: str) -> CourseRow:
    """A series, which must beat its baselines on the test period."""
    needs = ("mae < naive_mae", "mae < moving_average_mae")
    return CourseRow(recipe, data, settings, needs, answer="forecast")


def _generate(recipe: str, data: str, prompt: str, *needs: str, length: int = 12) -> CourseRow:
    query = ("--prompt", prompt, "--length", str(length), "--seed", "1")
    return CourseRow(recipe, data, (), ("perplexity < unigram_perplexity", *needs), query, "text")


_CATS = "cats_vs_dogs"
_WEIGHTS = "{data}/squeezenet_weights/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
_IMDB = ("accuracy >= 0.8",)
_SPAM = ("--text", "WINNER!! Call 09061701461 now to claim your prize")

ROWS: tuple[CourseRow, ...] = (
    CourseRow("line-fit", query=("x=10",), answer="prediction", near=19, within=0.1),
    CourseRow("house-prices", query=("bedrooms=7",), answer="prediction", near=4, within=0.05),
    CourseRow("digits", needs=("accuracy >= 0.95",)),
    CourseRow("reviews", needs=("accuracy >= 0.9",), query=("--text", "a warm and clever film")),
    _forecast("co2"),
    _forecast("synthetic-series"),
    _forecast("sunspots", "sunspots"),
    _forecast("daily-temperatures", "daily_min_temperatures"),
    _forecast("airline", "airline_passengers"),
    _forecast("bike-sharing", "bike_sharing"),
    _forecast("ett", "ett/ETTh1.csv"),
    _forecast("forecaster", "weather_2012", "series_example_gen.targets=Temp (C)"),
    CourseRow("penguins", "penguins", needs=("accuracy >= 0.95",)),
    CourseRow("penguins", TFDS, needs=("accuracy >= 0.95",), name="penguins-tfds"),
    CourseRow("bike-demand", "bike_sharing", needs=("r2 >= 0.7",), answer="prediction"),
    CourseRow("tabular", "messy_csv", answer="prediction"),
    CourseRow("sarcasm", "sarcasm", needs=("accuracy >= 0.82",)),
    CourseRow("bbc-news", "bbc_news", needs=("accuracy >= 0.95",)),
    CourseRow("imdb", "imdb_reviews", needs=_IMDB),
    CourseRow(
        "cats-vs-dogs-transfer",
        _CATS,
        (f"trainer.model.weights={_WEIGHTS}",),
        ("accuracy >= 0.95",),
    ),
    _generate("irish-lyrics", "irish_lyrics", "Laurence went to dublin", "perplexity < 110"),
    CourseRow("fashion-mnist-dense", TFDS, needs=("accuracy >= 0.85",)),
    CourseRow("mnist", TFDS, needs=("accuracy >= 0.97",)),
    CourseRow("imdb-conv1d", "imdb_reviews", needs=_IMDB),
    CourseRow("sms-spam", "sms_spam", needs=("f1_score >= 0.95",), query=_SPAM),
    CourseRow("text-classifier", "sms_spam", needs=("accuracy >= 0.95",), query=_SPAM),
    CourseRow("imdb-subwords", "imdb_reviews", needs=_IMDB),
    CourseRow(
        "cifar-small-cnn", "numerals", stand_in="CMATERdb's bangla numerals, 32x32x3, ten classes"
    ),
    CourseRow(
        "rock-paper-scissors",
        "three-signs",
        ("trainer.epochs=15",),
        stand_in="the signs 0, 2 and 5; 15 epochs",
    ),
    CourseRow(
        "horses-or-humans",
        _CATS,
        ("trainer.epochs=6",),
        stand_in="400 photos of cats and dogs; 6 epochs",
    ),
    CourseRow("horses-or-humans-compact", _CATS, stand_in="400 photos of cats and dogs"),
    CourseRow("cats-vs-dogs", _CATS, stand_in="400 of its 25,000 photos"),
    CourseRow("cats-vs-dogs-augmented", _CATS, stand_in="400 of its 25,000 photos"),
    CourseRow("sign-language", "sign_language_digits", needs=("accuracy >= 0.9",)),
    CourseRow(
        "sign-language",
        "pixels.csv",
        needs=("accuracy >= 0.9",),
        name="sign-language-pixels",
        stand_in="the same signs as a CSV of 28x28 grey pixels",
    ),
    CourseRow("image-classifier", "sign_language_digits", needs=("accuracy >= 0.9",)),
    _generate("shakespeare-chars", TFDS, "ROMEO:", "perplexity < 10", length=80),
    _generate("text-generator", "irish_lyrics", "my love is", "perplexity < 150"),
    CourseRow("fashion-mnist-cnn", TFDS, needs=("accuracy >= 0.9",)),
    CourseRow("imdb-bilstm", "imdb_reviews", needs=_IMDB),
)
