"""Whether a recorded output is still what its step wrote, and what is damaged where it is not.

On each use the names and sizes of its files are compared with those recorded, at a `stat` each.
Their content is read by `millrace verify`, on the first use after the run that made it has died,
when a step that reads it has failed, and of a model before each use: a bit turned in its weights
would be judged, pushed and served unseen. Of an output in an older store only the content's digest
is known. Of one in an object store, names, sizes and stamps of the contents are one listing; where
a stamp is another, the content is read there: a copy on this machine proves nothing.
"""

import dataclasses
import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.artifacts import Artifact, Model, PushedModel
from millrace.components.errors import DataError
from millrace.components.files import folders
from millrace.components.files.folders import files as files_in
from millrace.pipeline import fingerprint
from millrace.pipeline.errors import StoreError
from millrace.pipeline.records import ArtifactRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving import remote

_MISSING = remote.RemoteFile(size=-1, stamp=-1)

_log = logging.getLogger(__name__)

# part -> name -> [bytes, SHA-256], and in an object store the stamp of `remote.RemoteFile`
Files = dict[str, dict[str, list[Any]]]


@dataclasses.dataclass(frozen=True)
class Damage:
    """One file that is not as its step left it.

    Attributes:
        file: it.
        name: its place below the folder of its part.
        problem: how it differs.
        part: of the output, as `Artifact.parts` names it.
    """

    file: Path
    name: str
    problem: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.problem}"


def measure(artifact: Artifact) -> tuple[str, Files]:
    """The content digest of an output, and what to record of its files."""
    found: Files = {}
    digests: dict[str, str] = {}
    for part, place in artifact.parts().items():
        found[part] = {}
        try:
            folder = remote.fetch(place)  # a version that was pushed from here is here
            for name, file in files_in(folder):
                digests[str(file)] = folders.file_digest(file)
                found[part][name] = [file.stat().length, digests[str(file)]]
            if remote.is_remote(place):
                _add_stamps(found[part], folder)
        except FileNotFoundError:
            if part == "" or folders.is_there(place):
                raise
            del found[part]  # a version that another push has deleted meanwhile

    def known(file: Path) -> str:
        return digests.get(str(file)) or folders.file_digest(file)

    return fingerprint.content_digest(artifact.path, known), found


def uploaded(files: Files, place: Path) -> Files:
    """What to record of an output, of which `files` is known, now that it lies at `place`."""
    if remote.is_remote(place):
        _add_stamps(files[""], remote.mirror(place))
    return files


def _add_stamps(files: dict[str, list[Any]], copy: Path) -> None:
    """Add to each file what the store told its copy by, when it was uploaded or fetched."""
    for name, known in files.items():
        known.append(os.stat(copy / name).st_mtime_ns)  # noqa: PTH116 - epath has no nanoseconds


def look(record: ArtifactRecord, *, content: bool = False) -> list[Damage] | None:
    """What is damaged of the output `record`: nothing where it is whole, None if it is not there.

    Args:
        record: an output, not a source.
        content: read all files, too; always done of an output whose run died after it.
    """
    place = record.place
    if not folders.is_there(place):
        return None
    try:
        parts = parts_of(record)
        is_intact = record.type != PushedModel.__name__ or PushedModel(record.fetch()).is_intact()
    except DataError as error:
        found = list(_compare(record, {"": place}, content=True))
        return found or [Damage(place, place.name, f"cannot be read: {error}")]
    found = list(_compare(record, parts, content=content or bool(record.suspect)))
    return found if found or is_intact else None


def described(found: list[Damage]) -> str:
    """The first damage in words, and how many there are beside it."""
    return f"{found[0]}{f', and {len(found) - 1} more' if len(found) > 1 else ''}"


def blamed(store: Store, inputs: Mapping[str, ArtifactRecord | None]) -> str:
    """What is damaged of a failed step's inputs, in words; the next run will not reuse that.

    Empty as well where that is not known: the step's own error is what counts then.
    """
    for name, record in inputs.items():
        try:
            found = look(record, content=True) if record is not None and record.files else None
            if record is not None and found:
                store.amend(record.id, suspect=True)
        except (OSError, StoreError) as error:
            _log.warning("input %s: it could not be looked at: %s", name, error)
            return ""
        if record is not None and found:
            return (
                f"Input {name}, {record.uri}: expected what its step wrote. Received: "
                f"{described(found)}. The same command makes it again."
            )
    return ""


