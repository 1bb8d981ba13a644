"""A small part of a person's data, laid out as all of it are: the same folders, fewer files.

Of a text file, such as a CSV, it is the first lines. What is binary and large (an archive, a
Parquet file) has no such part.
"""

import itertools
import os
import pathlib
import shutil
from collections.abc import Iterator

from millrace.components.files import walk

MANY, LARGE = 10_000, 64 << 20  # files and bytes from which reading them all in takes long
_FILES = 512  # in all, and of one folder at most:
_OF_A_FOLDER = 16
_HEAD = 256 << 10  # bytes of a text file
_WHOLE = 4 << 20  # bytes of a file that is taken as it is


def is_long(source: pathlib.Path) -> bool:
    """Whether there is so much at `source`, a file or a folder, that reading it takes long."""
    size = 0
    for number, file in enumerate(_files(source), start=1):
        size += file.stat().st_size
        if number >= MANY or size >= LARGE:
            return True
    return False


def take(source: pathlib.Path, target: pathlib.Path) -> bool:
    """Copy a small part of `source` to `target`, which is not there; whether there is one."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        return _copied(source, target)
    folders = [(pathlib.Path(folder), sorted(names)) for folder, _, names in os.walk(source)]
    folders = [(folder, names) for folder, names in folders if names]
    each = min(_OF_A_FOLDER, max(_FILES // max(len(folders), 1), 1))
    count = 0
    for folder, names in sorted(folders)[:_FILES]:
        place = target / folder.relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        seen = (name for name in names if not walk.is_hidden(name))
        copied = (_copied(folder / name, place / name) for name in itertools.islice(seen, each))
        count += sum(copied)
    return count > 0


def _files(source: pathlib.Path) -> Iterator[pathlib.Path]:
    if source.is_file():
        yield source
    for folder, _, names in os.walk(source):
        yield from filter(pathlib.Path.is_file, map(pathlib.Path(folder).joinpath, names))


def _copied(file: pathlib.Path, target: pathlib.Path) -> bool:
    """Copy `file`, or its first lines; whether that could be done."""
    if not file.is_file():
        return False
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
