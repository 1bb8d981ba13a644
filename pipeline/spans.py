"""`--data` with a pattern: the newest span of the data, or a range of them as one folder."""

import contextlib
import hashlib
import pathlib
from collections.abc import Sequence

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.shards import span
from millrace.components.files.walk import walk
from millrace.pipeline import given
from millrace.pipeline.errors import UsageError
from millrace.pipeline.root import Root
from millrace.serving import remote
from millrace.serving.errors import RemoteError

LATEST = "latest"


def resolve(root: Root, data: str | None, spans: str) -> str | None:
    """The path of this machine that `data` stands for; see `places` and `gathered`."""
    return gathered(root, places(data, spans))


def places(data: str | None, spans: str) -> tuple[str, ...]:
    """The paths and URLs that `data` stands for; none where there is none.

    Args:
        data: what the user gave; a pattern such as `sales/{YYYY}-{MM}-{DD}.csv`, or a plain path.
        spans: see `millrace.components.example_gen.shards.span.resolve`.

    Raises:
        UsageError: no span fits, or spans are requested of a plain path.
    """
    if data is None or not span.is_pattern(data):
        if spans != LATEST:
            raise UsageError(
                f"--spans {spans}: expected a --data with {{SPAN}} or {{YYYY}}, {{MM}} and {{DD}}. "
                f"Received: {data or 'no --data'}. Leave --spans out, or name a pattern."
            )
        return () if data is None else (data,)
    try:
        found = span.resolve(given.data(data) or "", spans)
    except (DataError, OptionError) as error:
        raise UsageError(f"--data {error}") from None
    return tuple(
        remote.url(path) if remote.is_remote(path) else str(Path(path).expanduser())
        for path in found
    )


def gathered(root: Root, places: Sequence[str]) -> str | None:
    """The one path of this machine at which all that lies at `places` is; None for none.

    Several become one folder of links, in which the files of folders that are called alike lie
    together, each named after its span as well.

    Args:
        root: where links are put; where machines differ, in the scratch folder.
        places: paths and URLs.

    Raises:
        UsageError: one cannot be read.
        RemoteError: its object store cannot be reached.
    """
    found = [given.data(place) or place for place in places]
    if len(found) < 2:
        return found[0] if found else None
    differ = root.is_remote or any(remote.is_remote(place) for place in places)
    folder = (remote.scratch().absolute() if differ else pathlib.Path(root.path)) / "spans"
    named = hashlib.sha256("\n".join(places).encode()).hexdigest()[:16]
    return str(_linked(folder / named, [Path(path) for path in found]))


def origin(path: str) -> str:
    """What all machines call `path`, which `gathered` gave on this one."""
    with contextlib.suppress(ValueError, RemoteError):
        return str(pathlib.Path(path).relative_to(remote.scratch().absolute()).relative_to("spans"))
    return remote.origin(path)


def _linked(folder: pathlib.Path, found: list[Path]) -> pathlib.Path:
    """A folder of links to all the files that `found` has now."""
    links = {
        _link(folder, number, pathlib.Path(path).resolve(), name)
        for number, path in enumerate(found)
        for name in (walk(path) if path.is_dir() else [""])
    }
    for link in folder.rglob("*"):
        if link.is_symlink() and link not in links:  # to a file that has gone since
            link.unlink()
    return folder


def _link(folder: pathlib.Path, number: int, path: pathlib.Path, name: str) -> pathlib.Path:
    """A link to the file `name` below `path`, or to `path` itself if that is the file."""
    target = path / name if name else path
    link = folder / pathlib.Path(name).parent / f"{number:05d}-{target.name}"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(target)
    return link
