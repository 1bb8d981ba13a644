"""Files of rows to predict, read as the model's training data was.

One dispatch for a few rows (`predict --csv`) and for many (`unlabelled_example_gen`). What a
model takes follows from its features: `window` makes it a forecaster, `text` alone a model of
texts, anything else one of a table's columns.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.time_series.reading import SeriesSource
from millrace.components.example_gen.unlabelled_rows.source import (
    TableSource,
    TextSource,
    TrainingSource,
)
from millrace.components.features import series
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.serving.example import Decoded


@dataclasses.dataclass(frozen=True)
class UnlabelledRow:
    """One row, or the end of one series.

    Attributes:
        name: where it stands, or the series.
        features: of a raw record.
        times: of the rows that are to be forecast.
    """

    name: str
    features: Decoded
    times: tuple[str, ...] = ()


def read(
    file: Path, needed: Mapping[str, bool], source: TrainingSource | None, spec: Spec | None
) -> Iterator[UnlabelledRow | Rejected]:
    """Each row of `file`, or of a forecaster one per series in it, and what cannot be used.

    Args:
        file: a table with the columns of the training data, in any order; others are ignored.
        needed: the features that the model takes, and whether each is text.
        source: how the training data was read. None: as the cells look.
        spec: what was settled of a forecaster.

    Raises:
        DataError: it cannot be read, or is no such table; of a forecaster also where `source`
            and `spec` are not known.
    """
    if "window" in needed:
        return _windows(file, source, spec)
    if takes_texts(needed, source):
        return _texts(file, source)
    return _rows(file, needed, source)


def takes_texts(needed: Mapping[str, bool], source: TrainingSource | None) -> bool:
    """Whether what the model takes is a text, and no column of a table."""
    return list(needed) == ["text"] and not isinstance(source, TableSource)


def _rows(
    file: Path, needed: Mapping[str, bool], source: TrainingSource | None
) -> Iterator[UnlabelledRow | Rejected]:
    from millrace.components.example_gen.unlabelled_rows import tables  # pyarrow, Beam's options

    for item in tables.read(file, needed, source if isinstance(source, TableSource) else None):
        yield item if isinstance(item, Rejected) else UnlabelledRow(f"line {item[0]}", item[1])


def _texts(file: Path, source: TrainingSource | None) -> Iterator[UnlabelledRow | Rejected]:
    from millrace.components.example_gen.unlabelled_rows import texts

    for item in texts.read(file, source if isinstance(source, TextSource) else None):
        yield item if isinstance(item, Rejected) else UnlabelledRow(item[0], {"text": [item[1]]})


def _windows(
    file: Path, source: TrainingSource | None, spec: Spec | None
) -> Iterator[UnlabelledRow | Rejected]:
    from millrace.components.example_gen.unlabelled_rows import series as series_latest  # pandas

    if not isinstance(source, SeriesSource) or not isinstance(spec, SeriesSpec):
        raise DataError(
            "expected a forecaster that a run of this store has pushed, whose columns of time and "
            "numbers are known. Received: another. Ask under the root that it was trained in."
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
            yield UnlabelledRow(name, features, tuple(item.times))
