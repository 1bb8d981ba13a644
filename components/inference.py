"""A SavedModel over rows, inside a Beam worker.

A row is one input of the model's `serving_default` signature, which takes one batch of
strings: raw image bytes. A worker process loads a model once, however many shards it gets,
and asks it in batches. An input that the model refuses does not take its batch along: the
batch is halved until the culprit stands alone, and is set aside with the model's reason.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from apache_beam.utils import shared
from etils.epath import Path

from components.artifacts import Rejected
from components.errors import DataError, ModelError
from components.tfrecord import read_records
from serving import example
from serving.errors import InvalidArgumentError
from serving.model import LoadedModel

Outputs = dict[str, np.ndarray]  # by the signature's names, each [rows, ...]
Predict = Callable[[Sequence[bytes]], Mapping[str, np.ndarray]]
Item = TypeVar("Item")
Result = TypeVar("Result")
SIGNATURE = "serving_default"
NOT_FINITE = "the model's answer is not finite"


@dataclasses.dataclass(frozen=True)
class Row:
    """One input of the model, and where it came from.

    Attributes:
        source: the file that the input was, as people know it.
        position: the record it is now; empty where it is a file.
        value: what the model is given.
        features: the rest of its record.
    """

    source: str
    position: str
    value: bytes
    features: example.Decoded = dataclasses.field(default_factory=dict)

    def rejected(self, reason: str) -> Rejected:
        """The row, set aside for `reason`."""
        return Rejected(source=self.source, position=self.position, reason=reason)


@dataclasses.dataclass(frozen=True)
class Answers:
    """The rows that were answered, the answers `[rows, ...]` alike, and the rows that were not."""

    rows: list[Row]
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


def predictor(model: LoadedModel) -> Predict:
    """`model`'s `serving_default` as a function of strings [rows].

    Raises:
        ModelError: it has no such signature, or one of another kind of input.
    """
    signature = model.signatures.get(SIGNATURE)
    inputs = dict(signature.inputs) if signature else {}
    if len(inputs) != 1 or next(iter(inputs.values())).dtype != "string":
        described = ", ".join(f"{name} {tensor.dtype}" for name, tensor in inputs.items())
        raise ModelError(
            f"Model's signature {SIGNATURE!r}: expected one input of strings. "
            f"Received: {described or 'no such signature'}. Export the model with `export`."
        )
    (name,) = inputs
    return lambda values: model.predict({name: np.array(values, object)}, signature=SIGNATURE)


def read_rows(file: Path, feature: str) -> Iterator[Row | Rejected]:
    """The rows of one shard of Examples; those without the bytes feature `feature` rejected."""
    name, place = file.name, f"{file.parent.name}/{file.name}, record"
    for number, record in enumerate(read_records(file)):
        features = example.decode(record)
        values = features.pop(feature, None)
        source = text(features.get("image/filename"), default=name)
        position = f"{place} {number}"
        if isinstance(values, list) and len(values) == 1:
            yield Row(source, position, values[0], features)
        else:
            yield Rejected(source, f"no bytes feature {feature!r} of one value", position)


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


def answer(predict: Predict, rows: Sequence[Row]) -> Answers:
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
        return Answers([], {}, rejected)
    joined = {name: np.concatenate([each[name] for _, each in parts]) for name in parts[0][1]}
    finite = _finite(joined)
    if not finite.all():
        reason = "the model's answer is not finite"
        rejected += [
            row.rejected(reason) for row, good in zip(kept, finite, strict=True) if not good
        ]
        kept = [row for row, good in zip(kept, finite, strict=True) if good]
        joined = {name: array[finite] for name, array in joined.items()}
    return Answers(kept, joined, rejected)


def _halve(
    predict: Predict, rows: list[Row]
) -> Iterator[tuple[list[Row], Mapping[str, np.ndarray] | str]]:
    """Yield parts of `rows` with their outputs, or one row with the reason of its refusal."""
    if not rows:
        return
    try:
        yield rows, predict([row.value for row in rows])
    except InvalidArgumentError as error:
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


def refuse_too_many(rejected: Sequence[Rejected], total: int, limit: float) -> None:
    """Check the share of rows set aside.

    Raises:
        DataError: over `limit` of `total` rows were rejected; the text names some.
    """
    if not rejected or len(rejected) <= limit * total:
        return
    named = "; ".join(
        f"{item.source} ({item.position}): {item.reason}"
        if item.position
        else f"{item.source}: {item.reason}"
        for item in rejected[:3]
    )
    raise DataError(
        f"max_rejected: expected at most {limit:.2%} of {total} rows to be set aside. Received: "
        f"{len(rejected)}, such as {named}. Correct or remove them, or raise `max_rejected`."
    )
