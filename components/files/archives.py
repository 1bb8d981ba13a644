"""Archives as a source: unpacked into a step's staging, nothing outside it, nothing but files.

A zip or tar may name paths above its folder, links, devices, or hold a thousand times its size in
zeros. Only regular files are written, under checked names, and their bytes are counted as
they come, whatever the headers say.
"""

import bz2
import contextlib
import gzip
import logging
import lzma
import os
import posixpath
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, Self

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
_NESTED = 2  # levels of archives within archives that are unpacked
_SHOWN = 80  # characters of a path in an archive
_ZIP = b"PK"
_PACKED: dict[bytes, Callable[..., contextlib.AbstractContextManager[Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
_ENCRYPTED, _IN_UTF8 = 0x1, 0x800  # flags of a member of a zip
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError),
    *(NotImplementedError, UnicodeDecodeError),  # a zip's names may be said to be UTF-8
)
_log = logging.getLogger(__name__)


class _Member(NamedTuple):
    """A file in an archive; `problem` says why it is not to be written."""

    path: str
    problem: str
    content: IO[bytes] | None


class _Header(tarfile.TarInfo):
    """A header that, broken, is an error: tarfile takes it as the archive's end, in silence."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header.

        Raises:
            tarfile.ReadError: it is broken or cut off.
        """
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf) or not buf:
                raise tarfile.ReadError(f"it is broken or cut off: {error}") from error
            raise


def is_archive(path: str) -> bool:
    """Whether the name says so."""
    return path.lower().endswith(_SUFFIXES)


@contextlib.contextmanager
def unpacked(source: Path, out: Path, is_note: Callable[[str], bool] = is_other) -> Iterator[Path]:
    """`source`; or for an archive, or a folder of archives and notes, one with their files.

    That lies in `out`, where workers can read it, and is gone in the end. Archives in an archive
    are unpacked where it holds nothing else.

    Raises:
        DataError: an archive is broken, needs a password, holds what is no plain file or would
            lie outside, or is far larger than it looks; what is raised within names `source`.
    """
    archives = _archives(source, is_note)
    if not archives:
        yield source
        return
    folder = out / _FOLDER
    try:
        for archive in archives:
            within = folder / _stem(archive) if len(archives) > 1 else folder
            _unpack_all(archive, within, is_note)
        yield folder
    except DataError as error:
        raise DataError(str(error).replace(str(folder), str(source))) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack_all(archive: Path, folder: Path, is_note: Callable[[str], bool]) -> None:
    """Unpack `archive` below `folder`, and those in it, within the size that it may have alone."""
    left = unpack(archive, folder)
    for _ in range(_NESTED):
        place = folder
        while len(entries := _entries(place)) == 1 and entries[0].is_dir():
            place = entries[0]
        for inner in _archives(place, is_note):
            left = unpack(inner, place / _stem(inner), left)
            inner.unlink()


def _stem(archive: Path) -> str:
    return archive.name[: archive.name.lower().rindex(_suffix(archive.name))]


def _suffix(name: str) -> str:
    return next(suffix for suffix in _SUFFIXES if name.lower().endswith(suffix))


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
    entries = _entries(source) if source.is_dir() else []
    archives = sorted(entry for entry in entries if is_archive(entry.name) and entry.is_file())
    others = [entry for entry in entries if entry not in archives]
    is_all = all(entry.is_file() and is_note(entry.name) for entry in others)
    return archives if is_all else []


def _entries(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if not is_hidden(entry.name)]


def unpack(archive: Path, folder: Path, left: int | None = None) -> int:
    """Write the files in `archive` below `folder`; how many bytes more there may be.

    Args:
        archive: a zip or tar, whatever it is called.
        folder: made if it is not there.
        left: bytes that it may hold; if not given, by its size.

    Raises:
        DataError: as `unpacked`.
    """
    size = archive.stat().length
    limit = left = max(_UNPACKED, _TIMES * size) if left is None else left
    folder.mkdir(parents=True, exist_ok=True)
    for number, member in enumerate(_members(archive)):
        if member.problem or number >= _FILES:
            found = member.problem or f"more than {_FILES:,} files"
            raise DataError(
                f"{archive}: expected an archive of plain files. Received: {found}. If it is "
                "meant, unpack it by hand."
            )
        if member.content is None:
            continue
        try:
            target = folder / member.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_file():
                _log.warning("%s holds %s twice: the last is taken", archive, member.path)
            with target.open("wb") as file:
                while chunk := member.content.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise _too_large(archive, limit, size)
                    file.write(chunk)
        except (*_BROKEN, OSError) as error:
            raise _broken(archive, member.path, error) from error
    return left


def _too_large(archive: Path, limit: int, size: int) -> DataError:
    return DataError(
        f"{archive}: expected at most {limit:,} bytes in an archive of {size:,}. Received: more. "
        "If they are meant, unpack it by hand."
    )


def _broken(archive: Path, member: str, error: Exception) -> DataError:
    what = getattr(error, "strerror", None) or error  # without the path again
    return DataError(
        f"{archive}: expected an archive that can be unpacked. Received: "
        f"{_shown(member)}{': ' if member else ''}{what}. Get it again, or unpack it by hand."
    )


def _shown(path: str) -> str:
    return path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…"


def _members(archive: Path) -> Iterator[_Member]:
    try:
        with archive.open("rb") as file:
            start = file.read(2)
            file.seek(0)
            if start == _ZIP or (not start and archive.name.lower().endswith(".zip")):
                yield from _of_zip(file)
            else:
                with _PACKED.get(start, contextlib.nullcontext)(file) as content:
                    yield from _of_tar(content)
                    while content.read(_CHUNK):  # to its end, where its checksum is
                        pass
    except (*_BROKEN, OSError) as error:
        raise _broken(archive, "", error) from error


def _of_zip(file: IO[bytes]) -> Iterator[_Member]:
    with zipfile.ZipFile(file) as opened:
        for info in opened.infolist():
            is_utf8 = info.flag_bits & _IN_UTF8
            name = info.filename if is_utf8 else _text(info.filename.encode("cp437"), "cp437")
            path = name.replace("\\", "/")  # as some programs on Windows write
            kind = info.external_attr >> 28
            odd = f"{_shown(path)!r}, a link" if kind == 0o12 else _odd_path(path)
            if info.flag_bits & _ENCRYPTED:
                odd = f"{_shown(path)!r}, which needs a password"
            if not path:
                odd = "a file without a name"
            if path.endswith("/") or odd:
                yield _Member(path, odd, None)
            else:
                with opened.open(info) as content:
                    yield _Member(posixpath.normpath(path), "", content)


def _of_tar(file: IO[bytes]) -> Iterator[_Member]:
    with tarfile.open(fileobj=file, mode="r|", tarinfo=_Header) as opened:
        for info in opened:
            path = _text(os.fsencode(info.name), "latin-1")
            odd = _odd_path(path)
            if not (info.isfile() or info.isdir()):
                odd = f"{_shown(path)!r}, a link or a device"
            content = opened.extractfile(info) if info.isfile() else None
            yield _Member(posixpath.normpath(path), odd, content)


def _text(name: bytes, otherwise: str) -> str:
    """`name` in UTF-8, or else in the encoding `otherwise`."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode(otherwise)


def _odd_path(path: str) -> str:
    is_outside = path.startswith("/") or ".." in path.split("/") or path[1:2] == ":"
    return f"{_shown(path)!r}, which lies outside" if is_outside or "\0" in path else ""
