"""An artifact of any type: what it is, where it came from, what is in it; and its files."""

import itertools
import mimetypes
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from millrace.components import artifacts as kinds
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord
from millrace.pipeline.ui import sections
from millrace.pipeline.ui.contents import examples
from millrace.pipeline.ui.contents.records import Place
from millrace.pipeline.ui.found import Found, find, finite, title
from millrace.pipeline.ui.site import Action, Asked, Content, File, View
from millrace.serving.errors import MillraceError

_FILES = 200  # listed
_LINKS = 30  # of the runs and artifacts that an artifact is tied to
MOST_SENT = 64 * 2**20  # bytes of a file
# What a browser shows by itself; any other file is saved. No HTML and SVG: they may hold scripts.
_SHOWN = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_TEXT = {".json", ".jsonl", ".csv", ".tsv", ".txt", ".pbtxt", ".log", ".md", ".yaml", ".yml"}


def gather(asked: Asked) -> dict[str, Any]:
    """The page of an artifact."""
    with asked.session() as session:
        found = find(asked, session)
        shown = {**_facts(found), "section": "", "content": None, "problem": ""}
        try:
            section, content = sections.of(found)
            shown |= {"section": section, "content": content}
        except (MillraceError, OSError) as error:
            shown["problem"] = str(error)
        return finite(shown)


def _facts(found: Found) -> dict[str, Any]:
    record, maker = found.record, found.record.maker
    files, size = _files(record)
    read = maker.inputs.items() if maker else ()
    return {
        "number": record.id,
        "type": record.type,
        "title": title(record.type),
        "path": record.uri,
        "created": record.created.isoformat(timespec="seconds"),
        "step": maker.step if maker else "",
        "run": maker.run_id if maker else "",
        "recipe": maker.run.recipe if maker else "",
        "model": maker.run.pipeline if maker else "",
        "run_page": found.asked.address("runs", maker.run_id) if maker else "",
        "lineage_page": found.asked.address("lineage", record.id),
        "properties": record.properties,
        "size": size,
        "files": files[:_FILES],
        "files_count": len(files),
        "page": found.page(record),
        "made_of": [
            {
                "role": name,
                "type": each.type,
                "title": title(each.type),
                "number": each.id,
                "step": each.maker.step if each.maker else "",
                "name": _name(each),
                "page": found.page(each),
            }
            for name, each in read
        ],
        "used_by": list(_used_by(found)),
    }


def _name(record: ArtifactRecord) -> str:
    return record.uri.rstrip("/").rpartition("/")[2]


def _files(record: ArtifactRecord) -> tuple[list[dict[str, Any]], int | None]:
    """Its own files as the store knows them, and their size; of a source as they are now."""
    if record.files is not None:
        sizes = {name: int(known[0]) for name, known in record.files.get("", {}).items()}
    else:
        sizes = dict(itertools.islice(_sizes(record), 10 * _FILES))
    files = [
        {"name": name, "size": size, "is_shown": _media_type(name)[1]}
        for name, size in sorted(sizes.items())
    ]
    return files, sum(sizes.values())


def _sizes(record: ArtifactRecord) -> Iterator[tuple[str, int]]:
    place = pathlib.Path(record.uri)
    if place.is_file():
        yield place.name, place.stat().st_size
        return
    for folder, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            file = pathlib.Path(folder) / name
            if file.exists():
                yield file.relative_to(place).as_posix(), file.stat().st_size


def _used_by(found: Found) -> Iterator[dict[str, Any]]:
    """The steps that have read it, the newest first."""
    query = (
        sa.select(ExecutionRecord)
        .join(EventRecord)
        .join(RunRecord)
        .where(
            EventRecord.artifact_id == found.record.id,
            EventRecord.role == "input",
            ExecutionRecord.status == "ran",
            found.asked.store.within,
        )
        .order_by(EventRecord.execution_id.desc())
        .limit(_LINKS)
        .options(sa.orm.selectinload(ExecutionRecord.events).selectinload(EventRecord.artifact))
    )
    for execution in found.session.scalars(query):
        made = execution.output
        yield {
            "step": execution.step,
            "run": execution.run_id,
            "run_page": found.asked.address("runs", execution.run_id),
            "type": made.type if made else "",
            "title": title(made.type) if made else "",
            "page": found.page(made) if made else "",
        }


def record(asked: Asked) -> dict[str, Any]:
    """The page of one record of an artifact."""
    with asked.session() as session:
        found = find(asked, session)
        artifact = found.artifact
        if not isinstance(artifact, kinds.Examples):
            raise UsageError(f"Artifact {found.record.id}: expected Examples.")
        place, split = sections.place(asked.parts["place"]), asked.parts["split"]
        shown = examples.one(artifact, split, place, found.spec())
        if shown is None:
            raise UsageError(f"Record {place} of split {split!r}: there is none.")
        page = found.page(found.record)
        near = {"next": place.record + 1, "previous": place.record - 1}
        return finite(
            {
                **shown,
                "number": found.record.id,
                "artifact_page": page,
                "pages": {
                    name: f"{page}/records/{split}/{Place(place.file, each)}" if each >= 0 else ""
                    for name, each in near.items()
                },
            }
        )


def read(asked: Asked) -> Content:
    """A file of an artifact, by its path in it.

    Raises:
        UsageError: it is not there, outside of the artifact, or too large.
    """
    with asked.session() as session:
        found = find(asked, session)
        folder = pathlib.Path(os.path.realpath(found.artifact.path))
    name = asked.parts["path"]
    file = inside(folder, name)
    if file is None or not file.is_file():
        raise UsageError(f"Artifact {asked.parts['number']}: there is no file {name!r} in it.")
    if (size := file.stat().st_size) > MOST_SENT:
        raise UsageError(
            f"{name}: expected {MOST_SENT:,} bytes at most. Received: {size:,}. It is at {file}."
        )
    media_type, is_shown = _media_type(file.name)
    return Content(file.read_bytes(), media_type, "" if is_shown else file.name)


def inside(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """The file `name` below `folder`, which is a real path, or the file that it is itself.

    None if the name, or a link on the way, leads out of it.
    """
    if "\0" in name:
        return None
    if folder.is_file():
        return folder if name == folder.name else None
    file = pathlib.Path(os.path.realpath(folder / name))
    return file if file.is_relative_to(folder) else None


def _media_type(name: str) -> tuple[str, bool]:
    """The type of a file, and whether a browser may show it: pictures and plain text."""
    ending = pathlib.PurePosixPath(name).suffix.lower()
    if ending in _SHOWN:
        return _SHOWN[ending], True
    if ending in _TEXT:
        return "text/plain", True
    return mimetypes.guess_type(name)[0] or "application/octet-stream", False


VIEWS = (
    View("artifacts/{number}", "artifact.html", gather),
    View("artifacts/{number}/records/{split}/{place}", "record.html", record),
)
FILES = (File("artifacts/{number}/files/{path:.+}", read),)
ACTIONS: tuple[Action, ...] = ()
