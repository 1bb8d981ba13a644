"""Object stores: the one room that lists, fetches, uploads and removes what lies in them.

A place is remote where it is a URL: `s3://bucket/folder`, `gs://…`, `hdfs://…`, and whatever else
fsspec has a file system for. Nothing is read or written in place. `fetch` copies what a place holds
to the scratch folder, and all others work on that; `upload` is the way back. A store has no rename,
but one object appears whole or not at all: so what counts appears with its last object.

    <scratch>/files/<scheme>/<bucket>/<key>   copies; the time of each names what it is a copy of
    <scratch>/fetching/<random>/              copies in the making
    <scratch>/used/<SHA-256 of the URL>       the URL of data, written when it is used
    <scratch>/workers/…                       of a Beam worker that sees no other machine's disk
    <scratch>/roots/…                         where runs under a remote root work, see `Root`
    <scratch>/spans/…                         links to the files of several spans of data

The scratch folder is MILLRACE_SCRATCH, or `millrace` in the user's cache folder. It can be deleted
when nothing runs. fsspec is imported by what goes to a store, nothing else.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import logging
import os
import pathlib
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from etils.epath import Path

from millrace.serving.errors import RemoteError

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/+(?P<rest>.*)", re.DOTALL)
_PAGES = ("http", "https")  # they can be read, but neither listed nor written
_EXTRAS = {"s3": "s3", "s3a": "s3"}  # scheme -> the extra of ours that brings its file system
# Of clients for S3: seconds to wait for a connection, and how often. By itself it would be minutes.
_PATIENCE = {"connect_timeout": 3, "retries": {"max_attempts": 2, "mode": "standard"}}
_CONTENT = ("ETag", "etag", "md5Hash", "content_md5")  # what tells one content from another
_AT_ONCE = 8  # deletions: each is a request of its own
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # no store's errors: of where copies are written
_TIMES = ("LastModified", "updated", "last_modified", "mtime", "created")  # where nothing else does

_log = logging.getLogger(__name__)

AnyPath = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """A file of a store: its size in bytes, and a number for its content, as nanoseconds."""

    size: int
    stamp: int


class Copy(NamedTuple):
    """A file of a store, what it is there, and where its copy lies or is to lie."""

    place: str
    file: RemoteFile
    here: pathlib.Path


def is_remote(place: AnyPath) -> bool:
    """Whether `place` is a URL, or the path made of one."""
    return _URL.fullmatch(os.fspath(place)) is not None


def url(place: AnyPath) -> str:
    """`place` as a URL without a slash at its end; a path of this machine as it is."""
    match = _URL.fullmatch(os.fspath(place))
    return f"{match['scheme'].lower()}://{match['rest'].rstrip('/')}" if match else str(place)


def path(place: AnyPath) -> Path:
    """`place`, a URL or a path of this machine, as a path; see `url` for the way back."""
    try:
        return Path(url(place))
    except KeyError:  # epath's own schemes are few
        return Path(url(place).replace("://", ":/", 1))


def check(place: AnyPath) -> str:
    """The URL `place`, if there is a file system for it here; the store is not asked.

    Raises:
        ValueError: there is none, or part of the path is empty, `.` or `..`; says what to do.
    """
    match = _URL.fullmatch(url(place))
    assert match  # noqa: S101 - callers have asked `is_remote`
    scheme, advice = match["scheme"], ""
    if scheme == "file":
        advice = f"Give /{match['rest'].lstrip('/')} instead"
    elif scheme in _PAGES:
        advice = "Download it first: a web server cannot be listed"
    elif not _is_plain(match["rest"]):
        advice = f"Give {scheme}://BUCKET/FOLDER, no part of it empty, `.` or `..`"
    else:
        try:
            import fsspec

            fsspec.get_filesystem_class(scheme)
        except ImportError as error:
            extra = _EXTRAS.get(scheme)
            fix = f"Run `pip install 'tf-millrace[{extra}]'`" if extra else str(error).rstrip(".")
            advice = f"No file system for {scheme}:// is installed: {fix}"
        except ValueError:
            advice = f"fsspec knows no {scheme}://; give s3://, gs:// or a path of this machine"
    if advice:
        received = os.fspath(place)
        raise ValueError(f"expected a path or an object store. Received: {received!r}. {advice}.")
    return url(place)


def scratch() -> pathlib.Path:
    """The folder for copies.

    Raises:
        RemoteError: it is below the home folder of somebody who has none.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = os.environ.get("MILLRACE_SCRATCH") or f"{cache}/millrace"
    try:
        return pathlib.Path(folder).expanduser()
    except RuntimeError:
        raise RemoteError(
            f"MILLRACE_SCRATCH: expected a folder for copies of what is in object stores. "
            f"Received: {folder}, and no such home folder is known. Give its whole path."
        ) from None


