"""Questions in a file of rows: read as the data was that the model learnt from."""

import contextlib
import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import ComponentError, DataError
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files import paths
from millrace.components.inference.requests import feature_of
from millrace.pipeline import questions
from millrace.pipeline.errors import UsageError
from millrace.pipeline.origin import Origin
from millrace.pipeline.questions import Question
from millrace.serving.signature import Signature

if TYPE_CHECKING:
    from millrace.components.example_gen.unlabelled_rows.reading import UnlabelledRow  # pyarrow


def from_rows(rows: Sequence[Mapping[str, Any]], origin: Origin) -> list[Question]:
    """One question about each of `rows`, values by column, as text or as they are.

    Raises:
        UsageError: a cell is not one of its column, as the training data's were.
    """
    asked = [questions.from_row(row) for row in rows]
    if origin.source is None or origin.source.kind != "table":
        return asked
    source = origin.source
    from millrace.components.example_gen.unlabelled_rows import tables  # pyarrow

    try:
        return [
            dataclasses.replace(each, features=tables.as_read(row, source))
            for each, row in zip(asked, rows, strict=True)
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
        expected, received = "rows below the names of the columns", "none"
        if bad:
            more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
            expected, received = "what the model can be asked about", f"{described(bad[0])}{more}"
        raise UsageError(
            f"--csv {file}: expected {expected}. Received: {received}. Correct the file."
        )
    return found


def described(item: Rejected) -> str:
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
    wanted = {
        feature_of(alias): each.dtype == "string"
        for alias, each in signature.inputs.items()
        if each.shape
    }
    if "image/encoded" in wanted:
        raise questions.mismatch(signature, "--csv")
    if "window" in wanted and not _is_known(origin):
        raise UsageError(
            "--csv: expected a forecaster that a run under --root has pushed, whose columns of "
            "time and numbers are known. Received: another. Give the numbers by --window."
        )
    from millrace.components.example_gen.unlabelled_rows import reading  # pyarrow

    for item in reading.read(file, wanted, origin.source, origin.spec):
        if isinstance(item, Rejected):
            yield item
        else:
            yield Question(_name(item), item.features, times=item.times)


def _name(item: "UnlabelledRow") -> str:
    """What to call it; a text's begins with where it stands."""
    text = item.features.get("text")
    if not isinstance(text, list) or len(item.features) > 1:
        return item.name
    return questions.shortened(f"{item.name}: {text[0].decode(errors='replace')}")


def _is_known(origin: Origin) -> bool:
    return isinstance(origin.spec, SeriesSpec) and (
        origin.source is not None and origin.source.kind == "series"
    )


def is_series(file: pathlib.Path, origin: Origin) -> bool:
    """Whether `file` is a table with the columns that the model forecasts."""
    source = origin.source
    if not isinstance(origin.spec, SeriesSpec) or source is None or source.kind != "series":
        return False
    from millrace.components.example_gen.time_series import reading  # pyarrow

    columns = source.reading.columns
    try:
        names = reading.names(Path(file), source.reading.csv)
    except ComponentError:
        return False
    return not set(columns.wide).isdisjoint(names) or set(columns.targets) <= set(names)


def of_window(given: str, origin: Origin, signature: Signature) -> list[Question | Rejected]:
    """Questions about the numbers or the file that `--window` names; see `questions.from_window`.

    A file with the names of the columns is read as `--csv` reads it.
    """
    file = pathlib.Path(given)
    if paths.names_file(given) and is_series(file, origin):
        return from_csv(file, origin, signature)
    return [questions.from_window(given, signature)]