def require_models_whole(store: Store, inputs: Mapping[str, ArtifactRecord | None]) -> None:
    """Refuse models among a step's inputs whose content is not what their step wrote.

    Raises:
        DataError: one is damaged; the next run will not reuse it.
    """
    models = {name: record for name, record in inputs.items() if record and _is_read_first(record)}
    if told := blamed(store, models):
        raise DataError(told)


def _is_read_first(record: ArtifactRecord) -> bool:
    """Whether the content is read before use; an object store checks what it hands out itself."""
    is_model = record.type in (Model.__name__, PushedModel.__name__)
    return is_model and not remote.is_remote(record.uri)


def require_whole(record: ArtifactRecord, part: str | None = None) -> None:
    """Refuse to use a damaged output, or a damaged `part` of it.

    Raises:
        DataError: it is damaged; one that is not in place is left to its reader.
    """
    looked = look(record, content=_is_read_first(record))
    found = [one for one in looked or () if part in (None, one.part)]
    if found:
        raise DataError(
            f"{record.uri}: expected the {record.type} that its step wrote. Received: "
            f"{described(found)}. `millrace verify --repair` sets it aside; the next run of its "
            "recipe makes it again."
        )


def parts_of(record: ArtifactRecord) -> dict[str, Path]:
    """The folders, or the one file, that an output stands for; its own has the empty name.

    Raises:
        DataError: it is a push, of which the record cannot be read.
    """
    parts = PushedModel(record.fetch()).parts() if record.type == PushedModel.__name__ else {}
    return {**parts, "": record.place}


def set_aside(
    root: Root, record: ArtifactRecord, found: Sequence[Damage], kept: Collection[Path] = ()
) -> Path | None:
    """Move the damaged parts of an output to `damaged/`; returns where the last of them is now.

    What does not lie under `root`, on a shared store, is left where it is, and so is what is in
    `kept`: a version that a whole output stands for as well.
    """
    try:
        places = parts_of(record)
    except DataError:
        places = {"": record.place}
    damaged = {one.part for one in found}
    moved = None
    for part, place in reversed(places.items()):  # its own folder, which knows the others, last
        target = root.set_aside(place) if part in damaged and place not in kept else None
        if target is not None and folders.is_there(place):
            folders.move(place, target)
            moved = target
    return moved


def _compare(
    record: ArtifactRecord, parts: Mapping[str, Path], *, content: bool
) -> Iterator[Damage]:
    recorded: Files | None = record.files
    if recorded is None:
        digest = fingerprint.content_digest(Path(record.uri)) if content else record.digest
        if digest != record.digest:
            yield Damage(Path(record.uri), "it", "has other content")
        return
    for part, folder in parts.items():
        present = _present(folder)
        for name, (size, digest, *stamps) in recorded.get(part, {}).items():
            found = present.pop(name, _MISSING)
            is_read = content or (found is not None and stamps not in ([], [found.stamp]))
            if problem := _problem(folder / name, found, size, digest if is_read else ""):
                yield Damage(folder / name, name, problem, part)
        for name in present:
            if not any(each.startswith(".") for each in name.split("/")):  # a file browser's
                yield Damage(folder / name, name, "was not there", part)


def _present(folder: Path) -> dict[str, remote.RemoteFile | None]:
    """The files below `folder` by their relative paths; what each is if that is known with it."""
    if remote.is_remote(folder):
        return {**remote.files(folder)}
    return dict.fromkeys(name for name, _ in files_in(folder))


def _problem(file: Path, found: remote.RemoteFile | None, size: int, digest: str) -> str:
    """How `file`, `found` so where that is known, differs from what was recorded.

    The digest is compared if it is given.
    """
    if found == _MISSING:
        return "is missing"
    try:
        length = file.stat().length if found is None else found.size
        if length != size:
            return f"has {length} bytes instead of {size}"
        return "has other content" if digest and folders.file_digest(file) != digest else ""
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
