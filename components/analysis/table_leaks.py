"""Columns of a table that give the label away: alone, or two or three of them together.

A model that is given such a column is as good as perfect on data at hand, and useless where the
label is not known yet. Looked at are the first rows of the train split's files, which is enough:
what holds for all rows holds for these.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records

_ROWS = 5000  # looked at, over all files
_LEAST = 20  # rows that say anything
_PER_VALUE = 5  # rows per value of a column that can be said to tell the label
_LINE = 0.9999  # r2 of a line through the label
_CLOSE = 1e-5  # of the label's size: what float32 leaves of a sum
_WEIGHED = 0.99999  # r2 of a weighted sum, which could come near by chance sooner than a line
_PER_COLUMN = 5  # rows per column that can be said to add up to the label
_SOUGHT = 24  # columns with the largest shares, of which three are sought
_PAIRED = 64  # columns of numbers of which sums are tried

Floats = NDArray[np.float64]


def sample(examples: Examples) -> pa.RecordBatch:
    """The first rows of each file of the train split, some thousands in all, as columns."""
    files = list(examples.files("train"))
    share = max(1, _ROWS // max(1, len(files)))
    heads = (itertools.islice(read_records(Path(file)), share) for file in files)
    return columns.of_records(list(itertools.chain.from_iterable(heads)), str(examples.path))


def find(rows: pa.RecordBatch, label: str, names: Sequence[str]) -> dict[str, str]:
    """How columns give the label away, in words, by their name, or both names joined by ` + `."""
    if label not in rows.schema.names:
        return {}
    rows = rows.filter(pc.equal(pc.list_value_length(rows.column(label)), 1))
    if rows.num_rows < _LEAST:
        return {}
    truth, classes = _numbers(rows, label), _codes(rows, label)
    cells = {name: _numbers(rows, name) for name in names}
    numbers = {name: column for name, column in cells.items() if column is not None}
    found: dict[str, str] = {}
    for name in names:
        how = _line(numbers[name], truth) if truth is not None and name in numbers else ""
        if how := how or _tells(_codes(rows, name), classes):
            found[name] = how
    if truth is not None:
        others = {name: each for name, each in numbers.items() if name not in found}
        found |= _sums(others, truth) or _weighed(others, truth) or _multiplied(others, truth)
    return found


def _numbers(rows: pa.RecordBatch, name: str) -> Floats | None:
    """The column as numbers, NaN where a cell is missing; None if it is text."""
    cells = columns.first(rows, name)
    if cells is None or pa.types.is_binary(cells.type):
        return None if cells is not None else np.full(rows.num_rows, np.nan)
    numbers: Floats = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _codes(rows: pa.RecordBatch, name: str) -> NDArray[np.int64]:
    """A number for each distinct value of the column, that of a missing cell among them."""
    cells = columns.first(rows, name)
    if cells is None:
        return np.zeros(rows.num_rows, np.int64)
    return cells.dictionary_encode("encode").indices.to_numpy().astype(np.int64)


def _line(column: Floats, truth: Floats) -> str:
    known = ~np.isnan(column) & ~np.isnan(truth)
    x, y = column[known], truth[known]
    if len(x) < _LEAST or len(np.unique(y)) < 3 or len(np.unique(x)) < 3:
        return ""
    if np.array_equal(x, y):
        return "holds the same values"
    r2 = float(np.corrcoef(x, y)[0, 1]) ** 2
    return "follows from it by a straight line" if r2 > _LINE else ""


def _tells(column: NDArray[np.int64], classes: NDArray[np.int64]) -> str:
    """Whether each of its few values has one label only."""
    values, labels = int(column.max()) + 1, int(classes.max()) + 1
    if values < 2 or labels < 2 or values * _PER_VALUE > len(column):
        return ""
    pairs = len(np.unique(column * labels + classes))
    return f"each of its {values} values has one label only" if pairs == values else ""


def _sums(numbers: Mapping[str, Floats], truth: Floats) -> dict[str, str]:
    """Pairs of columns whose sum or difference is the label in every row."""
    names = [name for name, each in numbers.items() if len(np.unique(each)) > 1][:_PAIRED]
    if len(names) < 2 or len(np.unique(truth)) < 3:
        return {}
    every = np.stack([numbers[name] for name in names])
    close = _CLOSE * float(np.abs(truth).max())
    found: dict[str, str] = {}
    for place, name in enumerate(names):
        for sign, how in ((1, "add up to it"), (-1, "differ by it")):
            rest = truth - every[place] if sign > 0 else every[place] - truth
            fits = (np.abs(every - rest) <= close).all(axis=1)
            for other in np.flatnonzero(fits).tolist():
                if other != place and (sign < 0 or other > place):
                    found.setdefault(f"{name} + {names[other]}", how)
    return found


def _weighed(numbers: Mapping[str, Floats], truth: Floats) -> dict[str, str]:
    """Two or three columns of which a weighted sum, and a constant, is the label."""
    names = _weighed_names(numbers, truth)
    return {" + ".join(names): "it is a weighted sum of them"} if names else {}


def _multiplied(numbers: Mapping[str, Floats], truth: Floats) -> dict[str, str]:
    """Two or three columns of which a product or quotient is the label, all of them positive."""
    if not (truth[~np.isnan(truth)] > 0).all():
        return {}
    positive = {name: each for name, each in numbers.items() if (each[~np.isnan(each)] > 0).all()}
    names = _weighed_names({name: np.log(each) for name, each in positive.items()}, np.log(truth))
    return {" + ".join(names): "it is a product or quotient of them"} if names else {}


def _weighed_names(numbers: Mapping[str, Floats], truth: Floats) -> tuple[str, ...]:
    """The few columns whose least squares leave nothing of the label; rows with gaps apart."""
    names = [name for name, each in numbers.items() if len(np.unique(each)) > 1][:_PAIRED]
    every = np.stack([truth, *(numbers[name] for name in names)])
    every = every[:, ~np.isnan(every).any(axis=0)]
    if len(names) < 2 or every.shape[1] < max(_LEAST, _PER_COLUMN * len(names)):
        return ()
    deviations = every.std(axis=1)
    if not deviations[0]:
        return ()
    varied = np.flatnonzero(deviations[1:])
    scaled = (every - every.mean(axis=1, keepdims=True)) / np.where(deviations, deviations, 1)[
        :, None
    ]
    y, columns = scaled[0], scaled[1:][varied]
    shares, *_ = np.linalg.lstsq(columns.T, y, rcond=None)
    if np.mean(np.square(y - shares @ columns)) > 1 - _WEIGHED:
        return ()
    likely = np.argsort(-np.abs(shares), kind="stable")[:_SOUGHT]
    for few in (2, 3):
        for places in itertools.combinations(likely.tolist(), few):
            some = columns[list(places)]
            weights, *_ = np.linalg.lstsq(some @ some.T, some @ y, rcond=None)
            if np.mean(np.square(y - weights @ some)) <= 1 - _WEIGHED:
                return tuple(names[varied[place]] for place in sorted(places))
    return ()
