"""Questions in a file of rows: read as the data was that the model learnt from."""

import contextlib
import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence

from etils.epath import Path

from components.artifacts import Rejected
from components.errors import DataError
from components.example_gen.source import SeriesSource, TableSource, TextSource
from components.features import series
from components.features.series_spec import SeriesSpec
from components.requests import feature_of
from pipeline import questions
from pipeline.errors import UsageError
from pipeline.origin import Origin
from pipeline.questions import Question
from serving.signature import Signature


def from_columns(assignments: Sequence[str], origin: Origin) -> list[Question]:
    """One question about the row that `column=value` assignments make; none of none.

    Raises:
        UsageError: a date is not written as the training data's were.
    """
    asked = questions.from_columns(assignments)
    if not isinstance(origin.source, TableSource):
        return asked
    from components.example_gen import csv_rows  # pyarrow

    try:
        return [
            dataclasses.replace(each, features=csv_rows.with_dates(each.features, origin.source))
            for each in asked
        ]
    except DataError as error:
        raise UsageError(f"predict: {error}") from None


def from_csv(file: pathlib.Path, origin: Origin, signature: Signature) -> list[Question | Rejected]:
    """A question per row of the table `file`, or of a forecaster one per series in it.

    A table has the columns of the training data, in any order and form that the ingest takes;
    those that the model does not take, such as the label, are ignored.

    Args:
        file: a CSV, of texts maybe JSON; `-` is standard input.
        origin: of the model.
        signature: what it is asked by.

    Raises:
        UsageError: it cannot be read, is no such table, has no usable row, or the model is not
            asked by rows.
    """
    try:
        with _on_disk(file) as path:
            found = list(_read(path, origin, signature))
    except DataError as error:
        place = "" if str(error).startswith(str(file)) else f"{file}: "
        raise UsageError(f"--csv {place}{error}") from None
    bad = [item for item in found if isinstance(item, Rejected)]
    if len(bad) == len(found):
        reason = f"{len(bad)} that cannot be used: {told(bad[0])}" if bad else "none"
        raise UsageError(
            f"--csv {file}: expected rows below the names of the columns. Received: {reason}. "
            "Correct the file."
        )
    return found


def told(item: Rejected) -> str:
    """A row that was set aside, in words."""
    place = f"{item.source}, {item.position}" if item.position else item.source
    return f"{place}: {item.reason}"


@contextlib.contextmanager
def _on_disk(file: pathlib.Path) -> Iterator[Path]:
    """The file itself; standard input as a file."""
    if str(file) == questions.STDIN:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stdin.csv"
            path.write_bytes(sys.stdin.buffer.read())
            yield path
        return
    questions.check_file(file, "--csv")
    yield Path(file)


def _read(file: Path, origin: Origin, signature: Signature) -> Iterator[Question | Rejected]:
    wanted = {feature_of(alias): each for alias, each in signature.inputs.items() if each.shape}
    if "window" in wanted:
        yield from _windows(file, origin)
    elif list(wanted) == ["text"] and not isinstance(origin.source, TableSource):
        yield from _texts(file, origin)
    elif "image/encoded" in wanted:
        raise questions.mismatch(signature, "--csv")
    else:
        are_texts = {name: each.dtype == "string" for name, each in wanted.items()}
        yield from _rows(file, are_texts, origin)


def _rows(file: Path, wanted: dict[str, bool], origin: Origin) -> Iterator[Question | Rejected]:
    from components.example_gen import csv_rows  # pyarrow, Beam's options

    source = origin.source if isinstance(origin.source, TableSource) else None
    for item in csv_rows.read(file, wanted, source):
        if isinstance(item, Rejected):
            yield item
        else:
            line, features = item
            yield Question(f"line {line}", features)


def _texts(file: Path, origin: Origin) -> Iterator[Question | Rejected]:
    from components.example_gen import text_lines

    source = origin.source if isinstance(origin.source, TextSource) else None
    for item in text_lines.read(file, source):
        if isinstance(item, Rejected):
            yield item
        else:
            place, text = item
            name = f"{place}: {text.decode(errors='replace')}"
            yield Question(questions.shortened(name), {"text": [text]})


def _windows(file: Path, origin: Origin) -> Iterator[Question | Rejected]:
    from components.example_gen import series_latest  # pandas

    source, spec = origin.source, origin.spec
    if not isinstance(source, SeriesSource) or not isinstance(spec, SeriesSpec):
        raise UsageError(
            "--csv: expected a forecaster that a run under --root has pushed, whose columns of "
            "time and numbers are known. Received: another. Give the numbers by --window."
        )
    for item in series_latest.read(file, source, spec.horizon):
        if isinstance(item, Rejected):
            yield item
            continue
        name = series.name_of(item.past) or file.name
        try:
            features = series.latest(item.past, item.ahead, spec)
        except DataError as error:
            yield Rejected(name, str(error))
        else:
            yield Question(name, features, times=tuple(item.times))


def is_series(file: pathlib.Path, origin: Origin) -> bool:
    """Whether the first line of `file` names the columns that the model forecasts."""
    if not isinstance(origin.spec, SeriesSpec) or not isinstance(origin.source, SeriesSource):
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as opened:
        first = opened.readline()
    return all(name in first for name in origin.spec.targets)


def of_window(given: str, origin: Origin, signature: Signature) -> list[Question | Rejected]:
    """Questions about the numbers or the file that `--window` names; see `questions.from_window`.

    A file with the names of the columns is read as `--csv` reads it.
    """
    file = pathlib.Path(given)
    if file.is_file() and is_series(file, origin):
        return from_csv(file, origin, signature)
    return [questions.from_window(given, signature)]
