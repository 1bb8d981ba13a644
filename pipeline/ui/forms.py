"""What a person fills in to ask a model, from what is known of it and of its training data.

A form is plain JSON values. Its `kind` says how the model is asked: `image`, `text`, `prompt`,
`window`, `series` (by a CSV alone), `columns`, or `unknown` before anything is known.
"""

import datetime
import io
import itertools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from millrace.components.artifacts import Examples, Statistics
from millrace.components.display import numbers
from millrace.components.errors import DataError
from millrace.components.files.tfrecord import read_records
from millrace.components.statistics import table
from millrace.components.statistics.table import FeatureRow
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord
from millrace.pipeline.registry import Push
from millrace.serving.errors import MillraceError
from millrace.serving.example import decode
from millrace.serving.signature import DEFAULT, Signature

GENERATE = "generate"
_CHOICES = 30  # values of a column that can be chosen among
_CANVAS = 64  # pixels of a side: larger pictures are drawn in another size
_STROKES = 280  # pixels of a side of what is drawn on
_SCALARS = {
    "length": ("Tokens to add", "60", 0),
    "temperature": ("Temperature: 0 takes the likeliest", "0.7", 0),
    "top_k": ("Among the K likeliest; 0 for all", "0", 0),
    "seed": ("Seed: the same gives the same text", "", None),
}

Json = dict[str, Any]


def of_push(session: Session, push: Push | None) -> Json | None:
    """The form for a model that a run has pushed; None where its making is not known."""
    description = push.description if push else {}
    signatures = description.get("signatures")
    if not signatures or push is None:
        return None
    inputs = {
        name: {alias: (one["dtype"], one["shape"]) for alias, one in each["inputs"].items()}
        for name, each in signatures.items()
    }
    form = _form(inputs)
    examples = _examples(session, push)
    try:
        _describe(session, form, examples, description)
    except (MillraceError, OSError) as error:  # the model can be asked without
        form["note"] = f"What its data looked like is not known: {error}"
    return form


def of_signatures(signatures: Mapping[str, Signature]) -> Json:
    """The form for a model of which a server alone knows."""
    return _form(
        {
            name: {alias: (one.dtype, one.shape) for alias, one in each.inputs.items()}
            for name, each in signatures.items()
        }
    )


def _form(signatures: Mapping[str, Mapping[str, tuple[str, Any]]]) -> Json:
    inputs = signatures.get(DEFAULT, {})
    rows = {alias: each for alias, each in inputs.items() if each[1] != [] and each[1] != ()}
    form: Json = {"kind": "columns", "fields": [], "note": None}
    if "image_bytes" in rows:
        return form | {"kind": "image", "canvas": None}
    if "prompt" in rows:
        taken = {**inputs, **signatures.get(GENERATE, {})}
        fields = [_scalar(name) for name in _SCALARS if name in taken]
        return form | {"kind": "prompt", "fields": fields}
    if "known" in rows:
        return form | {"kind": "series"}
    if "window" in rows:
        steps, channels = rows["window"][1][1:]
        return form | {"kind": "window", "steps": steps, "channels": channels, "names": []}
    if list(rows) == ["text"]:
        return form | {"kind": "text"}
    return form | {"fields": [_plain(alias, dtype) for alias, (dtype, _) in rows.items()]}


def _scalar(name: str) -> Json:
    title, value, least = _SCALARS[name]
    return _field(name, "number", title=title, value=value, low=least)


def _plain(name: str, dtype: str) -> Json:
    return _field(name, "text" if dtype == "string" else "number")


def _field(name: str, kind: str, **more: Any) -> Json:
    """One field: `choices` to choose among, or the ends of a number; `value` is put in it."""
    known: Json = {"title": name, "value": "", "low": None, "high": None, "choices": [], "hint": ""}
    return {"name": name, "kind": kind, **known, **more}


def _describe(
    session: Session, form: Json, examples: ArtifactRecord | None, description: Mapping[str, Any]
) -> None:
    """Add to `form` what the training data tells."""
    if form["kind"] in ("window", "series"):
        form["names"] = description.get("targets", [])
        form["past"] = description.get("lookback")
        form["frequency"] = description.get("frequency")
        return
    if examples is None:
        return
    if form["kind"] == "image":
        form["canvas"] = _canvas(Examples(examples.fetch(most=2**20)))
    elif form["kind"] in ("columns", "text"):
        rows = _statistics(session, examples)
        fields = [_known(field, rows.get(field["name"])) for field in form["fields"]]
        form["fields"] = _with_dates(fields, Examples(examples.fetch(most=2**20)))


