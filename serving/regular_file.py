"""Checks that a path is a regular file before it is opened: reading a pipe or a device might block.

URIs (`gs://bucket/model`) are not checked: what is read of them is a copy, see `remote`, and object
stores have no pipes and no devices.
"""

import pathlib
import stat

from etils.epath import Path

from millrace.serving import remote

TEXT_BYTES = 64 << 20  # far more than any text file that a flag names
PROTO_BYTES = (2 << 30) - 1  # the largest protobuf message
_GRAPH = "saved_model.pb"
_FOLDERS = ("", "variables", "assets", "assets.extra")  # the parts of a version that are read
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class NotRegularError(OSError):
    """A path is not a regular file, or not one that can be read as expected; the text says why."""


def problem(mode: int) -> str:
    """Returns why a path with this `st_mode` cannot be read as a file; empty if it can."""
    kind = stat.S_IFMT(mode)
    return "" if kind == stat.S_IFREG else f"{_KINDS.get(kind, 'something else')}, not a file"


def check(path: Path | str, most: int | None = None) -> None:
    """Check that `path` is a regular file of at most `most` bytes; links are followed.

    Raises:
        NotRegularError: it is not.
        OSError: it does not exist.
    """
    if remote.is_remote(path):
        return
    found = pathlib.Path(path).stat()
    if found_problem := problem(found.st_mode):
        raise NotRegularError(f"{path} is {found_problem}")
    if most is not None and found.st_size > most:
        raise NotRegularError(f"{path} has {found.st_size:,} bytes, more than {most:,}")


def check_version(folder: Path | str) -> None:
    """Check that all files in a version's folder are regular files.

    Missing files are left for the loader to report.

    Raises:
        NotRegularError: a file is not, or the graph's size or first byte is not that of a graph.
    """
    if remote.is_remote(folder):
        return
    places = [pathlib.Path(folder, name) for name in _FOLDERS]
    for file in (file for place in places if place.is_dir() for file in place.iterdir()):
        if file.exists() and not file.is_dir():  # False for a dangling link
            check(file)
    graph = places[0] / _GRAPH
    if graph.exists():
        check(graph, PROTO_BYTES)
        with graph.open("rb") as content:
            if content.read(1) == b"\0":  # no message begins so, but a file never written to does
                raise NotRegularError(f"{graph} begins with zeros, like a sparse file")


def read_text(file: Path | str) -> str:
    """Returns the text of a configuration file.

    Raises:
        OSError: it cannot be read, is not a regular file, or is far too large.
        UnicodeDecodeError: it is not valid UTF-8.
    """
    check(file, TEXT_BYTES)
    return remote.fetch(file).read_text()