def is_of_scratch(error: OSError) -> bool:
    """Whether `error` comes from a file or folder below the scratch folder."""
    with contextlib.suppress(RemoteError, TypeError):  # TypeError: a descriptor for a name
        place = os.fsdecode(error.filename or "")
        return bool(place) and pathlib.Path(place).is_relative_to(scratch().absolute())
    return False


def scratch_problem(error: OSError) -> str:
    """What keeps the scratch folder from being written to, and the fix, for a person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "Free some there, or name a folder on another disk"
    elif error.errno in (errno.EACCES, errno.EPERM):
        advice = "Grant this user the right to write there, or name another folder"
    else:
        advice = "Name a folder that this user can write to"
    folder = scratch().absolute()
    place = os.fsdecode(error.filename or "")
    where = f" ({place})" if place not in ("", str(folder)) else ""
    return (
        f"MILLRACE_SCRATCH, {folder}: expected a folder for copies of what is in object stores. "
        f"Received: {error.strerror}{where}. {advice} by MILLRACE_SCRATCH."
    )


@contextlib.contextmanager
def writing_copies() -> Iterator[None]:
    """Turn what goes wrong with the scratch folder in the block into an error for a person.

    Raises:
        RemoteError: it cannot be written to.
    """
    try:
        yield
    except RemoteError:
        raise
    except OSError as error:
        raise RemoteError(scratch_problem(error)) from error


def mirror(place: AnyPath, kind: str = "files") -> Path:
    """Where the copy of the remote `place` lies, fetched or not."""
    scheme, rest = url(place).split("://", 1)
    return Path(scratch().absolute() / kind / scheme / rest)


def origin(place: AnyPath) -> str:
    """The URL of what `place` is a copy of; a path that is no copy as it is."""
    with contextlib.suppress(ValueError, RemoteError):
        scheme, *rest = pathlib.Path(place).relative_to(scratch().absolute() / "files").parts
        return f"{scheme}://{'/'.join(rest)}"
    return os.fspath(place)


def told(text: str) -> str:
    """`text` for a person, with URLs for the paths of copies in it."""
    with contextlib.suppress(RemoteError):
        copies = re.escape(f"{scratch().absolute() / 'files'}/")
        return re.sub(rf"{copies}([A-Za-z][A-Za-z0-9+.-]+)/", r"\1://", text)
    return text


def files(place: AnyPath) -> dict[str, RemoteFile]:
    """What lies below the remote `place` now, by its name with `/`, sorted; empty for nothing.

    A single file at `place` has the name "". What consoles write to show empty folders is no file.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    with _readable(place):
        store, base = _open(place)
        store.invalidate_cache()
        try:
            found = store.find(base, detail=True)
        except FileNotFoundError:  # the bucket, or where the store knows folders, the folder
            if not store.exists(base.split("/", 1)[0] or "/"):
                raise
            found = {}
        kept = {
            path.removeprefix(base).lstrip("/"): RemoteFile(int(info["size"]), _stamp(info))
            for path, info in found.items()
            if not path.endswith("/") and info["type"] == "file"
        }
        for name in kept:
            if name and not _is_plain(name):
                raise OSError(errno.EINVAL, f"an object named {name!r}, which no file can be")
    return dict(sorted(kept.items()))


