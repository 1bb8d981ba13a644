"""A SavedModel over rows, inside a Beam worker.

`requests` makes of raw records what a signature takes. A worker process loads a model once,
however many shards it gets, and calls it in batches. An input that the model refuses does not
take its batch along: the batch is halved until the culprit stands alone, and is set aside with
the model's reason.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from apache_beam.utils import shared
from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError, ModelError
from millrace.components.inference import requests
from millrace.components.inference.rows import Rows
from millrace.serving.errors import InvalidArgumentError
from millrace.serving.model import LoadedModel

Outputs = dict[str, np.ndarray]  # by the signature's names, each [rows, ...]
Item = TypeVar("Item")
Result = TypeVar("Result")
SIGNATURE = "serving_default"
NOT_FINITE = "the model's answer is not finite"

Predict = Callable[[Rows], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class RowAnswers:
    """The rows that were answered, the answers `[rows, ...]` alike, and the rows that were not."""

    rows: Rows
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

    def predict(rows: Rows) -> Mapping[str, np.ndarray]:
        inputs = requests.inputs_of_columns(found, rows.features)
        return model.predict(inputs, signature=signature)

    return predict


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


def answer(predict: Predict, rows: Rows, size: int) -> RowAnswers:
    """Ask for `rows`, `size` of them at a time, and for fewer where the model refuses one.

    A row is rejected if it alone makes the model refuse its argument, or if one of its
    answer's numbers is not finite.
    """
    parts, rejected = [], []
    is_kept = np.ones(len(rows), bool)
    for start in range(0, len(rows), size):
        for row, outputs in _halve(predict, rows.part(start, size), start):
            if isinstance(outputs, str):
                rejected.append(rows.rejected(row, outputs))
                is_kept[row] = False
            else:
                parts.append(outputs)
    kept = rows.where(is_kept)
    if not parts:
        return RowAnswers(kept, {}, rejected)
    joined = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    finite = _finite(joined)
    if not finite.all():
        rejected += [kept.rejected(row, NOT_FINITE) for row in np.flatnonzero(~finite).tolist()]
        kept = kept.where(finite)
        joined = {name: array[finite] for name, array in joined.items()}
    return RowAnswers(kept, joined, rejected)


def _halve(
    predict: Predict, rows: Rows, first: int
) -> Iterator[tuple[int, Mapping[str, np.ndarray] | str]]:
    """Yield the outputs of parts of `rows`, or the reason of one row's refusal.

    Each comes with the number of the part's first row, that of `rows` being `first`.
    """
    try:
        yield first, predict(rows)
    except (InvalidArgumentError, DataError) as error:
        if len(rows) == 1:
            yield first, first_line(error)
        else:
            middle = len(rows) // 2
            yield from _halve(predict, rows.part(0, middle), first)
            yield from _halve(predict, rows.part(middle, len(rows)), first + middle)


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
    is_alike = (classes == classes[0]).all(axis=1)
    return in_one_order(
        tuple(name.decode(errors="replace") for name in row.tolist())
        for row in (classes[0], *classes[~is_alike][:1])
    )


def in_one_order(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """What all of `names` are.

    Raises:
        ModelError: two of them differ.
    """
    found, *others = dict.fromkeys(names)
    if others:
        raise ModelError(
            "Model's output `classes`: expected the same order in every row. Received: rows "
            "that differ. Export the classifier with `export`."
        )
    return found


def first_line(error: Exception) -> str:
    """What went wrong, without the places in the graph that follow in TensorFlow's texts."""
    return next(iter(str(error).splitlines()), type(error).__name__)
