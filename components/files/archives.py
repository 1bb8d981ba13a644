"""Archives as a source: unpacked into a step's staging, nothing outside it, nothing but files.

A zip or tar may name paths above its folder, links, devices, or hold a thousand times its size in
zeros. Only regular files are written, under checked names, and their bytes are counted as
they come, whatever the headers say.
"""

import contextlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.files.picture_names import is_other
from millrace.components.files.walk import is_hidden

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_SUFFIXES = (".zip", *_TARS)
_FOLDER = ".unpacked"
_FILES = 2_000_000
_UNPACKED, _TIMES = 2**28, 100  # bytes: up to these, or this many times the archive's own
_CHUNK = 2**20
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, NotImplementedError)


class _Member(NamedTuple):
    """A file in an archive; `problem` says why it is not to be written."""

    path: str
    problem: str
    content: IO[bytes] | None


def is_archive(path: str) -> bool:
    """Whether the name says so."""
    return path.lower().endswith(_SUFFIXES)


@contextlib.contextmanager
def unpacked(source: Path, out: Path, is_note: Callable[[str], bool] = is_other) -> Iterator[Path]:
    """`source`; or for an archive, or a folder of archives and notes, one with their files.

    That lies in `out`, where workers can read it, and is gone in the end.

    Raises:
        DataError: an archive is broken, needs a password, holds what is no plain file or would
            lie outside, or is far larger than it looks.
    """
    archives = _archives(source, is_note)
    if not archives:
        yield source
        return
    folder = out / _FOLDER
    for archive in archives:
        within = folder / archive.name.split(".")[0] if len(archives) > 1 else folder
        unpack(archive, within)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def first_names(source: Path, count: int = 100) -> list[str]:
    """The names of the first files in an archive, or none if it cannot be read as one."""
    found = list[str]()
    with contextlib.suppress(DataError):
        for member in _members(source):
            found += [member.path] if not is_hidden(member.path) else []
            if len(found) == count:
                break
    return found


def _archives(source: Path, is_note: Callable[[str], bool]) -> list[Path]:
    if source.is_file():
        return [source] if is_archive(source.name) else []
    entries = [e for e in source.iterdir() if not is_hidden(e.name)] if source.is_dir() else []
    archives = sorted(entry for entry in entries if is_archive(entry.name) and entry.is_file())
    others = [entry for entry in entries if entry not in archives]
    is_all = all(entry.is_file() and is_note(entry.name) for entry in others)
    return archives if is_all else []


def unpack(archive: Path, folder: Path) -> None:
    """Write the files in `archive` below `folder`.

    Raises:
        DataError: as `unpacked`.
    """
    size = archive.stat().length
    left = max(_UNPACKED, _TIMES * size)
    for number, member in enumerate(_members(archive)):
        if member.problem or number >= _FILES:
            found = member.problem or f"more than {_FILES:,} files"
            raise DataError(
                f"{archive}: expected an archive of plain files. Received: {found}. If it is "
                "meant, unpack it by hand."
            )
        if member.content is None or is_hidden(member.path):
            continue
        try:
            target = folder / member.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                while chunk := member.content.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise _too_large(archive, size)
                    file.write(chunk)
        except (*_BROKEN, OSError) as error:
            raise _broken(archive, member.path, error) from error


def _too_large(archive: Path, size: int) -> DataError:
    return DataError(
        f"{archive}: expected at most {max(_UNPACKED, _TIMES * size):,} bytes in an archive of "
        f"{size:,}. Received: more. If they are meant, unpack it by hand."
    )


def _broken(archive: Path, member: str, error: Exception) -> DataError:
    return DataError(
        f"{archive}: expected an archive that can be unpacked. Received: {member or 'one'}: "
        f"{error}. Get it again, or unpack it by hand."
    )


def _members(archive: Path) -> Iterator[_Member]:
    find = _of_tar if archive.name.lower().endswith(_TARS) else _of_zip
    try:
        yield from find(archive)
    except (*_BROKEN, OSError, RuntimeError) as error:  # zipfile's for a password
        raise _broken(archive, "", error) from error


def _of_zip(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as file, zipfile.ZipFile(file) as opened:
        for info in opened.infolist():
            path = info.filename.replace("\\", "/")  # as some programs on Windows write
            kind = info.external_attr >> 28
            odd = f"{path!r}, a link" if kind == 0o12 else _odd_path(path)
            if info.is_dir() or odd:
                yield _Member(path, odd, None)
            else:
                with opened.open(info) as content:
                    yield _Member(path, "", content)


def _of_tar(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|*") as opened:
        for info in opened:
            path = info.name.removeprefix("./")
            odd = _odd_path(path)
            if not (info.isfile() or info.isdir()):
                odd = f"{path!r}, a link or a device"
            yield _Member(path, odd, opened.extractfile(info) if info.isfile() else None)


def _odd_path(path: str) -> str:
    is_outside = path.startswith("/") or ".." in path.split("/") or path[1:2] == ":"
    return f"{path!r}, which lies outside" if is_outside or "\0" in path else ""
