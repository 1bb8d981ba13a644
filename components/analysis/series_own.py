"""A person's own columns of windows, surveyed: their moments over the train split.

All of a series lies in one record, and the series are merged in the order of their names, so that
the figures are the same for any shards.
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence

import numpy as np
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError
from millrace.components.features import moments, series
from millrace.components.features.hook_spec import PLACE
from millrace.components.features.moments import Moments
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records
from millrace.serving.errors import few

Floats = NDArray[np.float64]
SeriesKey = tuple[str, int]  # a series' name and first time


@dataclasses.dataclass(frozen=True)
class MadeColumns:
    """Of the values of the columns made, over all rows of all windows.

    Attributes:
        names: of the columns, sorted.
        moments: of each.
        least, greatest: of each, [columns]; NaN where a value is.
    """

    names: tuple[str, ...]
    moments: Moments
    least: Floats
    greatest: Floats

    @property
    def mean(self) -> Floats:
        """Of each column, [columns]."""
        return self.moments.mean

    @property
    def deviation(self) -> Floats:
        """Of each column, the population's standard deviation, [columns]."""
        return np.sqrt(self.moments.variance)


def survey(examples: Examples, spec: SeriesSpec, out: Path, run_on: BeamOptions) -> MadeColumns:
    """What the hook of `spec` makes of the windows of the train split.

    Raises:
        DataError: there is no whole window, or a value is not finite.
        OptionError: the function cannot be used, see `series_hook.made`.
    """
    shards = list(map(str, examples.files("train")))
    find = functools.partial(_of_shard, spec=spec)
    found = list(itertools.chain.from_iterable(shard_pass("Made", shards, find, out, run_on)))
    return _checked([made for _, made in sorted(found, key=lambda one: one[0])], spec)


def of(values: NDArray[np.float32], names: tuple[str, ...]) -> MadeColumns:
    """Of `values` [windows, lookback, columns]."""
    flat = values.reshape(-1, len(names)).astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinity is reported once all is seen
        return MadeColumns(names, moments.of(flat), flat.min(axis=0), flat.max(axis=0))


def merge(parts: Sequence[MadeColumns]) -> MadeColumns:
    """Of all parts together, of which there is one or more, in the order given."""
    with np.errstate(invalid="ignore"):
        return MadeColumns(
            parts[0].names,
            moments.merge(part.moments for part in parts),
            np.minimum.reduce([part.least for part in parts]),
            np.maximum.reduce([part.greatest for part in parts]),
        )


def _of_shard(file: str, spec: SeriesSpec) -> list[tuple[SeriesKey, MadeColumns]]:
    from millrace.components.features import series_hook  # TensorFlow

    found = []
    for row in columns.decoded(read_records(Path(file)), file):
        windows = series.cut(series.values(row, spec), spec).window
        if len(windows):
            made = [of(part, names) for names, part in series_hook.made_windows(windows, spec)]
            found.append(((series.name_of(row), int(series.times_of(row)[0])), merge(made)))
    return found


def _checked(parts: Sequence[MadeColumns], spec: SeriesSpec) -> MadeColumns:
    if not parts:
        raise DataError(
            f"Split 'train': expected windows of {spec.lookback + spec.horizon} rows for "
            f"{spec.hook and spec.hook.function}. Received: none with a known target and no gap. "
            "Fill the gaps by series_example_gen.impute, or lower analyze.features.lookback."
        )
    found = merge(parts)
    is_finite = np.isfinite(found.least) & np.isfinite(found.greatest)
    wrong = [name for name, fine in zip(found.names, is_finite, strict=True) if not fine]
    if wrong:
        raise DataError(
            f"{PLACE}: expected {spec.hook and spec.hook.function} to make finite numbers of the "
            f"train split's windows. Received: NaN or infinity in {few(wrong)}. Guard it, "
            "such as by tf.math.divide_no_nan or tf.math.log1p."
        )
    return found
