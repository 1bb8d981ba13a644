"""How the source of some records was read: kept beside them as `source.json`.

Files of the same kind that are to be predicted later are read the same way.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, TypeAdapter, ValidationError

from millrace.components.artifacts import Examples
from millrace.components.example_gen.csv.dialect import CsvFormat, Dialect
from millrace.components.example_gen.csv.encodings import BadBytes
from millrace.components.example_gen.csv.parsing import TableLayout
from millrace.components.example_gen.time_series.reading import SeriesSource
from millrace.components.files import json_files

TextForm = Literal["tables", "labelled_lines", "class_files", "classes"]
LINES: tuple[TextForm, ...] = ("labelled_lines", "class_files")  # forms whose lines are texts
_FILE = "source.json"


@dataclasses.dataclass(frozen=True)
class TableSource:
    """A CSV: how it is written, and what its columns became."""

    dialect: Dialect
    layout: TableLayout
    kind: Literal["table"] = "table"


@dataclasses.dataclass(frozen=True)
class TextSource:
    """Texts in tables, a line each, or a file each.

    Attributes:
        text: the columns of a table's texts, which are joined.
        csv: the form of such tables.
        names: all their columns.
        form: which of the three it was; labelled lines begin with one of `classes`.
        separator: between such a label and the text; empty for spaces.
        classes: the names of the classes.
        encoding: as it was given.
        bad: what becomes of bytes that are not of the encoding.
    """

    text: tuple[str, ...] = ()
    csv: CsvFormat = dataclasses.field(default_factory=CsvFormat)
    names: tuple[str, ...] = ()
    form: TextForm = "tables"
    separator: str = ""
    classes: Annotated[frozenset[str], PlainSerializer(sorted)] = frozenset()
    encoding: str | None = None
    bad: BadBytes = "latin-1"
    kind: Literal["text"] = "text"


def form_of(kind: str) -> TextForm:
    """The form of files of that kind of `TextTable`."""
    return next((form for form in LINES if form == kind), "tables")


TrainingSource = TableSource | SeriesSource | TextSource

_JSON: TypeAdapter[TrainingSource] = TypeAdapter(
    Annotated[TrainingSource, Field(discriminator="kind")]
)


def write(source: TrainingSource, examples: Examples) -> None:
    """Write `source` beside the records that were made of it."""
    (examples.path / _FILE).write_bytes(_JSON.dump_json(source, indent=1))


def read(examples: Examples) -> TrainingSource | None:
    """How the source of `examples` was read; None where they do not say.

    Raises:
        DataError: what they say is damaged.
    """
    file = examples.path / _FILE
    if not file.exists():
        return None
    try:
        return _JSON.validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise json_files.refusal(
            file, "how the source was read", f"{where}: {first['msg']}"
        ) from error
