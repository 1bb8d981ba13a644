"""The folders under a root, and the locks that tell a live run from a dead one.

millrace.db                    the store, unless a URL names another
artifacts/<step>/<run>/        outputs, each appearing by one rename
staging/<run>/<step>/          outputs in the making
resume/<step>-<key>/           what a killed step left for its next try, and beside it
resume/.<step>-<key>.lock      the days on which runs passed it by
runs/<run>/                    logs, report.html, and the locks of a run at work
serving/<model>/<version>/     what a model server reads
syntax.json                    what sources say, by their content
damaged/…                      outputs and versions that were damaged, under the same names
.gc.lock                       held by who looks for outputs to use, and by who removes some

Of a root in an object store, artifacts, serving and damaged are there, each run's logs and page
once it has ended, and what passes exchange with workers of other machines:
exchange/<run>/<step>/<pass>/. The rest is in the scratch folder of the machine that runs, and the
store in PostgreSQL.
"""

import contextlib
import datetime
import itertools
import logging
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from etils.epath import Path

from millrace.components.files import folders
from millrace.pipeline import given, locks
from millrace.serving import remote

COPY_DAYS = 7  # a copy of what is in an object store is removed when it was not used for so long
RESUME_DAYS = 7  # a checkpoint that nobody came back for is removed after runs on this many days

_log = logging.getLogger(__name__)


_AnyPath = TypeVar("_AnyPath", pathlib.Path, Path)


