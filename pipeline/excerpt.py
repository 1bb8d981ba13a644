"""A small part of a person's data, laid out as all of it are: the same folders, fewer files.

Of a text file, such as a CSV, it is the first lines. What is binary and large (an archive, a
Parquet file) has no such part.
"""

import itertools
import pathlib
import shutil

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.files import walk

MANY, LARGE = 10_000, 64 << 20  # files and bytes from which reading them all in takes long
_FILES = 512  # in all, and of one folder at most:
_OF_A_FOLDER = 16
_HEAD = 256 << 10  # bytes of a text file
_WHOLE = 4 << 20  # bytes of a file that is taken as it is


def is_long(source: pathlib.Path) -> bool:
    """Whether there is so much at `source`, a file or a folder, that reading it takes long.

    What cannot be looked at is not: the step that reads it says why.
    """
    try:
        files = _files(source)
        return len(files) >= MANY or sum((source / name).stat().st_size for name in files) >= LARGE
    except (DataError, FileNotFoundError):
        return False


def take(source: pathlib.Path, target: pathlib.Path) -> bool:
    """Copy a small part of `source` to `target`, which is not there; whether there is one.

    Raises:
        DataError: a folder cannot be read.
    """
    folders: dict[pathlib.PurePath, list[str]] = {}
    for name in _files(source):
        folders.setdefault(pathlib.PurePath(name).parent, []).append(name)
    each = min(_OF_A_FOLDER, max(_FILES // max(len(folders), 1), 1))
    few = [name for names in itertools.islice(folders.values(), _FILES) for name in names[:each]]
    return sum([_copied(source / name, target / name) for name in few]) > 0


def _files(source: pathlib.Path) -> list[str]:
    """The files that an ingest sees, by their paths below `source`; of a file itself, empty."""
    if source.is_file():
        return [""]
    found = walk.walk(Path(source)).items()
    return [name for name, problem in found if not problem and not walk.is_hidden(name)]


def _copied(file: pathlib.Path, target: pathlib.Path) -> bool:
    """Copy `file`, or its first lines; whether that could be done."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
        is_all = not stream.read(1)
    if is_all or b"\0" not in head:
        target.write_bytes(head if is_all else head[: head.rfind(b"\n") + 1])
        return is_all or b"\n" in head
    if file.stat().st_size > _WHOLE:
        return False
    shutil.copyfile(file, target)
    return True
