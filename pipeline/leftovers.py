"""What a root no longer needs, found and removed: `millrace gc`. The record of runs stays.

Outputs can go that nothing needs any more (`needed`): a run that needs one makes it again. So can
what dead runs left in staging, checkpoints that nobody came back for, outputs that were never
recorded, and what was set aside as damaged.
"""

import collections
import dataclasses
import logging
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from millrace.pipeline.needed import Needs, Policy, Records, folder_of
from millrace.pipeline.root import RESUME_DAYS, Root
from millrace.pipeline.store import Store
from millrace.serving import remote

_KINDS = ("output", "unrecorded", "staging", "checkpoint", "damaged")  # as they are shown
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Leftover:
    """Something that can go.

    Attributes:
        kind: output, unrecorded (an output that its run, or a step that ran alone, did not come to
            record), staging, checkpoint or damaged.
        place: its folder.
        bytes: of its files.
        run, model, step: whose it is, as far as that is known.
        artifact: its number, of an output.
    """

    kind: str
    place: str
    bytes: int
    run: str = ""
    model: str = ""
    step: str = ""
    artifact: int | None = None


@dataclasses.dataclass(frozen=True)
class Leftovers:
    """What can go, or went; why how many outputs stay; how many folders are of others."""

    found: tuple[Leftover, ...]
    kept: Mapping[str, int]
    unknown: int

    @property
    def bytes(self) -> int:
        """Of all that can go."""
        return sum(one.bytes for one in self.found)


def find(store: Store, root: Root, policy: Policy) -> Leftovers:
    """What can go of `root`, by `policy`; nothing is changed but that dead runs are recorded.

    Raises:
        RemoteError: the root's object store cannot be reached.
    """
    store.mark_dead(root)
    present = _present(root)
    with store.session() as session:
        records = Records.read(store, session)
        needed = Needs(store, session, root, records, present, policy).reasons()
    outputs = list(_outputs(root, records, present, needed))
    stray, unknown = _unrecorded(store, root, records, present)
    days = policy.days or RESUME_DAYS
    found = [*outputs, *stray, *_staging(root), *_checkpoints(root, days), *_damaged(root)]
    kept = collections.Counter(needed[one] for one in needed)
    return Leftovers(tuple(found), dict(kept), unknown)


def remove(store: Store, root: Root, policy: Policy) -> Leftovers:
    """Remove what `find` finds, while no run can begin to refer to it; returns what went.

    Raises:
        RemoteError: the root's object store cannot be reached.
    """
    trash = pathlib.Path(root.staging(f"gc-{uuid.uuid4().hex}"))  # another sweep may remove it
    with store.clearing(root):
        planned = find(store, root, policy)
        gone = [one for one in planned.found if _is_removed(root, one, trash, policy)]
    shutil.rmtree(trash, ignore_errors=True)
    return dataclasses.replace(planned, found=tuple(gone))


class OfRun(NamedTuple):
    """What of one kind can go of a run."""

    kind: str
    model: str
    run: str
    folders: int
    bytes: int


def by_run(found: Leftovers) -> list[OfRun]:
    """What can go, a row for each kind and run, for a person; the newest run first."""
    sums: dict[tuple[str, str, str], list[int]] = collections.defaultdict(list)
    for one in found.found:
        sums[one.kind, one.model, one.run].append(one.bytes)
    rows = [OfRun(*of, len(sizes), sum(sizes)) for of, sizes in sums.items()]
    return [row for kind in _KINDS for row in reversed(rows) if row.kind == kind]  # as made


def as_json(found: Leftovers, *, removed: bool) -> dict[str, Any]:
    """For `millrace gc --json`."""
    return {
        "removed": removed,
        "bytes": found.bytes,
        "found": [dataclasses.asdict(one) for one in found.found],
        "kept": dict(found.kept),
        "unknown": found.unknown,
    }


def _present(root: Root) -> dict[str, int | None]:
    """The outputs that are in place by `<step>/<run>`, and their bytes where these are known."""
    if not root.is_remote:
        steps = pathlib.Path(root.place) / "artifacts"
        names = (entry for step in _entries(steps) for entry in _entries(pathlib.Path(step.path)))
        return {os.path.relpath(entry.path, steps): None for entry in names}
    found: dict[str, int] = collections.Counter()
    for name, file in remote.files(root.place / "artifacts").items():
        found["/".join(name.split("/")[:2])] += file.size
    return {**found}


