"""How often a split is told to be unlike train: where it is drawn at random, and where it is not.

    python -m benchmarks.shift DATA [SET…] [--splits N]

The records of each set, at most 4,000 of them, evenly spread, are split 85 to 15 by chance, N
times, and each time the statistics of both parts are compared as `evaluator` compares them: what is
told is a false alarm. Then one thing is planted in the smaller part of each such split: a number
moved by its standard deviation, a third of a column missing, three in four rows of a text's or a
class's commonest value taken away. What is told of that column is found. At last the rows are split
as the files have them, the last 15 % the smaller part: unlike the rest, if they are by time or by
class.

Of pictures, records have the size, the channels, the format and the class; of texts, the text and
the class.
"""

import argparse
import dataclasses
import pathlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks import quality_made
from millrace.components.files import columns
from millrace.components.statistics.dataset import fold
from millrace.components.statistics.proto import Detail, to_proto
from millrace.components.statistics.reading import DatasetStats
from millrace.components.validation import shift
from millrace.serving.example import encode

Row = dict[str, bytes | float]
"""A record: features by name, those that are missing left out."""

_MOST = 4_000
_SMALLER = 0.15
_DETAIL = Detail(histogram_buckets=10, top_values=20, rank_buckets=1000)
_NUMBERS = 10  # different ones, from which a column is moved rather than thinned out


@dataclasses.dataclass
class Tally:
    """What was told of a set.

    Attributes:
        rows: of the set.
        false: random splits of which something was told.
        planted: of each thing planted, in how many splits it was told of the column it was in, and
            in how many it was planted.
        in_order: what was told of the rows in order; empty for nothing.
    """

    rows: int
    false: int
    planted: dict[str, tuple[int, int]]
    in_order: str


def main() -> None:
    """Print a line of the table per set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path, help="the folder of data sets")
    parser.add_argument("sets", nargs="*", help="names of sets; all by default")
    parser.add_argument("--splits", type=int, default=20, help="by chance, of each set")
    arguments = parser.parse_args()
    print("| set | rows | false alarms | moved | missing | thinned out | in order |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, read in SETS.items():
        if arguments.sets and name not in arguments.sets:
            continue
        found = tally(read(arguments.data), arguments.splits)
        planted = " | ".join(
            f"{told} of {tried}" if tried else "" for told, tried in found.planted.values()
        )
        alarms = f"{found.false} of {arguments.splits}"
        print(
            f"| {name} | {found.rows:,} | {alarms} | {planted} | {found.in_order or 'nothing'} |",
            flush=True,
        )


def tally(read: Sequence[Row], splits: int) -> Tally:
    """What is told of splits of the rows `read`: drawn by chance, planted in, and in order."""
    kept = np.linspace(0, len(read) - 1, min(len(read), _MOST), dtype=int)
    rows = [read[place] for place in kept]
    records = [encode(row) for row in rows]
    few = int(_SMALLER * len(rows))
    found = Tally(len(read), 0, dict.fromkeys(PLANTED, (0, 0)), "")
    for seed in range(splits):
        random = np.random.default_rng(seed)
        order = random.permutation(len(rows))
        here, train = order[:few], order[few:]
        learnt = described([records[place] for place in train])
        found.false += bool(shift.find(described([records[place] for place in here]), learnt))
        for name, plant in PLANTED.items():
            planted = plant(
                [rows[place] for place in here], [rows[place] for place in train], random
            )
            if planted:
                changed, column = planted
                told = shift.find(described([encode(row) for row in changed]), learnt)
                hits, tried = found.planted[name]
                hits += any(one.feature == column for one in told)
                found.planted[name] = hits, tried + 1
    first = shift.find(described(records[-few:]), described(records[:-few]))
    found.in_order = "; ".join(f"{one.feature} {one.how}" for one in first[:1])
    return found


def described(records: Sequence[bytes]) -> DatasetStats:
    """The statistics that `statistics_gen` makes of `records`."""
    dataset = fold(columns.batches(records, "rows"), "rows")
    return to_proto("split", dataset, _DETAIL, {}).datasets[0]


Planted = tuple[list[Row], str] | None
"""The rows of the smaller part after something was planted, and in which column; None if there is
no column for it."""


def moved(here: Sequence[Row], train: Sequence[Row], random: np.random.Generator) -> Planted:
    """A column of numbers by its standard deviation."""
    numeric = [
        name
        for name in _names(here)
        if len({row.get(name) for row in train}) > _NUMBERS
        and not any(isinstance(row.get(name), bytes) for row in train)
    ]
    if not numeric:
        return None
    name = str(random.choice(numeric))
    known = [row[name] for row in train if name in row]
    by = float(np.std(np.array(known, np.float64)))
    return [{**row, name: float(row[name]) + by} if name in row else row for row in here], name


def missing(here: Sequence[Row], train: Sequence[Row], random: np.random.Generator) -> Planted:
    """A third of a column's values gone."""
    name = str(random.choice(_names(here)))
    gone = random.random(len(here)) < 1 / 3
    return [
        {key: value for key, value in row.items() if not (lost and key == name)}
        for row, lost in zip(here, gone, strict=True)
    ], name


