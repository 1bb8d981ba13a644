"""Raw records to transformed ones, whatever their kind. Imports TensorFlow when it is called."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, assert_never

from millrace.components.artifacts import Rejected
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec

if TYPE_CHECKING:
    from millrace.serving.example import Decoded  # numpy

Positioned: TypeAlias = "tuple[Decoded, str]"  # a raw record, and where it lies


def transform(
    rows: Iterable[Positioned],
    spec: Spec,
    rejected: list[Rejected],
    others: "Callable[[], Iterable[Decoded]]" = tuple,
    left_out: Counter[str] | None = None,
) -> Iterator[bytes]:
    """The transformed records of `rows`, encoded; those that cannot be used go to `rejected`.

    Args:
        rows: of one file of a split.
        spec: how.
        rejected: gets what cannot be used.
        others: gives the raw records of the same shard in the other splits, which hold the same
            series; only called for series.
        left_out: counts the parts of usable records that are not transformed, by what they are.
    """
    match spec:
        case ImageSpec():
            from millrace.components.features import image_rows

            return image_rows.transform(rows, spec, rejected)
        case TextSpec():
            from millrace.components.features import text_rows

            return text_rows.transform(rows, spec, rejected)
        case LanguageSpec():
            from millrace.components.features import language_rows

            return language_rows.transform(rows, spec, rejected)
        case SeriesSpec():
            from millrace.components.features import series_rows

            return series_rows.transform(rows, spec, rejected, others, left_out)
        case TableSpec():
            from millrace.components.features import table_rows

            return table_rows.transform(rows, spec, rejected)
        case _:
            assert_never(spec)


def usable(rows: Sequence[Positioned], spec: Spec) -> "list[Decoded]":
    """The `rows` that a model of `spec` can answer.

    For series, `rows` are windows made by `transform`, all of which qualify.
    """
    if isinstance(spec, SeriesSpec):
        return [row for row, _ in rows]
    rejected: list[Rejected] = []
    for _ in transform(rows, spec, rejected):
        pass
    lost = {item.position for item in rejected}
    return [row for row, position in rows if position not in lost]
