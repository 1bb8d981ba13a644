"""Steps that read records as columns, by CPU: texts, short series and logged requests.

    python -m benchmarks.columns [REVIEWS]

Texts are the reviews of the folder REVIEWS (IMDB's, `*.txt` in `pos` and `neg`), the classes mixed,
as often as it takes for 30,000; without it there are none. There are 5,000 series of 100 rows, cut
into windows of 30; and 50,000 requests of twelve inputs, logged with 1 and with 32 rows each. The
best of three rounds counts.
"""

import itertools
import os
import pathlib
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from etils.epath import Path

from millrace.components.analyze import analyze
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.unlabelled_rows.logged_requests import LoggedRequests
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.features.text_spec import TextOptions
from millrace.components.files.tfrecord import write_records
from millrace.components.statistics_gen import statistics_gen
from millrace.components.transform import transform
from millrace.serving import wire
from millrace.serving.example import encode
from millrace.serving.protos import prediction_log_pb2

ROUNDS = 3
TEXTS, SERIES, ROWS, REQUESTS = 30_000, 5_000, 100, 50_000
Found = TypeVar("Found")
NUMBERS, WORDS = 6, np.array([b"Cork", b"Sligo", b"Dublin", b""], object)
RUN_ON = BeamOptions(("--direct_num_workers=1",))


def main() -> None:
    """Print a line per step: how many a second of CPU."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            texts(folder / "texts", pathlib.Path(sys.argv[1]))
        series(folder / "series")
        for rows in (1, 32):
            requests(folder / f"requests{rows}", rows)


def texts(folder: Path, source: pathlib.Path) -> None:
    """Statistics and analysis of reviews."""
    files = sorted(file for file in source.rglob("*.txt") if file.parent.name in ("pos", "neg"))
    files.sort(key=lambda file: file.name)  # which mixes the classes
    found = [
        encode({"text": file.read_bytes(), "text/class/text": file.parent.name}) for file in files
    ]
    records = list(itertools.islice(itertools.cycle(found), TEXTS))
    examples = write(folder, records, {})
    report(
        "texts, statistics_gen",
        TEXTS,
        folder,
        lambda out: statistics_gen(examples, out, run_on=RUN_ON),
    )
    options = TextOptions()
    report(
        "texts, analyze",
        TEXTS,
        folder,
        lambda out: analyze(examples, out, run_on=RUN_ON, features=options),
    )


def series(folder: Path) -> None:
    """Analysis and transformation of many short series; a hundredth of the cells is missing."""
    values = np.random.default_rng(0).normal(size=(SERIES, 2, ROWS)).astype(np.float32)
    values[np.random.default_rng(1).random(values.shape) < 0.01] = np.nan
    times = 1_600_000_000 + 3600 * np.arange(ROWS)
    records = [
        encode({"series": f"{number:05d}", "time": times, "a": a, "b": b})
        for number, (a, b) in enumerate(values)
    ]
    notes = {"targets": '["a"]', "covariates": '["b"]', "frequency": "h"}
    notes |= {"impute": "linear", "impute_season": "0"}
    examples = write(folder, records, notes)
    options = SeriesOptions(lookback=29, horizon=1)
    analysis = report(
        "series, analyze",
        SERIES,
        folder,
        lambda out: analyze(examples, out, run_on=RUN_ON, features=options),
    )
    windows = SERIES * (ROWS - 29)
    report(
        "windows, transform",
        windows,
        folder,
        lambda out: transform(examples, analysis, out, run_on=RUN_ON),
    )


def requests(folder: Path, rows: int) -> None:
    """The records of a log."""
    random, log = np.random.default_rng(0), prediction_log_pb2.PredictionLog()
    records = []
    log.log_metadata.model_spec.name = "model"
    for _ in range(REQUESTS // rows):
        inputs = log.predict_log.request.inputs
        inputs.clear()
        for number in range(NUMBERS):
            values = random.normal(size=rows).astype(np.float32)
            wire.fill(inputs[f"n{number}"], values, name="n", typed=True)
            wire.fill(inputs[f"t{number}"], WORDS[random.integers(0, 4, rows)], name="t")
        records.append(log.SerializeToString())
    folder.mkdir(parents=True)
    write_records(folder / "log.tfrecord", records)
    logged = LoggedRequests(folder, "model", {})

    def read(out: Path) -> int:
        return write_records(
            out / "records.gz",
            (logged.convert(item).example for item in logged.read([ListedRow("log.tfrecord", "")])),  # type: ignore[union-attr]
        )

    report(f"requests of {rows}", rows * len(records), folder, read)


def write(folder: Path, records: Iterable[bytes], notes: Mapping[str, str]) -> Examples:
    """Examples of one shard, which is the train split."""
    examples = Examples(folder)
    examples.split_path("train").mkdir(parents=True)
    count = write_records(examples.shard("train", 0, 1), records)
    return examples.write_summary({"train": count}, [], notes)


def report(name: str, count: int, folder: Path, run: Callable[[Path], Found]) -> Found:
    """Print the best of the rounds; returns what the last one gave."""
    taken = []
    for number in range(ROUNDS):
        out = folder / f"{name}, {number}"
        out.mkdir()
        before = resource.getrusage(resource.RUSAGE_SELF)
        found = run(out)
        after = resource.getrusage(resource.RUSAGE_SELF)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"{name:24} {min(taken):6.2f} s of CPU {count / min(taken):10,.0f}/s", flush=True)
    return found


if __name__ == "__main__":
    main()
