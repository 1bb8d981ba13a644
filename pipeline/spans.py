"""`--data` with a pattern: the newest span of the data, or a range of them as one folder."""

import hashlib
import pathlib

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.shards import span
from millrace.components.files.walk import walk
from millrace.pipeline import given
from millrace.pipeline.errors import UsageError
from millrace.pipeline.root import Root

LATEST = "latest"


def resolve(root: Root, data: str | None, spans: str) -> str | None:
    """The path that `data` stands for.

    Several spans become one folder of links under the root, in which the files of folders that
    are called alike lie together, each named after its span as well.

    Args:
        root: where links are put.
        data: what the user gave; a pattern such as `sales/{YYYY}-{MM}-{DD}.csv`, or a plain path.
        spans: see `millrace.components.example_gen.shards.span.resolve`.

    Raises:
        UsageError: no span fits, spans are requested of a plain path, or that cannot be read.
    """
    data = given.data(data)
    if data is None or not span.is_pattern(data):
        if spans != LATEST:
            raise UsageError(
                f"--spans {spans}: expected a --data with {{SPAN}} or {{YYYY}}, {{MM}} and {{DD}}. "
                f"Received: {data or 'no --data'}. Leave --spans out, or name a pattern."
            )
        return data
    try:
        paths = span.resolve(data, spans)
    except (DataError, OptionError) as error:
        raise UsageError(f"--data {error}") from None
    found = [Path(given.data(path) or "").expanduser() for path in paths]
    return str(found[0]) if len(found) == 1 else str(_linked(root, found))


def _linked(root: Root, found: list[Path]) -> pathlib.Path:
    """A folder of links to all the files that `found` has now, the same for the same paths."""
    named = "\n".join(map(str, found))
    folder = pathlib.Path(root.path) / "spans" / hashlib.sha256(named.encode()).hexdigest()[:16]
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
