"""A worker that sees no disk but its own: what it does with a shard of a pass, see `exchange`.

It keeps what it fetched as long as it gets passes of the same run, for the next shard or pass:

    <scratch>/workers/<random>/lock              held while this process lives
    <scratch>/workers/<random>/<run>/<folder>/   copies of what the work reads
    <scratch>/workers/<random>/<run>/out/<try>/  what it writes for a shard, until that is uploaded
"""

import atexit
import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import pathlib
import pickle
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from millrace.components.beam import notes
from millrace.components.beam.places import Named, Places
from millrace.components.user_code import packed
from millrace.serving import remote
from millrace.serving.errors import RemoteError

OUT = "out"  # the key of the folder that a pass writes to
PASS = "pass"  # noqa: S105 - the name of a file
_IDLE = 900.0  # seconds after which copies for another run are removed


class Needed(NamedTuple):
    """A file that the work reads: what it is called in pickles, where it is fetched from."""

    named: Named
    url: str
    file: remote.RemoteFile


@dataclasses.dataclass(frozen=True)
class Given:
    """What every shard of a pass needs.

    Attributes:
        keys: of the folders whose files are read.
        folders: below the one that is written to, which are there before.
        needs: files that the work reads, whatever the shard.
    """

    keys: tuple[str, ...]
    folders: tuple[str, ...]
    needs: tuple[Needed, ...]


def work_on(url: str, index: int) -> None:
    """Do the work of the pass at `url` on a shard; what it writes and returns goes there.

    Raises:
        RemoteError: what it reads cannot be fetched, or what it wrote not be uploaded.
    """
    try:
        _work_on(url, index)
    except RemoteError as error:
        raise RemoteError(f"On worker {socket.gethostname()}: {error}") from error


def _work_on(url: str, index: int) -> None:
    with _copies.used(url) as folder:
        with _preparing:
            given, pickled = _given(url)
        needs, shard = notes.unpickled(_read(url, f"shard-{index:09d}"))
        name = uuid.uuid4().hex
        out = folder / OUT / name
        places = Places({OUT: str(out)} | {key: str(folder / key) for key in given.keys})
        try:
            for below in ("", *given.folders):
                (out / below).mkdir(parents=True)
            fetched = _fetched(places, [*given.needs, *needs])
            work = places.loads(pickled)
            kind, found = notes.outcome(work, places.loads(shard))
            _upload(out, f"{url}/out/{name}", fetched)
            content = pickle.dumps((name, places.dumps(found)))
            remote.write(f"{url}/notes/{kind}-{index:09d}", content)
        finally:
            shutil.rmtree(out)


def _read(url: str, name: str) -> bytes:
    return remote.read(f"{url}/given/{name}")


@functools.lru_cache(1)
def _given(url: str) -> tuple[Given, bytes]:
    """What a pass needs, and its work; a person's own modules can be imported then."""
    packed.unpack(_read(url, notes.CODE))
    return notes.unpickled(_read(url, PASS)), _read(url, notes.WORK)


def _fetched(places: Places, needs: Iterable[Needed]) -> set[pathlib.Path]:
    """Fetch what the work reads; the files."""
    wanted = {places.folder(need.named.key) / need.named.below: need for need in needs}
    remote.fetch_each(remote.Copy(each.url, each.file, here) for here, each in wanted.items())
    return set(wanted)


def _upload(out: pathlib.Path, url: str, fetched: set[pathlib.Path]) -> None:
    written = sorted(file for file in out.rglob("*") if file.is_file() and file not in fetched)
    remote.upload_each([(file, f"{url}/{file.relative_to(out).as_posix()}") for file in written])


class _Copies:
    """Folders of this process, one for each run that it has worked for lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: pathlib.Path | None = None
        self._held: IO[str] | None = None
        self._users: dict[pathlib.Path, int] = {}
        self._last: dict[pathlib.Path, float] = {}

    @contextlib.contextmanager
    def used(self, url: str) -> Iterator[pathlib.Path]:
        """The folder for passes like the one at `url`, which stays while the block lasts."""
        run = url.rsplit("/", 2)[0]  # /<step>/<pass>
        with self._lock:
            folder = self._own() / hashlib.sha256(run.encode()).hexdigest()[:16]
            self._users[folder] = self._users.get(folder, 0) + 1
            self._remove_idle()
        try:
            yield folder
        finally:
            with self._lock:
                self._users[folder] -= 1
                self._last[folder] = time.monotonic()

    def close(self) -> None:
        """Remove everything; for the process's end."""
        if self._folder is not None and self._held is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._held.close()
            self._folder = None
            atexit.unregister(self.close)

    def _own(self) -> pathlib.Path:
        """The folder of this process; those of processes that were killed are removed."""
        if self._folder is None or not self._folder.exists():
            above = remote.scratch().absolute() / "workers"
            with remote.writing_copies():
                _remove_dead(above)
                self._folder, self._held = _made(above)
            atexit.register(self.close)
        return self._folder

    def _remove_idle(self) -> None:
        for folder, last in list(self._last.items()):
            if not self._users[folder] and time.monotonic() - last > _IDLE:
                shutil.rmtree(folder, ignore_errors=True)
                del self._users[folder], self._last[folder]


def _made(above: pathlib.Path) -> tuple[pathlib.Path, IO[str]]:
    """A new folder, and the lock that says that its process lives."""
    while True:
        folder = above / uuid.uuid4().hex
        folder.mkdir(parents=True)
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # else another process was faster than the lock, and took it for dead
            return folder, lock
        lock.close()


def _remove_dead(above: pathlib.Path) -> None:
    for lock in above.glob("*/lock"):
        with contextlib.suppress(OSError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


_copies = _Copies()
_preparing = threading.Lock()  # an engine's worker may have several threads