def _outputs(
    root: Root,
    records: Records,
    present: Mapping[str, int | None],
    needed: Mapping[int, str],
) -> Iterator[Leftover]:
    folder = folder_of(root)
    for one in records.artifacts.values():
        name = one.uri.removeprefix(folder)
        if name in present and one.id not in needed and one.id in records.writers:
            maker = records.executions[records.writers[one.id]]
            model, size = records.pipelines[maker.run], present[name]
            size = _size(one.uri) if size is None else size
            yield Leftover("output", one.uri, size, maker.run, model, maker.step, one.id)


def _unrecorded(
    store: Store, root: Root, records: Records, present: Mapping[str, int | None]
) -> tuple[list[Leftover], int]:
    """Outputs that dead runs or steps did not come to record; how many are not of this root's runs.

    Those are of another store's runs, or of this root's before it was moved here.
    """
    known = {one.uri.rpartition("/artifacts/")[2] for one in records.artifacts.values()}
    here = {one.uri for one in records.artifacts.values()}
    folder = folder_of(root)
    found, unknown = [], 0
    alive = {
        run.id: "steps" in run.arguments
        for run in records.runs
        if run.status in ("running", "partial")
    }
    for name, size in present.items():
        if folder + name in here:
            continue
        step, _, rest = name.partition("/")
        run = rest.partition("~")[0]
        if name in known or run not in records.pipelines:  # recorded elsewhere, or by others
            unknown += 1
        elif run not in alive or (alive[run] and not store.is_at_work(root, run, step)):
            bytes_ = _size(folder + name) if size is None else size
            model = records.pipelines[run]
            found.append(Leftover("unrecorded", folder + name, bytes_, run, model, step))
    return found, unknown


def _staging(root: Root) -> Iterator[Leftover]:
    for entry in root.dead_staging():
        yield Leftover("staging", str(entry), _size(entry), entry.name)


def _checkpoints(root: Root, days: float) -> Iterator[Leftover]:
    for entry in root.checkpoints():
        if time.time() - _last_change(entry) > days * 24 * 3600:
            step = entry.name.rpartition("-")[0]
            yield Leftover("checkpoint", str(entry), _size(entry), step=step)


def _damaged(root: Root) -> Iterator[Leftover]:
    place = root.place / "damaged"
    if root.is_remote:
        files = remote.files(place)
        if files:
            yield Leftover("damaged", remote.url(place), sum(f.size for f in files.values()))
    elif place.exists():
        yield Leftover("damaged", str(place), _size(place))


def _is_removed(root: Root, one: Leftover, trash: pathlib.Path, policy: Policy) -> bool:
    """Whether `one` could be removed, at once or by a move to `trash`; else a warning says why."""
    try:
        if one.kind == "staging":
            return root.clear_staging(one.run)
        if one.kind == "checkpoint":
            is_old: Callable[[pathlib.Path], bool] = lambda folder: (  # noqa: E731
                time.time() - _last_change(folder) > (policy.days or RESUME_DAYS) * 24 * 3600
            )
            return root.clear_checkpoint(pathlib.Path(one.place).name, is_old)
        if remote.is_remote(one.place):
            remote.remove(one.place)
        else:
            trash.mkdir(parents=True, exist_ok=True)
            pathlib.Path(one.place).rename(trash / uuid.uuid4().hex)
    except FileNotFoundError:  # another was faster
        return False
    except OSError as error:
        _log.warning("%s: cannot be removed: %s. Remove it by hand.", one.place, error.strerror)
        return False
    return True


def _entries(folder: str | os.PathLike[str]) -> list["os.DirEntry[str]"]:
    """The folders in `folder`; none where it is not there."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (one for one in entries if one.is_dir(follow_symlinks=False)),
                key=lambda one: one.name,
            )
    except FileNotFoundError:
        return []


def _stats(place: str | os.PathLike[str]) -> Iterator[os.stat_result]:
    """Of each file below `place`; what goes meanwhile is left out."""
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                yield os.lstat(os.path.join(folder, name))  # noqa: PTH118 - many, and strings
            except FileNotFoundError:
                continue


def _size(place: str | os.PathLike[str]) -> int:
    return sum(one.st_size for one in _stats(place))


def _last_change(folder: pathlib.Path) -> float:
    """When a file below `folder` was changed last, in seconds of this machine's clock."""
    return max((one.st_mtime for one in _stats(folder)), default=folder.lstat().st_mtime)
