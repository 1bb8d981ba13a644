"""`schema.pbtxt`: a tensorflow-metadata `Schema` in protobuf's text form."""

from collections import Counter
from collections.abc import Iterator

from etils.epath import Path
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.errors import DataError
from millrace.serving import text_form

_UNCHECKED = {
    "group_presence",
    "in_environment",
    "natural_language_domain",
    "not_in_environment",
    "struct_domain",
    "time_domain",
    "time_of_day_domain",
    "value_counts",
}


def parse(text: str, file: Path) -> schema_pb2.Schema:
    """The schema that `text`, the content of `file`, stands for.

    Raises:
        DataError: it is not a schema in text form (with the line), or it contradicts itself.
    """
    try:
        schema = text_form.parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        where = f"{file}:{error.GetLine()}" if error.GetLine() else str(file)
        raise DataError(
            f"{where}: expected a tensorflow-metadata Schema in text form. "
            f"Received: {_without_place(error)}. Correct the line; the fields are listed in "
            "tensorflow_metadata/proto/v0/schema.proto."
        ) from error
    faults = list(faults_of(schema))
    if faults:
        raise DataError(
            f"{file}: expected a schema that does not contradict itself. "
            f"Received: {'; '.join(faults)}. Correct the file."
        )
    return schema


def read(file: Path) -> schema_pb2.Schema:
    """The schema in `file`.

    Raises:
        DataError: `file` is not there, is not text, or holds no valid schema.
    """
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file}: expected a schema.pbtxt. Received: {error}. Name a file in protobuf's "
            "text form."
        ) from error
    return parse(text, file)


def write(schema: schema_pb2.Schema, file: Path) -> None:
    """Write `schema` to `file`, non-ASCII characters readable."""
    file.write_text(text_format.MessageToString(schema, as_utf8=True))


def faults_of(schema: schema_pb2.Schema) -> Iterator[str]:
    """What no data could satisfy: missing names or types, repeated names, unknown domains."""
    for name, count in Counter(feature.name for feature in schema.feature).items():
        if not name:
            yield "a feature without a name"
        elif count > 1:
            yield f"{count} features named {name!r}"
    domains = {domain.name for domain in schema.string_domain}
    for feature in schema.feature:
        yield from _faults_of_feature(feature, domains)


def unchecked_in(schema: schema_pb2.Schema) -> Iterator[str]:
    """What `schema` constrains that `example_validator` does not check."""
    for field in ("sparse_feature", "weighted_feature", "default_environment"):
        if getattr(schema, field):
            yield field
    for feature in schema.feature:
        fields = {field.name for field, _ in feature.ListFields()}
        for field in sorted(fields & _UNCHECKED):
            yield f"{field} of {feature.name!r}"


def _faults_of_feature(feature: schema_pb2.Feature, domains: set[str]) -> Iterator[str]:
    if feature.domain and feature.domain not in domains:
        yield f"feature {feature.name!r} of the unknown domain {feature.domain!r}"
    if not feature.type:
        yield f"feature {feature.name!r} without a type"
    if 0 < feature.value_count.max < feature.value_count.min:
        yield f"feature {feature.name!r} with value_count.max below min"
    if not 0 <= feature.presence.min_fraction <= 1:
        yield f"feature {feature.name!r} with a min_fraction outside 0 to 1"


def _without_place(error: text_format.ParseError) -> str:
    """The parser's message without the `line:column : ` that it begins with."""
    place = f"{error.GetLine()}:{error.GetColumn()} : "
    return str(error).removeprefix(place).rstrip(".")
