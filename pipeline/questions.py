"""What a person asks a served model, as raw records: from files, texts, numbers, a past run."""

import csv
import dataclasses
import itertools
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from millrace.components.artifacts import Examples, Model
from millrace.components.errors import DataError
from millrace.components.features import precision
from millrace.components.files import paths
from millrace.components.files.json_files import or_none
from millrace.components.files.tfrecord import read_records
from millrace.components.files.walk import problem
from millrace.components.inference.requests import feature_of
from millrace.pipeline import damage, given
from millrace.pipeline.errors import UsageError
from millrace.pipeline.options import nearest
from millrace.pipeline.store import Store
from millrace.serving.example import Decoded, decode
from millrace.serving.signature import Signature

_NAMES = ("image/filename", "text/filename", "series")  # what a record calls itself
STDIN = "-"
_FUTURE = "future"  # of a window, what is to be forecast
_SHORT = 60  # letters of a text that stand for it
_OPTIONS = {
    "image_bytes": "--image FILE",
    "text": "--text TEXT",
    "prompt": "--prompt TEXT",
    "window": "--window NUMBERS",
}


@dataclasses.dataclass(frozen=True)
class Question:
    """One thing to ask about.

    Attributes:
        name: what to call it.
        features: of a raw record; numbers may still be text, as they were typed.
        truth: the answer, if it is known: a class, a number, or numbers to come, None where one
            is not known.
        is_typed: whether a person typed the names of the features.
        times: of the rows that are to be forecast, if they are known.
    """

    name: str
    features: Mapping[str, Any]
    truth: str | float | list[float | None] | None = None
    is_typed: bool = False
    times: tuple[str, ...] = ()


def from_files(files: Sequence[str | os.PathLike[str]]) -> list[Question]:
    """One question per image file, in the form that the ingest gives to what is learnt from.

    Raises:
        UsageError: a file cannot be read, or is not a picture.
    """
    names = [given.path(os.fspath(file), "--image") for file in files]
    return [Question(name, {"image/encoded": [_picture(Path(name))]}) for name in names]


def from_texts(texts: Iterable[str], option: str = "--text") -> list[Question]:
    """One question per text, to be judged or to be continued; `-` is each line of stdin.

    Raises:
        UsageError: one is not UTF-8.
    """
    lines = itertools.chain.from_iterable(
        sys.stdin.buffer.read().decode(errors="surrogateescape").splitlines()
        if text == STDIN
        else [text]
        for text in texts
    )
    return [
        Question(shortened(text), {"text": [given.utf8(text, option).encode()]}) for text in lines
    ]


def from_columns(assignments: Sequence[str]) -> dict[str, str]:
    """The row that `column=value` assignments make."""
    pairs = [assignment.partition("=") for assignment in assignments]
    return {name: value for name, _, value in pairs}


def from_row(row: Mapping[str, Any]) -> Question:
    """A question about the row whose columns have these values; None and NaN are missing.

    Raises:
        UsageError: one is not UTF-8.
    """
    known = {name: str(value) for name, value in row.items() if not _is_missing(value)}
    typed = [given.utf8(f"{name}={value}", "predict") for name, value in known.items()]
    return Question(shortened(", ".join(typed)), known, is_typed=True)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def from_window(typed: str, signature: Signature) -> Question:
    """One question about the numbers `1,2,3`, rows of several parted by `;`, or of a file's end.

    A file is a CSV whose columns of numbers are the model's channels, in their order; its last
    rows are taken. A number left out, as in `1,,3`, is a missing cell.

    Raises:
        UsageError: there are not the numbers that the model takes.
    """
    tensor = signature.inputs.get("window")
    if tensor is None or tensor.shape is None:
        raise mismatch(signature, "--window")
    steps, channels = (size or 1 for size in tensor.shape[1:])
    is_file = paths.names_file(typed)
    rows = _file_rows(Path(typed)) if is_file else [part.split(",") for part in typed.split(";")]
    if channels == 1 and not is_file and len(rows) == 1:
        rows = [[value] for value in rows[0]]
    numbers = [_numbers(row, channels) for row in rows]
    kept = numbers[-steps:] if is_file else numbers
    if len(kept) != steps or any(len(row) != channels for row in kept):
        found = f"{len(numbers)} of {', '.join(sorted({str(len(row)) for row in numbers}))}"
        found += _odd_cell(rows[-steps:] if is_file else rows)
        form = "numbers parted by `,`" if channels == 1 else "rows such as `1,2`, parted by `;`"
        raise UsageError(
            f"--window: expected {steps} steps of {channels} numbers each. Received: {found}. "
            f"Give {steps} {form}, or a CSV file that ends with them."
        )
    return Question(shortened(typed), {"window": _window(kept, tensor.dtype)})