def exists(place: AnyPath) -> bool:
    """Whether anything lies at or below the remote `place`.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    with _readable(place):
        store, path = _open(place)
        store.invalidate_cache()
        return bool(store.exists(path))


def fetch(place: AnyPath, *, most: int | None = None) -> Path:
    """A copy on this machine of what lies at `place`; a path of this machine is its own.

    Files that are here already are not fetched again, and those that went away there go here.

    Args:
        place: a URL or a path.
        most: leave out, for now, what has more bytes.

    Raises:
        FileNotFoundError: nothing lies there.
        RemoteError: the store cannot be reached, or does not allow it; or copies cannot be written.
    """
    if not is_remote(place):
        return Path(place)
    found = files(place)
    if not found:
        raise FileNotFoundError(errno.ENOENT, "nothing there", url(place))
    copy = pathlib.Path(mirror(place))
    with writing_copies():
        _make_room(copy, found)
        wanted = {
            name: file
            for name, file in found.items()
            if (most is None or file.size <= most) and not _is_copy(copy / name, file)
        }
        if wanted:
            _log.info("fetching %d files of %s", len(wanted), url(place))
            base = url(place)
            _get(
                [
                    Copy(f"{base}/{name}" if name else base, file, copy / name)
                    for name, file in wanted.items()
                ]
            )
        os.utime(copy) if copy.is_dir() else None
    return Path(copy)


def fetch_each(wanted: Iterable[Copy]) -> None:
    """Fetch files of which it is known what they are, unless they are here already.

    Raises:
        RemoteError: a store cannot be reached, does not allow it, or has other files by now; or
            copies cannot be written.
    """
    with writing_copies():
        missing = [each for each in wanted if not _is_copy(each.here, each.file)]
        if missing:
            _get(missing)


def note_use(place: AnyPath) -> None:
    """Note that the copy of the remote `place`, data of a person's, is used now; see `forget`.

    Raises:
        RemoteError: copies cannot be written.
    """
    with writing_copies():
        mark = scratch().absolute() / "used" / hashlib.sha256(url(place).encode()).hexdigest()
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(url(place))


def forget(seconds: float) -> None:
    """Remove copies of data that were not used for so long, unless part of them was.

    What cannot be removed is left.
    """
    with contextlib.suppress(RemoteError, OSError):
        marks = list((scratch().absolute() / "used").glob("*"))
        places = {mark: mark.read_text() for mark in marks}
        old = [mark for mark in marks if time.time() - mark.stat().st_mtime > seconds]
        in_use = [f"{place}/" for mark, place in places.items() if mark not in old]
        for mark in old:
            place = f"{places[mark]}/"
            has_root = mirror(place, "roots").exists()  # what runs there are at work on
            if not has_root and not any(
                one.startswith(place) or place.startswith(one) for one in in_use
            ):
                _log.info("%s: its copy is removed", places[mark])
                _remove_copy(places[mark])
                mark.unlink(missing_ok=True)


def _remove_copy(place: AnyPath) -> None:
    copy = pathlib.Path(mirror(place))
    shutil.rmtree(copy, ignore_errors=True) if copy.is_dir() else copy.unlink(missing_ok=True)


def upload(
    folder: Path, place: AnyPath, *, last: Sequence[str] = (), leave: Sequence[str] = ()
) -> None:
    """Copy the files of `folder` to the remote `place`.

    Args:
        folder: of this machine.
        place: where nothing else is, or earlier copies of the same files.
        last: names of files that are copied after all others.
        leave: names of files that are not copied.

    Raises:
        RemoteError: the store cannot be reached or does not allow it, or not all is there then.
    """
    source = pathlib.Path(folder)
    found = [file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()]
    names = sorted(set(found) - set(leave))
    with _readable(place):
        store, base = _open(place)
        ends = [name for name in last if name in names]
        for some in ([name for name in names if name not in ends], ends):
            if some:
                here = [str(source / name) for name in some]
                store.put(here, [f"{base}/{name}" for name in some])
    there = files(place)
    sizes = {name: (source / name).stat().st_size for name in names}
    if {name: file.size for name, file in there.items()} != sizes:
        raise RemoteError(
            f"{url(place)}: expected {len(sizes)} files as they were uploaded. Received: "
            f"{len(there)}, or others. See what else writes or deletes there, then run it again."
        )
    if source == pathlib.Path(mirror(place)):
        for name, file in there.items():
            _mark(source / name, file)


def upload_each(files: Sequence[tuple[pathlib.Path, str]]) -> None:
    """Copy files of this machine to the URLs beside them, all of one bucket.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    if files:
        with _readable(files[0][1]):
            opened = [_open(place) for _, place in files]
            opened[0][0].put([str(file) for file, _ in files], [path for _, path in opened])


def read(place: AnyPath) -> bytes:
    """The content of the remote file `place`.

    Raises:
        RemoteError: it is not there, the store cannot be reached, or does not allow it.
    """
    with _readable(place):
        store, path = _open(place)
        return bytes(store.cat_file(path))


def create(place: AnyPath, content: bytes) -> bool:
    """Write the remote file `place` unless it is there already; whether it was not.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    with _readable(place):
        store, path = _open(place)
        try:
            store.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
    return True


def write(place: AnyPath, content: bytes) -> None:
    """Write the remote file `place`, whole.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    with _readable(place):
        store, path = _open(place)
        store.pipe_file(path, content)


def remove(place: AnyPath, *, first: Sequence[str] = ()) -> None:
    """Delete what lies below the remote `place`, the files named `first` before all others.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    found = files(place)
    with _readable(place):
        store, base = _open(place)
        for name in [name for name in first if name in found]:
            store.rm_file(f"{base}/{name}" if name else base)
        others = [f"{base}/{name}" if name else base for name in found if name not in first]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(store.rm_file, others))
    _remove_copy(place)


def move(place: AnyPath, target: AnyPath, *, last: Sequence[str] = ()) -> None:
    """Move what lies below `place` to `target` in the same store; files named `last` count.

    They come last at `target`, and then go first at `place`.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    names = sorted(files(place), key=lambda name: name in last)
    with _readable(place):
        store, base = _open(place)
        _, there = _open(target)
        for name in names:
            store.cp_file(f"{base}/{name}", f"{there}/{name}")
    remove(place, first=last)


