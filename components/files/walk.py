"""The files below a folder, as every ingest and the digest of a source see them.

One walk for all, so that what decides whether a step runs again is what the step reads. Links are
followed. An entry that is not a readable file (a pipe, a dangling link, a name that is not UTF-8)
is never opened: it comes with the reason, for the ingest to set it aside. Standard library and
`etils` only.
"""

import errno
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.files.printable import one_line
from millrace.serving import regular_file

_LITTER = {"thumbs.db", "desktop.ini", "__macosx"}  # left by file browsers and archivers
_UNFINISHED = ".part"  # of a request log, or a download, that is still being written


def walk(root: Path) -> dict[str, str]:
    r"""The paths below `root` of all that is not a folder, with `/`, sorted.

    Each has the reason why it cannot be read, empty for a file that can. A name that is not UTF-8
    is shown with `\x..` for its odd bytes, and cannot be opened under that. A link to a folder
    that contains it is not followed: what it leads to is there already.

    Raises:
        DataError: `root` is missing or not a folder, a folder cannot be read, or an entry vanishes
            meanwhile.
    """
    if not root.is_dir():
        there, advice = "no such folder", "Check the path."
        if root.exists():
            there, advice = "a file", "Give a folder, or a .zip or .tar of it; unpack any other."
        raise DataError(f"{root}: expected a folder. Received: {there}. {advice}")
    found, odd = dict[str, str](), list[tuple[str, str]]()
    for path, reason in _entries(os.fspath(root)):
        if is_utf8(path):
            found[path] = reason
        else:
            odd.append((one_line(path), reason or "its name is not UTF-8: rename it"))
    for path, reason in odd:
        shown = path
        while shown in found:  # a file whose name has a backslash and such digits
            shown += "?"
        found[shown] = reason
    return dict(sorted(found.items()))


def problem(path: str | os.PathLike[str]) -> str:
    """Why what lies at `path` cannot be read as a file; empty if it can.

    Raises:
        FileNotFoundError: nothing lies there, not even a dangling link.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - of each of maybe 100,000 files
    except FileNotFoundError:
        if not pathlib.Path(path).is_symlink():
            raise
        return "a link to nothing"
    except OSError as error:
        is_loop = error.errno == errno.ELOOP
        return "a link that leads back to itself" if is_loop else _unreadable(error.errno)
    if found := regular_file.problem(mode):
        return found
    return "" if os.access(path, os.R_OK) else _unreadable(errno.EACCES)


def unreadable(root: Path, entries: Mapping[str, str], paths: Sequence[str]) -> dict[str, str]:
    """Those of `paths` that cannot be read, with the reasons that `walk` of `root` gave.

    Raises:
        DataError: that is all of them.
    """
    reasons = {path: reason for path in paths if (reason := entries[path])}
    if reasons and all(path in reasons for path in paths):
        path, reason = next(iter(reasons.items()))
        raise DataError(
            f"{root}: expected a file that can be read. Received: {len(paths)} that cannot, "
            f"such as {one_line(path)}: {reason}. Correct or remove them."
        )
    return reasons


def is_hidden(path: str) -> bool:
    """Whether `path` is, or lies below, a dot-file or what file browsers leave behind, or is
    still being written.
    """
    parts = path.lower().split("/")
    return is_unfinished(path) or any(part[:1] == "." or part in _LITTER for part in parts)


def is_unfinished(path: str) -> bool:
    """Whether the file `path` is, by its name, still being written."""
    return path.endswith(_UNFINISHED)


def is_utf8(text: str) -> bool:
    """Whether `text`, maybe a name from the file system or an argument, is Unicode throughout."""
    try:
        text.encode()
    except UnicodeEncodeError:  # surrogates stand for bytes that are not UTF-8 (PEP 383)
        return False
    return True


def _entries(root: str) -> Iterator[tuple[str, str]]:
    """Each entry below `root` with its problem, in any order, under its own name."""
    around = tuple(map(_identity, pathlib.Path(root).resolve().parents))
    folders = [("", around)]
    while folders:
        prefix, above = folders.pop()
        place = f"{root}/{prefix}"
        try:
            here = _identity(pathlib.Path(place))
            if here in above:
                yield prefix[:-1], "a link to a folder that holds it"
                continue
            with os.scandir(place) as entries:
                names = [(each.name, _is_folder(each)) for each in entries]
            for name, is_folder in names:
                if is_folder:
                    folders.append((f"{prefix}{name}/", (*above, here)))
                else:
                    yield prefix + name, problem(f"{place}{name}")
        except PermissionError as error:
            if not is_hidden(prefix[:-1]):
                raise _moved(place, error) from error
            yield prefix[:-1], f"a folder that {_unreadable(error.errno)}"
        except OSError as error:
            raise _moved(error.filename or place, error) from error


def _identity(folder: pathlib.Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a loop, or to where access is denied
        return False


def _moved(place: str, error: OSError) -> DataError:
    """The error for what cannot be listed: its files could not even be counted."""
    if error.errno == errno.ENOENT:
        return vanished(place)
    return DataError(
        f"{one_line(place)}: expected a folder that can be read. "
        f"Received: {error.strerror}. Correct its permissions or move it away."
    )


def vanished(place: str | os.PathLike[str], what: str = "it is gone") -> DataError:
    """The error for a file that does not stay as it is while it is looked at."""
    return DataError(
        f"{one_line(os.fspath(place))}: expected a file that stays as it is while the data is "
        f"read. Received: {what}. Run it again when nothing writes there."
    )


def _unreadable(number: int | None) -> str:
    return f"cannot be read: {os.strerror(number or errno.EIO)}"
