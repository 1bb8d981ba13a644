"""A SavedModel over rows, inside a Beam worker.

A row is a raw record; `requests` makes of it what a signature takes. A worker process loads a
model once, however many shards it gets, and calls it in batches. An input that the model refuses
does not take its batch along: the batch is halved until the culprit stands alone, and is set
aside with the model's reason.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from apache_beam.utils import shared
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError, ModelError
from millrace.components.files.tfrecord import read_records
from millrace.components.inference import requests
from millrace.serving import example
from millrace.serving.errors import InvalidArgumentError
from millrace.serving.model import LoadedModel

Outputs = dict[str, np.ndarray]  # by the signature's names, each [rows, ...]
Item = TypeVar("Item")
Result = TypeVar("Result")
SIGNATURE = "serving_default"
_FILENAMES = ("image/filename", "text/filename", "filename", "series")
NOT_FINITE = "the model's answer is not finite"


@dataclasses.dataclass(frozen=True)
class InputRow:
    """One input of the model, and where it came from.

    Attributes:
        source: the file that the input was, as people know it.
        position: the record it is now; empty where it is a file.
        features: its raw record.
    """

    source: str
    position: str
    features: example.Decoded

    def rejected(self, reason: str) -> Rejected:
        """The row, set aside for `reason`."""
        return Rejected(source=self.source, position=self.position, reason=reason)


Predict = Callable[[Sequence[InputRow]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class RowAnswers:
    """The rows that were answered, the answers `[rows, ...]` alike, and the rows that were not."""

    rows: list[InputRow]
    outputs: Outputs
    rejected: list[Rejected]


class _Loaded(list[LoadedModel]):
    """Models in memory; a class of its own because a bare list has no weak references."""


class Models:
    """SavedModel folders whose models every worker process loads once.

    Travels to the workers as the folders' names.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = [str(folder) for folder in folders]
        self._shared = shared.Shared()

    def load(self) -> list[LoadedModel]:
        """The models in the order of their folders; loaded unless this process did so already."""
        return list(self._shared.acquire(self._load))

    def _load(self) -> _Loaded:
        return _Loaded(LoadedModel(folder) for folder in self._folders)


def predictor(model: LoadedModel, signature: str = SIGNATURE) -> Predict:
    """A signature of `model` as a function of rows.

    Raises:
        ModelError: it has no such signature.
    """
    found = model.signatures.get(signature)
    if found is None:
        raise ModelError(
            f"Model's signature {signature!r}: expected one that it has. Received a model with "
            f"{', '.join(model.signatures) or 'none'}. Export the model with `export`."
        )

    def predict(rows: Sequence[InputRow]) -> Mapping[str, np.ndarray]:
        inputs = requests.inputs(found, [row.features for row in rows])
        return model.predict(inputs, signature=signature)

    return predict


def read_rows(file: Path) -> Iterator[InputRow]:
    """The rows of one shard of Examples."""
    place = f"{file.parent.name}/{file.name}, record"
    for number, record in enumerate(read_records(file)):
        features = example.decode(record)
        yield InputRow(source_of(features, default=file.name), f"{place} {number}", features)


def source_of(features: example.Decoded, *, default: str) -> str:
    """The file that a raw record was, as people know it."""
    names = (features[name] for name in _FILENAMES if name in features)
    return text(next(names, None), default=default)


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` of `items`, the last one shorter."""
    iterator = iter(items)
    return iter(lambda: list(itertools.islice(iterator, size)), [])


def ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map(work, items)`, each item's work begun while the result before it is being used.

    A running model leaves Python's lock to others, so that reading and writing cost no time
    of their own as long as the model is the slower.
    """
    with ThreadPoolExecutor(1) as pool:
        running = None
        for item in items:
            following = pool.submit(work, item)
            if running is not None:
                yield running.result()
            running = following
        if running is not None:
            yield running.result()


def answer(predict: Predict, rows: Sequence[InputRow]) -> RowAnswers:
    """Ask for `rows` in as few batches as there are rows that the model refuses.

    A row is rejected if it alone makes the model refuse its argument, or if one of its
    answer's numbers is not finite.
    """
    parts, rejected = [], []
    for part, outputs in _halve(predict, list(rows)):
        if isinstance(outputs, str):
            rejected.append(part[0].rejected(outputs))
        else:
            parts.append((part, outputs))
    kept = [row for part, _ in parts for row in part]
    if not kept:
        return RowAnswers([], {}, rejected)
    joined = {name: np.concatenate([each[name] for _, each in parts]) for name in parts[0][1]}
    finite = _finite(joined)
    if not finite.all():
        rejected += [
            row.rejected(NOT_FINITE) for row, good in zip(kept, finite, strict=True) if not good
        ]
        kept = [row for row, good in zip(kept, finite, strict=True) if good]
        joined = {name: array[finite] for name, array in joined.items()}
    return RowAnswers(kept, joined, rejected)


def _halve(
    predict: Predict, rows: list[InputRow]
) -> Iterator[tuple[list[InputRow], Mapping[str, np.ndarray] | str]]:
    """Yield parts of `rows` with their outputs, or one row with the reason of its refusal."""
    if not rows:
        return
    try:
        yield rows, predict(rows)
    except (InvalidArgumentError, DataError) as error:
        if len(rows) == 1:
            yield rows, first_line(error)
        else:
            middle = len(rows) // 2
            yield from _halve(predict, rows[:middle])
            yield from _halve(predict, rows[middle:])


def _finite(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which rows have no NaN and no infinity in any output, bool [rows]."""
    numbers = [array for array in outputs.values() if array.dtype.kind == "f"]
    count = len(next(iter(outputs.values())))
    flat = [np.isfinite(array).reshape(count, -1).all(axis=1) for array in numbers]
    return np.logical_and.reduce([np.ones(count, bool), *flat])


def class_names(outputs: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The names of a classifier's classes, in the order of its `scores`.

    Raises:
        ModelError: the outputs are not those of a classifier.
    """
    classes, scores = outputs.get("classes"), outputs.get("scores")
    if classes is None or scores is None or classes.shape != scores.shape or classes.ndim != 2:
        shapes = {name: list(array.shape) for name, array in outputs.items()}
        raise ModelError(
            f"Model's signature {SIGNATURE!r}: expected outputs `classes` and `scores`, each "
            f"[batch, classes]. Received: {shapes}. Export the classifier with `export`."
        )
    if (classes != classes[0]).any():
        raise ModelError(
            "Model's output `classes`: expected the same order in every row. Received: rows "
            "that differ. Export the classifier with `export`."
        )
    return tuple(name.decode(errors="replace") for name in classes[0].tolist())


def text(value: list[bytes] | np.ndarray | None, *, default: str) -> str:
    """A feature's first value as text."""
    if value is None or not len(value):
        return default
    return value[0].decode(errors="replace") if isinstance(value[0], bytes) else str(value[0])


def first_line(error: Exception) -> str:
    """What went wrong, without the places in the graph that follow in TensorFlow's texts."""
    return next(iter(str(error).splitlines()), type(error).__name__)
