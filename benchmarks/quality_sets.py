"""The data sets of `benchmarks.quality`: which generic recipe is given each, and how."""

import dataclasses
from typing import Literal

Kind = Literal["text", "table", "series", "image", "language"]


@dataclasses.dataclass(frozen=True)
class QualitySet:
    """One data set.

    Attributes:
        name: of the row in the table.
        kind: of data, which settles the recipe and the references.
        path: below the data folder; or, with `made`, nothing.
        settings: the arguments of `--set`, only what a person has to say of the data.
        made: the name of a function of `benchmarks.quality_made` that writes the data.
        counts: whether an error is a wrong class rather than a number.
        kept_back: whether nothing was settled by it.
    """

    name: str
    kind: Kind
    path: str = ""
    settings: tuple[str, ...] = ()
    made: str = ""
    counts: bool = False
    kept_back: bool = False

    @property
    def group(self) -> str:
        """The sets that it is summed up with."""
        return f"{self.kind}, kept back" if self.kept_back else self.kind

    @property
    def recipe(self) -> str:
        """The generic recipe for this kind of data."""
        return {
            "text": "text-classifier",
            "table": "tabular",
            "series": "forecaster",
            "image": "image-classifier",
            "language": "text-generator",
        }[self.kind]


SETS: tuple[QualitySet, ...] = (
    QualitySet("imdb", "text", "imdb_reviews/aclImdb", counts=True),
    QualitySet("sarcasm", "text", "sarcasm/Sarcasm_Headlines_Dataset.json", counts=True),
    QualitySet("sms spam", "text", "sms_spam/SMSSpamCollection.tsv", counts=True),
    QualitySet("bbc news", "text", "bbc_news", counts=True),
    QualitySet(
        "bike sharing, by the hour",
        "table",
        "bike_sharing/hour.csv",
        (
            "analyze.features.label=count",
            "analyze.features.exclude=casual,registered",
        ),
    ),
    QualitySet("penguins", "table", "penguins/penguins_processed.csv", counts=True),
    QualitySet("diabetes", "table", made="diabetes"),
    QualitySet("breast cancer", "table", made="breast_cancer", counts=True),
    QualitySet("wine", "table", made="wine", counts=True),
    QualitySet("house prices, made", "table", made="houses"),
    QualitySet("y = 2a - b + noise", "table", made="plane"),
    QualitySet("airline passengers", "series", "airline_passengers/airline-passengers.csv"),
    QualitySet("daily temperatures", "series", "daily_min_temperatures"),
    QualitySet("sunspots", "series", "sunspots"),
    QualitySet("sales by weekday, made", "series", made="weekly"),
    QualitySet("growing season, made", "series", made="growing"),
    QualitySet("random walk, made", "series", made="walk", kept_back=True),
    QualitySet("autoregression, made", "series", made="swings", kept_back=True),
    QualitySet("seldom sold, made", "series", made="seldom", kept_back=True),
    QualitySet("steps, made", "series", made="steps", kept_back=True),
    QualitySet("months, made", "series", made="months", kept_back=True),
    QualitySet("quarters, made", "series", made="quarters", kept_back=True),
    QualitySet("six years of months, made", "series", made="few", kept_back=True),
    QualitySet("counts by weekday, made", "series", made="counts", kept_back=True),
    QualitySet("cats and dogs", "image", "cats_vs_dogs/training_set", counts=True),
    QualitySet("signs of a hand", "image", "sign_language_digits/Dataset", counts=True),
    QualitySet("shakespeare", "language", "tiny_shakespeare/input.txt"),
)
