"""Passes whose workers do not see this machine's disk: all they need goes through an object store.

That is so under a root in an object store, where Beam's workers are of other machines. A pass has a
folder of its own there, gone when it has ended:

    given/shard-000000007   what the work is given, and what files it reads
    given/work, code.zip    the function, and a person's own modules; as of `notes`
    given/pass              what files and folders every shard needs
    in/12                   a file of this machine that no store has
    out/<try>/…             what the work on a shard wrote, at its place below the pass's folder
    notes/note-000000007    what it returned, or the error it raised; written last

Files are named in what is pickled, see `places`. What is a copy of something in a store is fetched
by the workers from there.
"""

import contextlib
import dataclasses
import hashlib
import logging
import os
import pathlib
import pickle
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from etils.epath import Path

from millrace.components.beam import far_worker, notes
from millrace.components.beam.far_worker import OUT, Given, Needed
from millrace.components.beam.places import Named, Places
from millrace.components.user_code import packed
from millrace.serving import remote
from millrace.serving.errors import RemoteError

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Where the passes of a step exchange what they need.

    Attributes:
        url: a folder of the step's own in an object store.
        folders: of this machine, whose files the step reads, beside those of the scratch folder.
    """

    url: str
    folders: tuple[str, ...] = ()


class Reads(NamedTuple):
    """What files a pass reads that are named by where they lie below a folder.

    Attributes:
        root: the folder. Without this a pass that names a folder is given all that lies there.
        names: of the files below it that the work on a shard reads.
    """

    root: Path
    names: Callable[[Any], Iterable[str]]


@contextlib.contextmanager
def opened(exchange: Exchange, out: Path, reads: Reads | None) -> Iterator["FarPass"]:
    """A pass that writes below `out`; what it leaves in the store is gone when the block ends."""
    begun = FarPass(exchange, pathlib.Path(out), reads)
    try:
        yield begun
    finally:
        try:
            remote.remove(begun.url)
        except RemoteError as error:
            logger.warning("what the pass exchanged stays until the next run: %s", error)


class FarPass:
    """One pass, as the process sees it that has it done."""

    def __init__(self, exchange: Exchange, out: pathlib.Path, reads: Reads | None) -> None:
        """See `opened`."""
        self.url = f"{exchange.url}/{uuid.uuid4().hex}"
        self._out, self._reads = out, reads
        self._scratch = remote.scratch().absolute()
        root = [os.fspath(reads.root)] if reads else []
        others = dict.fromkeys([str(self._scratch), *exchange.folders, *root])
        keys = {hashlib.sha256(each.encode()).hexdigest()[:16]: each for each in others}
        self._keys = {folder: key for key, folder in keys.items()}
        self._places = Places({OUT: str(out)} | keys)
        self._uploads: dict[pathlib.Path, str] = {}
        self._below: dict[pathlib.Path, list[pathlib.Path]] = {}

    def give(self, place: Path, shards: Iterable[Any], work: notes.Work) -> int:
        """Put what the workers need into the store, by way of the folder `place`, which is made.

        Returns:
            How many shards there are.

        Raises:
            RemoteError: the store cannot be reached, or does not allow it.
        """
        from apache_beam.internal.cloudpickle import cloudpickle

        place.mkdir(parents=True)
        count = 0
        for count, shard in enumerate(shards, start=1):
            pickled, needs = self._pickled(shard)
            needs += self._named(shard)
            notes.file(place, "shard", count - 1).write_bytes(pickle.dumps((needs, pickled)))
        pickled, needs = self._pickled(work, cloudpickle.Pickler)
        (place / notes.WORK).write_bytes(pickled)
        (place / notes.CODE).write_bytes(packed.pack(pickled))
        given = Given(tuple(self._keys.values()), tuple(self._folders_of_output()), tuple(needs))
        (place / far_worker.PASS).write_bytes(pickle.dumps(given))
        remote.upload_each(list(self._uploads.items()))
        remote.upload(place, f"{self.url}/given")
        place.rmtree()
        return count

    def done(self) -> int:
        """How many shards have been worked on to the end; 0 where the store cannot say."""
        try:
            return len(remote.files(f"{self.url}/notes"))
        except RemoteError:  # it is asked for the progress alone
            return 0

    def bring_back(self, place: Path) -> None:
        """Fetch what the workers wrote to its place here, and their notes to the folder `place`.

        Raises:
            RemoteError: the store cannot be reached, or does not allow it.
        """
        place.mkdir(parents=True)
        here, told = pathlib.Path(place), remote.files(f"{self.url}/notes")
        remote.fetch_each(
            remote.Copy(f"{self.url}/notes/{name}", file, here / name)
            for name, file in told.items()
        )
        tries = set()
        for name in told:
            one, content = notes.load(place / name)
            (here / name).write_bytes(pickle.dumps(self._places.loads(content)))
            tries.add(one)
        written = []
        for name, file in remote.files(f"{self.url}/out").items():
            one, _, below = name.partition("/")
            if one in tries:
                written.append(remote.Copy(f"{self.url}/out/{name}", file, self._out / below))
        remote.fetch_each(written)

    def _pickled(
        self, content: Any, kind: type[pickle.Pickler] = pickle.Pickler
    ) -> tuple[bytes, list[Needed]]:
        """`content`, and what files of this machine it names."""
        named: set[Named] = set()
        pickled = self._places.dumps(content, kind, named.add)
        return pickled, [need for one in sorted(named) for need in self._needed(one)]

    def _named(self, shard: Any) -> list[Needed]:
        """The files that the caller says are read for `shard`."""
        if self._reads is None:
            return []
        key = self._keys[os.fspath(self._reads.root)]
        names = dict.fromkeys(self._reads.names(shard))
        found = (
            self._file(Named(key, name), pathlib.Path(self._reads.root, name)) for name in names
        )
        return [need for need in found if need is not None]

    def _needed(self, named: Named) -> Iterator[Needed]:
        """What lies there; nothing where the work has yet to write it."""
        path = self._places.folder(named.key) / named.below
        is_listed = self._reads is not None and path == pathlib.Path(self._reads.root)
        if path.is_dir() and not is_listed and not self._out.is_relative_to(path):
            for file in self._files_below(path):
                below = str(pathlib.PurePosixPath(named.below, file.relative_to(path).as_posix()))
                if (need := self._file(Named(named.key, below), file)) is not None:
                    yield need
        elif (need := self._file(named, path)) is not None:
            yield need

    def _files_below(self, folder: pathlib.Path) -> list[pathlib.Path]:
        if folder not in self._below:
            self._below[folder] = sorted(file for file in folder.rglob("*") if file.is_file())
        return self._below[folder]

    def _file(self, named: Named, path: pathlib.Path) -> Needed | None:
        """How a worker gets `path`; None where it is no file that can be read."""
        if not path.is_file() or not os.access(path, os.R_OK):
            return None
        status = path.stat()
        source, real = remote.origin(path), path.resolve()
        if (scratch := self._scratch.resolve()) in real.parents:  # links lead there from elsewhere
            source = remote.origin(self._scratch / real.relative_to(scratch))
        if not remote.is_remote(source):
            source = self._uploads.setdefault(path, f"{self.url}/in/{len(self._uploads)}")
        return Needed(named, source, remote.RemoteFile(status.st_size, status.st_mtime_ns))

    def _folders_of_output(self) -> Iterator[str]:
        """The folders that the work finds below its own, by their paths there."""
        for folder in sorted(self._out.rglob("*")):
            if folder.is_dir() and not self._is_read(folder):
                yield folder.relative_to(self._out).as_posix()

    def _is_read(self, folder: pathlib.Path) -> bool:
        is_hidden = folder.relative_to(self._out).parts[0] == notes.FOLDER
        root = pathlib.Path(self._reads.root) if self._reads else None
        return is_hidden or (root not in (None, self._out) and folder.is_relative_to(root or ""))