def digest(place: AnyPath) -> str:
    """SHA-256 of the bytes of the remote file `place`, in hexadecimal.

    Raises:
        RemoteError: the store cannot be reached, or does not allow it.
    """
    with _readable(place):
        store, path = _open(place)
        with store.open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _readable(place: AnyPath) -> Iterator[None]:
    """Turn what goes wrong with a store in the block into an error for a person."""
    try:
        yield
    except RemoteError:
        raise
    except Exception as error:  # each store has errors of its own
        if isinstance(error, OSError) and (error.errno in _FULL or is_of_scratch(error)):
            raise RemoteError(scratch_problem(error)) from error
        if isinstance(error, FileNotFoundError):
            advice = "Create the bucket, or correct its name"
        elif isinstance(error, PermissionError):
            advice = "Grant these credentials the right to list, read, write and delete there"
        elif "redential" in str(error):
            advice = "Give credentials, as that store's own tools take them (AWS_PROFILE, …)"
        else:
            advice = "See that the store can be reached from here, and its settings (AWS_…)"
        received = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise RemoteError(
            f"{url(place)}: expected to list, read and write there. Received: {received}. {advice}."
        ) from error


def _open(place: AnyPath) -> tuple[Any, str]:
    """The file system of `place`, and its path there."""
    import fsspec

    scheme, rest = url(place).split("://", 1)
    host = rest.split("/", 1)[0]
    store = _file_system(f"{scheme}://{host}", os.getpid())
    return store, fsspec.core.strip_protocol(f"{scheme}://{rest}").rstrip("/")


@functools.lru_cache(maxsize=16)
def _file_system(host: str, process: int) -> Any:
    """The file system of `host`; a fork makes its own, since connections are not shared."""
    import fsspec

    del process
    scheme = host.partition("://")[0]
    is_set = "config_kwargs" in fsspec.config.conf.get(scheme, {})
    options = {"config_kwargs": _PATIENCE} if scheme in _EXTRAS and not is_set else {}
    return fsspec.core.url_to_fs(host, **options)[0]


def _is_plain(path: str) -> bool:
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def _stamp(info: Mapping[str, Any]) -> int:
    """A number for the content that a store describes so: the same for the same content."""
    told = [str(info[key]) for key in _CONTENT if info.get(key)]
    told = told or [str(info[key]) for key in _TIMES if info.get(key)]
    named = hashlib.sha256("\n".join([str(info["size"]), *told]).encode()).digest()
    return int.from_bytes(named[:7], "big")  # at most two years in nanoseconds


def _is_copy(file: pathlib.Path, original: RemoteFile) -> bool:
    try:
        status = file.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (original.size, original.stamp)


def _mark(file: pathlib.Path, original: RemoteFile) -> None:
    os.utime(file, ns=(original.stamp, original.stamp))


def _make_room(copy: pathlib.Path, found: Mapping[str, RemoteFile]) -> None:
    """Remove what is not in the store any more."""
    is_file = list(found) == [""]
    if copy.is_dir() and is_file:
        shutil.rmtree(copy)
    elif copy.is_file() and not is_file:
        copy.unlink()
    for file in copy.rglob("*"):
        if not file.is_dir() and file.relative_to(copy).as_posix() not in found:
            file.unlink(missing_ok=True)


def _get(wanted: Sequence[Copy]) -> None:
    """Fetch files beside their places, and move each there when it is whole."""
    making = scratch().absolute() / "fetching" / uuid.uuid4().hex
    making.mkdir(parents=True)
    parts = [making / str(number) for number in range(len(wanted))]
    try:
        for some in _by_host(each.place for each in wanted):
            with _readable(wanted[some[0]].place):
                opened = [_open(wanted[number].place) for number in some]
                opened[0][0].get([path for _, path in opened], [str(parts[n]) for n in some])
        for each, part in zip(wanted, parts, strict=True):
            if part.stat().st_size != each.file.size:
                raise RemoteError(
                    f"{each.place}: expected a file that stays as it is while it is fetched. "
                    "Received: another size. Run it again when nothing writes there."
                )
            _mark(part, each.file)
            each.here.parent.mkdir(parents=True, exist_ok=True)
            part.replace(each.here)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _by_host(places: Iterable[str]) -> list[list[int]]:
    """The numbers of `places`, those of one bucket together."""
    found: dict[str, list[int]] = {}
    for number, place in enumerate(places):
        found.setdefault("/".join(place.split("/", 3)[:3]), []).append(number)
    return list(found.values())
