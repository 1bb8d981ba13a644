"""Raw records to transformed ones, whatever their kind. Imports TensorFlow where it is needed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, assert_never

from millrace.components.artifacts import Rejected
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec
from millrace.serving import tensorflow_import

if TYPE_CHECKING:
    from millrace.components.features.series_encoding import Block  # numpy
    from millrace.serving.example import Decoded  # numpy


def needs_tensorflow(spec: Spec) -> bool:
    """Whether records are transformed by TensorFlow's ops, as far as can be told beforehand."""
    is_hooked = isinstance(spec, TextSpec) and spec.hook is not None
    return isinstance(spec, TableSpec | ImageSpec) or is_hooked


def reads_others(spec: Spec) -> bool:
    """Whether a record is transformed with those of the same shard in other splits in view."""
    return isinstance(spec, SeriesSpec)


def transform(
    records: Iterable[bytes],
    place: str,
    spec: Spec,
    rejected: list[Rejected],
    others: Callable[[], Iterable[bytes]] = tuple,
    left_out: Counter[str] | None = None,
) -> "Iterator[bytes] | Iterator[Block]":
    """The transformed records of raw ones, serialised; those that cannot be used go to `rejected`.

    Windows of series come in blocks [records, bytes], see `series_encoding`.

    Args:
        records: of one file of a split, serialised.
        place: the name of that file.
        spec: how.
        rejected: gets what cannot be used.
        others: gives the raw records of the same shard in the other splits, which hold the same
            series; only called for series.
        left_out: counts the parts of usable records that are not transformed, by what they are.

    Raises:
        DataError: a record is not an Example.
    """
    from millrace.components.files import columns  # numpy

    if needs_tensorflow(spec):
        tensorflow_import.load()
    is_text = isinstance(spec, TextSpec | LanguageSpec)
    batches = columns.batches(records, place, columns.TEXT_BYTES if is_text else None)
    match spec:
        case TableSpec():
            from millrace.components.features import table_rows

            return table_rows.transform(batches, place, spec, rejected)
        case ImageSpec():
            from millrace.components.features import image_rows

            return image_rows.transform(batches, place, spec, rejected)
        case TextSpec():
            from millrace.components.features import text_rows

            return text_rows.transform(batches, place, spec, rejected)
        case LanguageSpec():
            from millrace.components.features import language_rows

            return language_rows.transform(batches, place, spec, rejected)
        case SeriesSpec():
            from millrace.components.features import series_rows

            rows = (
                (row, columns.position(place, number))
                for number, row in enumerate(columns.decoded(records, place))
            )
            return series_rows.transform(
                rows, spec, rejected, lambda: columns.decoded(others(), place), left_out
            )
        case _:
            assert_never(spec)


def usable(records: Sequence[bytes], spec: Spec) -> "list[Decoded]":
    """The rows of `records` that a model of `spec` can answer.

    For series, `records` are windows made by `transform`, all of which qualify.
    """
    from millrace.components.files import columns  # numpy

    rows = columns.decoded(records, "")
    if isinstance(spec, SeriesSpec):
        return list(rows)
    rejected: list[Rejected] = []
    for _ in transform(records, "", spec, rejected):
        pass
    lost = {item.position for item in rejected}
    return [row for number, row in enumerate(rows) if columns.position("", number) not in lost]
