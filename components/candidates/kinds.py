"""The candidates for a spec of any kind of data."""

from typing import assert_never

from millrace.components.candidates import image, language, series, table, text
from millrace.components.candidates.candidate import Candidate
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec


def of(spec: Spec, rows: int, most: int | None = None) -> tuple[Candidate, ...]:
    """The networks to try, the one to begin with first.

    Args:
        spec: of the data.
        rows: examples to train on, by which it is settled how long each is trained.
        most: how many, if not all.
    """
    match spec:
        case ImageSpec():
            found = image.of(spec, rows)
        case TextSpec():
            found = text.of(spec, rows)
        case LanguageSpec():
            found = language.of(spec, rows)
        case SeriesSpec():
            found = series.of(spec, rows)
        case TableSpec():
            found = table.of(spec, rows)
        case _:
            assert_never(spec)
    return found[:most]