def from_last_run(store: Store, model: str, count: int) -> list[Question]:
    """`count` questions spread over the test split (else eval) that the model last met.

    Raises:
        UsageError: no run of `model` has examples.
        DataError: they are damaged.
    """
    with store.session() as session:
        execution = store.last_execution(session, model, "evaluator")
        inputs = execution.inputs if execution else {}
    if "examples" not in inputs:
        raise UsageError(
            f"--sample: expected a finished run of {model!r}. Received: none under this root. "
            "Run it first, or ask about data of your own (millrace predict --help)."
        )
    for name in ("model", "examples"):
        damage.require_whole(inputs[name])
    label = Model(inputs["model"].fetch()).description["label"] or _FUTURE
    examples = Examples(inputs["examples"].fetch())
    counts = examples.counts
    split = next((name for name in ("test", "eval") if counts.get(name)), examples.splits[0])
    step = max(1, counts[split] // count)
    records = itertools.chain.from_iterable(map(read_records, examples.files(split)))
    rows = itertools.islice(enumerate(map(decode, records)), 0, step * count, step)
    return [_known(row, number, label) for number, row in rows]


def fit(question: Question, signature: Signature) -> Decoded:
    """The question's features as records have them, numbers as numbers.

    Raises:
        UsageError: it does not ask what the model can answer.
    """
    wanted = {feature_of(alias): each for alias, each in signature.inputs.items() if each.shape}
    known = [name for name in wanted if name in question.features]
    if not known or ("known" in wanted and "known" not in question.features):
        raise mismatch(signature, ", ".join(map(str, question.features)))
    for name in question.features if question.is_typed else ():
        if name not in signature.inputs:
            raise UsageError(
                f"predict: the model takes no {name!r}. {nearest(name, signature.inputs)}"
            )
    found: Decoded = {}
    for name, value in question.features.items():
        if isinstance(value, list | np.ndarray):
            found[name] = value
        elif name in wanted and value not in (None, ""):
            is_text = wanted[name].dtype == "string"
            found[name] = [value.encode()] if is_text else _typed(name, value)
    return found


def mismatch(signature: Signature, received: str) -> UsageError:
    """The error for a question that the model cannot be asked."""
    aliases = [alias for alias, tensor in signature.inputs.items() if tensor.shape]
    options = [_OPTIONS[alias] for alias in aliases if alias in _OPTIONS]
    advice = " and ".join(options) if len(options) == len(aliases) else "--sample N"
    if "window" in aliases:
        advice = f"--csv FILE, which ends with the latest rows, or {advice}"
    if not options:
        advice = "column=value … or --csv FILE"
    return UsageError(
        f"predict: expected what the model takes: {', '.join(aliases)}. "
        f"Received: {received or 'nothing'}. Ask by {advice}."
    )


def _known(row: Decoded, number: int, label: str) -> Question:
    """A record of a past run, with its truth."""
    names = (_shown(bytes(row[name][0])) for name in _NAMES if name in row)
    name = next(filter(None, names), f"row {number}")
    value = row.get(label)
    truth: str | float | list[float | None] | None = None
    if isinstance(value, list):
        truth = _shown(value[0])
    elif value is not None:
        if label == _FUTURE:
            value = _in_data_units(row, value)
        numbers = value.tolist()
        truth = [or_none(each) for each in numbers] if label == _FUTURE else numbers[0]
    return Question(name, row, truth)


def _in_data_units(row: Decoded, future: np.ndarray) -> np.ndarray:
    base = precision.base_in(row, _FUTURE)
    return (future.reshape(-1, len(base)) + base).ravel() if base.any() else future


def _typed(name: str, value: str) -> np.ndarray:
    number = _number(value)
    if number is None:
        raise UsageError(
            f"predict: {name}: expected a number. Received: {value!r}. Leave it out if it is "
            "not known."
        )
    return np.array([number], np.float32)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(row: Sequence[str], count: int) -> list[float]:
    """The numbers in a row, NaN for an empty cell if there are `count` with these."""
    cells = [math.nan if not cell.strip() else _number(cell) for cell in row]
    found = [value for value in cells if value is not None]
    return found if len(found) == count else [value for value in found if not math.isnan(value)]


def _odd_cell(rows: Sequence[Sequence[str]]) -> str:
    """The first text among the numbers of a column, with what to say of it; empty if none."""
    for column in zip(*rows, strict=False):
        odd = [cell for cell in column if cell.strip() and _number(cell) is None]
        if odd and any(_number(cell) is not None for cell in column):
            row = column.index(odd[0]) + 1
            return f", and {odd[0].strip()!r} in row {row}, where an empty cell is a missing one"
    return ""


def _window(rows: Sequence[Sequence[float]], dtype: str) -> np.ndarray:
    """The cells of a window as a model takes them, flat; NaN where one is missing."""
    exact = np.array(rows, np.float64).ravel()
    beyond = exact[np.isinf(exact) | (np.abs(exact) > np.finfo(np.float32).max)]
    if beyond.size or np.isnan(exact).all():
        received = f"{beyond[0]:g}" if beyond.size else "none, every cell is missing"
        raise UsageError(
            f"--window: expected numbers that float32 holds. Received: {received}. Correct it, or "
            "leave out what is not known, as in `1,,3`."
        )
    return exact.astype(dtype)


def _file_rows(file: Path) -> list[list[str]]:
    rows = list(csv.reader(_read(file, "--window").decode("utf-8-sig").splitlines()))
    is_header = bool(rows) and all(_number(cell) is None for cell in rows[0])
    return rows[1:] if is_header else rows


def _picture(file: Path) -> bytes:
    from millrace.components.files.pictures import read_picture  # Pillow

    try:
        return read_picture(_read(file, "--image")).encoded
    except DataError as error:
        raise UsageError(
            f"--image {file}: expected a picture. Received: {error}. Leave it out, or save it "
            "again as PNG or JPEG."
        ) from None


def _read(file: Path, option: str) -> bytes:
    check_file(file, option)
    return file.read_bytes()


def check_file(file: Path, option: str) -> None:
    """Refuse what is not a file, or cannot be read.

    Raises:
        UsageError: it is one of these.
    """
    try:
        reason = problem(file)
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        kind = "an image file" if option == "--image" else "a file"
        advice = "Check its path and permissions"
        if option == "--csv" and reason.startswith("a pipe"):
            advice = f"Give `{STDIN}` and pipe it into standard input"
        raise UsageError(f"{option} {file}: expected {kind}. Received: {reason}. {advice}.")


def _shown(text: bytes) -> str:
    """What a record calls itself, or its class: text, but for records made elsewhere."""
    return text.decode(errors="backslashreplace")


def shortened(text: str) -> str:
    """The beginning of `text`, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else line[: _SHORT - 1] + "…"
