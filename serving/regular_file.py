"""What a file must be before it is opened: a FIFO or a device would be waited for without end.

Object stores have no such files, and are asked nothing here.
"""

import os
import pathlib
import stat

from etils.epath import Path

TEXT_BYTES = 64 << 20  # far more than any text that a flag names
PROTO_BYTES = (2 << 30) - 1  # protobuf counts no further
_GRAPH = "saved_model.pb"
_FOLDERS = ("", "variables", "assets", "assets.extra")  # of a version, that are read
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a directory",
}


class NotRegularError(OSError):
    """A path leads to something that cannot be read as a file; the text says to what."""


def check(path: Path | str, most: int | None = None) -> None:
    """Refuse what is no regular file, or has more than `most` bytes; links are followed.

    Raises:
        NotRegularError: it is not as it must be.
        OSError: there is nothing there.
    """
    if "://" in os.fspath(path):
        return
    found = pathlib.Path(path).stat()
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise NotRegularError(f"{path} is {_KINDS.get(kind, 'something else')}, no regular file")
    if most is not None and found.st_size > most:
        raise NotRegularError(f"{path} has {found.st_size:,} bytes, more than {most:,}")


def check_version(folder: Path | str) -> None:
    """Refuse a version's folder with a file in it that cannot be read as one.

    What is missing is for the reader to say.

    Raises:
        NotRegularError: there is such a file, or the graph is none by its size or first byte.
    """
    if "://" in os.fspath(folder):
        return
    places = [pathlib.Path(folder, name) for name in _FOLDERS]
    for file in (file for place in places if place.is_dir() for file in place.iterdir()):
        if file.exists() and not file.is_dir():  # a dangling link leads to nothing
            check(file)
    graph = places[0] / _GRAPH
    if graph.exists():
        check(graph, PROTO_BYTES)
        with graph.open("rb") as content:
            if content.read(1) == b"\0":  # no protobuf begins so, but a file that was never written
                raise NotRegularError(f"{graph} begins with zeros, as a sparse file does")


def read_text(file: Path | str) -> str:
    """The text of a file that a person wrote.

    Raises:
        OSError: it cannot be read, is no regular file, or is far too large.
        UnicodeDecodeError: it is no UTF-8.
    """
    check(file, TEXT_BYTES)
    return Path(file).read_text()