class Root:
    """A root folder, created when first written to.

    Attributes:
        place: it; what the store knows outputs by.
        path: where this machine works; `place` itself, where that is a folder of this machine.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Any folder of this machine or of an object store, there or not.

        Raises:
            UsageError: it is none, or there is no file system for such a store here.
        """
        if remote.is_remote(path):
            self.place = remote.path(given.anywhere(os.fspath(path), "Root"))
            self.path = remote.mirror(self.place, "roots")
        else:
            # By one name, whichever link led here: the store knows outputs by their paths.
            self.path = self.place = Path(os.path.realpath(given.resolved(path, "Root")))

    @property
    def name(self) -> str:
        """Its URL or path, as the store knows it."""
        return remote.url(self.place)

    @property
    def is_remote(self) -> bool:
        """Whether it is in an object store."""
        return remote.is_remote(self.place)

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the default store."""
        return f"sqlite:///{self.store_file}"

    @property
    def store_file(self) -> Path:
        """The file of the default store."""
        return self.path / "millrace.db"

    @property
    def syntax_file(self) -> Path:
        """What the sources that steps reach were found to say, see `user_code.known_syntax`."""
        return self.path / "syntax.json"

    @property
    def serving(self) -> Path:
        """The folder of pushed models, as a model server expects it."""
        return self.place / "serving"

    def artifact(self, step: str, run: str, number: int = 1) -> Path:
        """Where `step` puts its output in `run`, or the output of that number."""
        return self.place / "artifacts" / step / (run if number == 1 else f"{run}~{number}")

    def staging(self, run: str) -> Path:
        return self.path / "staging" / run

    def run(self, run: str) -> Path:
        return self.path / "runs" / run

    def exchange(self, run: str = "", step: str = "") -> Path:
        """Where passes of a `step` of `run` leave what workers of other machines read and write."""
        return self.place / "exchange" / run / step

    def exchanged(self) -> list[tuple[str, str]]:
        """The steps, by their runs, that have left something there."""
        if not self.is_remote:
            return []
        names = [name.split("/") for name in remote.files(self.exchange())]
        return sorted({(run, step) for run, step, *_ in names})

    def log(self, run: str, step: str) -> Path:
        """What `step` prints here."""
        return self.run(run) / f"{step}.log"

    def kept_log(self, run: str, step: str) -> Path:
        """What `step` printed, fetched if it was at work on another machine."""
        here = self.log(run, step)
        return here if self.is_running(run, step) else self._kept(run, here)

    def contains(self, place: str | Path) -> bool:
        """Whether `place` lies under this root; a shared store knows of others."""
        return remote.path(place).is_relative_to(self.place)

    def set_aside(self, place: Path) -> Path | None:
        """Where to move `place`, which is damaged; None where it does not lie under this root."""
        if not self.contains(place):
            return None
        target = self.place / "damaged" / place.relative_to(self.place)
        others = (target.with_name(f"{target.name}-{n}") for n in itertools.count(2))
        every = itertools.chain([target], others)
        return next(each for each in every if not folders.is_there(each))

    def report(self, run: str) -> Path:
        """The page of `run`, as this machine writes it."""
        return self.run(run) / "report.html"

    def kept_report(self, run: str) -> Path:
        """The page of `run`, fetched if it was at work on another machine."""
        return self._kept(run, self.report(run))

    def _kept(self, run: str, file: Path) -> Path:
        """That `file` of `run`, or a copy of what another machine has uploaded."""
        if self.is_remote and not self._is_whole_here(run):
            with contextlib.suppress(FileNotFoundError):
                copy = remote.fetch(self.place / "runs" / run) / file.name
                return copy if copy.exists() else file
        return file

    def _is_whole_here(self, run: str) -> bool:
        """Whether this machine alone is or was at work on `run`; see `Runner`."""
        return (self.run(run) / "command").exists()

    def commit(
        self, staged: Path, step: str, run: str, known: Collection[str] = frozenset()
    ) -> Path:
        """Move the output `staged` to its place, where it is whole or absent whatever happens.

        In an object store it is there file by file; it counts from when the store has recorded it.

        Args:
            staged: the folder of the output.
            step: whose it is.
            run: whose the step is.
            known: see `new_artifact`.

        Raises:
            RemoteError: the object store cannot be reached, or does not allow it.
        """
        final = self.new_artifact(step, run, known)
        here = remote.mirror(final) if self.is_remote else final
        folders.sync_tree(staged)
        here.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(here)
        folders.sync(here.parent, here.parent.parent)
        if self.is_remote:
            remote.upload(here, final)
        return final

    def discard(
        self, step: str, run: str, tries: int = 1, known: Collection[str] = frozenset()
    ) -> None:
        """Delete what dead tries of `step` in `run` had uploaded, but for the URIs `known`."""
        if self.is_remote:
            places = [self.artifact(step, run, number + 1) for number in range(tries)]
            for place in places:
                if remote.url(place) not in known:
                    remote.remove(place)

    def keep_run(self, run: str) -> None:
        """Upload what there is to read about `run`, where the root is in an object store.

        Raises:
            RemoteError: the object store cannot be reached, or does not allow it.
        """
        if self.is_remote:
            remote.upload(self.run(run), self.place / "runs" / run, leave=["lock"])

    def keep_step(self, run: str, step: str) -> None:
        """Upload what there is to read about `step` of `run`, on which others may be at work.

        Raises:
            RemoteError: the object store cannot be reached, or does not allow it.
        """
        for file in (self.log(run, step), self.report(run)) if self.is_remote else ():
            if file.exists():
                remote.write(self.place / "runs" / run / file.name, file.read_bytes())

    def new_artifact(self, step: str, run: str, known: Collection[str] = frozenset()) -> Path:
        """Where `step` puts its output; another name where an earlier try in this run left one.

        Of the URIs `known`, which are recorded, none is used again, be the output gone from there:
        a record stands for one content.
        """
        every = (self.artifact(step, run, number) for number in itertools.count(1))
        unknown = (each for each in every if remote.url(each) not in known)
        return next(each for each in unknown if not folders.is_there(each))

    @contextlib.contextmanager
    def running(self, run: str, *, shared: bool = False) -> Iterator[None]:
        """Mark `run` as alive for as long as the block lasts, whatever ends the process.

        Where it is `shared`, other processes may be at work on other steps of it meanwhile.
        """
        self.run(run).mkdir(parents=True, exist_ok=True)
        with locks.lock(lock := self.lock_of_run(run), wait=True, shared=shared):
            locks.sign(lock, shared=shared)
            yield

    @contextlib.contextmanager
    def at_work(self, run: str, step: str) -> Iterator[Path]:
        """Keep others of this machine from `step`; the file that is locked.

        One that is at work on it is waited for.
        """
        with locks.lock(lock := self.lock_of_run(run, step), wait=True):
            yield lock

    def is_running(self, run: str, step: str = "") -> bool:
        """Whether some process of this machine is at work on `run`, or on that `step` of it."""
        with self._resting(self.lock_of_run(run, step)) as is_resting:
            return not is_resting

    @contextlib.contextmanager
    def alone(self, run: str) -> Iterator[Path]:
        """Let one process of this machine look at a time; the file that is locked."""
        with locks.lock(lock := self._lock_of_progress(run), wait=True):
            yield lock

    def last_holder(self, run: str, step: str) -> str:
        """What whoever had the lock on `step` last wrote in it; of the progress, if it is empty."""
        lock = self.lock_of_run(run, step) if step else self._lock_of_progress(run)
        try:
            return lock.read_text()
        except FileNotFoundError:
            return ""

    def _lock_of_progress(self, run: str) -> Path:
        return self.run(run) / ".progress.lock"

    def lock_of_run(self, run: str, step: str = "") -> Path:
        """What whoever is at work on `run` has locked and signed; or has locked, of that `step`."""
        return self.run(run) / (f"{step}.lock" if step else "lock")

    @contextlib.contextmanager
    def _resting(self, lock: Path) -> Iterator[bool]:
        """Keep whoever wants `lock` waiting while the block lasts; yields False if it is held."""
        if not lock.exists():
            yield True
            return
        with locks.lock(lock) as taken:
            yield taken

    def sweep(self) -> None:
        """Remove what dead runs left in staging, checkpoints that nobody came back for, old copies.

        What cannot be removed, such as another user's, is warned of and left.
        """
        for folder in _folders(self.path / "staging"):
            self.clear_staging(folder.name)
        remote.forget(COPY_DAYS * 24 * 3600)
        if self.is_remote:
            self._forget_copies()
        resume = pathlib.Path(self.path) / "resume"
        locks = {lock.name[1:].removesuffix(".lock") for lock in resume.glob(".*.lock")}
        for name in sorted(locks | {folder.name for folder in _folders(resume)}):
            try:
                _pass_by(resume / name)
            except OSError as error:
                _log.warning("%s: left as it is: %s.", error.filename, error.strerror)

    def dead_staging(self) -> Iterator[pathlib.Path]:
        """The folders in staging on whose runs no process of this machine is at work."""
        for folder in _folders(self.path / "staging"):
            if not self.is_running(folder.name):
                yield folder

    def clear_staging(self, run: str) -> bool:
        """Remove what `run` left in staging, unless it is at work; whether that is gone."""
        with self._resting(self.lock_of_run(run)) as is_resting:
            return is_resting and _remove(pathlib.Path(self.staging(run)))

    def checkpoints(self) -> list[pathlib.Path]:
        """What killed steps have left for their next try, taken up at this moment or not."""
        return _folders(self.path / "resume")

    def clear_checkpoint(self, name: str, is_old: Callable[[pathlib.Path], bool]) -> bool:
        """Remove the checkpoint of that `name`, unless a step has taken it up; whether it is gone.

        Args:
            name: of its folder.
            is_old: whether it still is to be removed, asked while nobody can take it up.
        """
        checkpoint = pathlib.Path(self.path) / "resume" / name
        with locks.lock(lock := _lock_of(checkpoint)) as taken:
            is_gone = taken and is_old(checkpoint) and _remove(checkpoint)
            if is_gone:
                lock.unlink()
            return is_gone

    @contextlib.contextmanager
    def looked_through(self, *, shared: bool) -> Iterator[None]:
        """Let several at once look for what they can use, or one at a time remove something."""
        self.path.mkdir(parents=True, exist_ok=True)
        with locks.lock(self.path / ".gc.lock", wait=True, shared=shared):
            yield

    def _forget_copies(self) -> None:
        """Remove copies of outputs that were not used for long, unless others may use them now."""
        at_work = [folder.name for folder in _folders(self.path / "runs")]
        if sum(self.is_running(run) for run in at_work) > 1:  # this one is among them
            return
        for step in _folders(remote.mirror(self.place) / "artifacts"):
            for copy in _folders(Path(step)):
                if time.time() - copy.stat().st_mtime > COPY_DAYS * 24 * 3600:
                    _remove(copy)

    def resumed(self, step: str, key: str) -> Path:
        """The folder of `resume`, there or not."""
        return self.path / "resume" / f"{step}-{key[:16]}"

    @contextlib.contextmanager
    def resume(self, step: str, key: str, spare: Path) -> Iterator[Path]:
        """A folder that outlives a kill of the step with this key; gone when the block ends well.

        A second run of the same step at the same time gets `spare`, which does not.
        """
        folder = self.resumed(step, key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock_of(folder)
        with locks.lock(lock) as taken:
            if not taken:
                spare.mkdir(parents=True, exist_ok=True)
                yield spare
                return
            folder.mkdir(exist_ok=True)
            lock.write_text("")  # whoever passed it by before, somebody has come back
            yield folder
            folder.rmtree(missing_ok=True)
            lock.unlink(missing_ok=True)


def _pass_by(checkpoint: pathlib.Path) -> None:
    """Note that a run saw `checkpoint` today; remove one that runs of enough days have seen.

    Days seen are counted, not the time since: a clock that jumps ahead by years adds one day, and
    a root that rests for a month keeps what it had.
    """
    lock = _lock_of(checkpoint)
    with locks.lock(lock) as taken:
        if not taken:
            return
        today = datetime.datetime.now(datetime.UTC).date()
        days = {*lock.read_text(errors="replace").split(), today.isoformat()}
        if checkpoint.exists() and len(days) <= RESUME_DAYS:
            lock.write_text("\n".join(sorted(days)))
        elif _remove(checkpoint):
            lock.unlink()


def _lock_of(checkpoint: _AnyPath) -> _AnyPath:
    return checkpoint.parent / f".{checkpoint.name}.lock"


def _folders(place: Path) -> list[pathlib.Path]:
    """The folders in `place`; files and links there are nobody's leftovers."""
    entries = sorted(pathlib.Path(place).glob("*"))
    return [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]


def _remove(folder: pathlib.Path) -> bool:
    """Delete `folder`, if it is there and allows it; whether it is gone."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:  # another run was faster
        return True
    except OSError as error:
        _log.warning("%s: cannot be removed: %s. Remove it by hand.", folder, error.strerror)
        return False
    return True