def _known(field: Json, row: FeatureRow | None) -> Json:
    """A field with the choices or the range that the training data had."""
    if row is None:
        return field
    if field["kind"] == "text":
        if row.unique is not None and row.unique <= len(row.top) <= _CHOICES:
            names = [name for name, _ in row.top]
            return field | {"choices": sorted(names), "value": names[0] if names else ""}
        return field | {"hint": f"such as {row.top[0][0]}" if row.top else ""}
    if row.min is None or row.max is None:
        return field
    low, high = numbers.exact(row.min), numbers.exact(row.max)
    middle = "" if row.median is None else numbers.exact(row.median)
    return field | {"value": middle, "hint": f"{low} to {high} in the training data"}


def _with_dates(fields: list[Json], examples: Examples) -> list[Json]:
    """The fields, with one for a date in place of those for its parts."""
    if not any("/" in field["name"] for field in fields):
        return fields
    from millrace.components.example_gen.unlabelled_rows import source as sources  # pyarrow

    source = sources.read(examples)
    readings = source.layout.readings if source is not None and source.kind == "table" else {}
    found: dict[str, Json] = {}
    for field in fields:
        column = field["name"].rpartition("/")[0]
        reading = readings.get(column)
        if reading is None or reading.kind != "date":
            found[field["name"]] = field
        elif column not in found:
            today = datetime.datetime.now(datetime.UTC).strftime(reading.pattern or "%Y-%m-%d")
            hint = f"a date, written as {today}"
            found[column] = _field(column, "text", value=today, hint=hint)
    return list(found.values())


def _canvas(examples: Examples) -> Json:
    """How to draw what looks like the pictures that were learnt from, by the first of them.

    `size` is the side of what is sent, `side` that of what is drawn on; `is_dark` says whether the
    ground is.
    """
    from PIL import Image, ImageStat

    for split in examples.splits:
        for file in examples.files(split):
            for record in itertools.islice(read_records(file), 1):
                encoded = decode(record)["image/encoded"][0]
                with Image.open(io.BytesIO(encoded)) as picture:
                    size, grey = max(picture.size), picture.convert("L")
                    is_dark = ImageStat.Stat(grey).mean[0] < 128
                if size > _CANVAS:
                    return {"size": _STROKES, "side": _STROKES, "is_dark": is_dark}
                return {"size": size, "side": _STROKES, "is_dark": is_dark}
    raise DataError(f"{examples.path}: expected a record. Received: none.")


def _examples(session: Session, push: Push) -> ArtifactRecord | None:
    """The records that the model was exported with, in the form in which it is asked."""
    if push.model is None:
        return None
    made = (
        sa.select(EventRecord.execution_id)
        .join(ExecutionRecord, ExecutionRecord.id == EventRecord.execution_id)
        .where(EventRecord.artifact_id == push.model.id, EventRecord.role == "output")
        .where(ExecutionRecord.status == "ran")
    )
    read = (
        sa.select(ArtifactRecord)
        .join(EventRecord, EventRecord.artifact_id == ArtifactRecord.id)
        .where(EventRecord.execution_id.in_(made), EventRecord.role == "input")
        .where(EventRecord.name == "examples")
    )
    return session.scalars(read.limit(1)).first()


def _statistics(session: Session, examples: ArtifactRecord) -> dict[str, FeatureRow]:
    """The statistics of the first split of `examples`, by feature; empty where there are none."""
    readers = sa.select(EventRecord.execution_id).where(
        EventRecord.artifact_id == examples.id, EventRecord.role == "input"
    )
    made = (
        sa.select(ArtifactRecord)
        .join(EventRecord, EventRecord.artifact_id == ArtifactRecord.id)
        .where(EventRecord.execution_id.in_(readers), EventRecord.role == "output")
        .where(ArtifactRecord.type == Statistics.__name__)
        .order_by(ArtifactRecord.id.desc())
    )
    record = session.scalars(made.limit(1)).first()
    if record is None:
        return {}
    rows = table.rows(Statistics(record.fetch()), top=_CHOICES)
    first = next((row.split for row in rows if row.split == "train"), rows[0].split if rows else "")
    return {row.feature: row for row in rows if row.split == first}