def thinned(here: Sequence[Row], train: Sequence[Row], random: np.random.Generator) -> Planted:
    """Three in four rows of a column's commonest value gone, of a text that has few values."""
    values = {name: Counter(row.get(name) for row in train) for name in _names(here)}
    few = [
        name
        for name, counts in values.items()
        if 1 < len(counts) <= 2 * _NUMBERS and any(isinstance(one, bytes) for one in counts)
    ]
    if not few:
        return None
    name = str(random.choice(few))
    [(commonest, _)] = values[name].most_common(1)
    return [row for row in here if row.get(name) != commonest or random.random() < 1 / 4], name


PLANTED: dict[str, Callable[[Sequence[Row], Sequence[Row], np.random.Generator], Planted]] = {
    "moved": moved,
    "missing": missing,
    "thinned out": thinned,
}


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _table(path: str, **options: str) -> Callable[[pathlib.Path], list[Row]]:
    return lambda data: rows_of(pd.read_csv(data / path, **options))


def _made(name: str) -> Callable[[pathlib.Path], list[Row]]:
    def read(data: pathlib.Path) -> list[Row]:
        with tempfile.TemporaryDirectory() as folder:
            return rows_of(pd.read_csv(getattr(quality_made, name)(pathlib.Path(folder))))

    return read


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """The rows of a table, its texts as bytes, without the cells that are empty."""
    return [
        {
            str(name): value.encode() if isinstance(value, str) else float(value)
            for name, value in row.items()
            if not pd.isna(value)
        }
        for row in frame.to_dict("records")
    ]


def _sms(data: pathlib.Path) -> list[Row]:
    lines = (data / "sms_spam/SMSSpamCollection.tsv").read_text().splitlines()
    pairs = [line.split("\t", 1) for line in lines if "\t" in line]
    return [{"label": label.encode(), "text": text.encode()} for label, text in pairs]


def _by_class(path: str, row: Callable[[pathlib.Path], Row]) -> Callable[[pathlib.Path], list[Row]]:
    def files(folder: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
        for each in sorted(one for one in folder.iterdir() if one.is_dir()):
            yield from ((each.name, file) for file in sorted(each.iterdir()))

    return lambda data: [
        {"label": label.encode(), **row(file)} for label, file in files(data / path)
    ]


def _text(file: pathlib.Path) -> Row:
    return {"text": file.read_bytes()}


def _picture(file: pathlib.Path) -> Row:
    with Image.open(file) as picture:
        size = {"height": float(picture.height), "width": float(picture.width)}
        return {**size, "channels": float(len(picture.getbands())), "format": b"jpeg"}


SETS: dict[str, Callable[[pathlib.Path], list[Row]]] = {
    "bike sharing": _table("bike_sharing/hour.csv"),
    "Beijing PM2.5": _table("beijing_pm25/pollution.csv"),
    "weather 2012": _table("weather_2012/weather_2012.csv"),
    "penguins": _table("penguins/penguins_processed.csv"),
    "diabetes": _made("diabetes"),
    "breast cancer": _made("breast_cancer"),
    "wine": _made("wine"),
    "house prices, made": _made("houses"),
    "sms spam": _sms,
    "bbc news": _by_class("bbc_news", _text),
    "imdb": _by_class("imdb_reviews/aclImdb/train", _text),
    "cats and dogs": _by_class("cats_vs_dogs/training_set", _picture),
    "signs of a hand": _by_class("sign_language_digits/Dataset", _picture),
}


if __name__ == "__main__":
    main()
