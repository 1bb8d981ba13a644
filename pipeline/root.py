"""The folders under a root, and the locks that tell a live run from a dead one.

millrace.db                    the store, unless a URL names another
artifacts/<step>/<run>/        outputs, each appearing by one rename
staging/<run>/<step>/          outputs in the making
resume/<step>-<key>/           what a killed step left for its next try
runs/<run>/                    logs, report.html, and the lock of a run at work
serving/<model>/<version>/     what a model server reads
damaged/…                      outputs and versions that were damaged, under the same names
"""

import contextlib
import fcntl
import itertools
import os
import pathlib
import shutil
import time
from collections.abc import Iterator

from etils.epath import Path

RESUME_DAYS = 7  # a checkpoint that nobody came back for


class Root:
    """A root folder, created when first written to."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        expanded = str(path) if "://" in str(path) else pathlib.Path(path).expanduser().resolve()
        self.path = Path(expanded)

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the default store."""
        return f"sqlite:///{self.store_file}"

    @property
    def store_file(self) -> Path:
        """The file of the default store."""
        return self.path / "millrace.db"

    @property
    def serving(self) -> Path:
        """The folder of pushed models, as a model server expects it."""
        return self.path / "serving"

    def artifact(self, step: str, run: str) -> Path:
        return self.path / "artifacts" / step / run

    def staging(self, run: str) -> Path:
        return self.path / "staging" / run

    def run(self, run: str) -> Path:
        return self.path / "runs" / run

    def log(self, run: str, step: str) -> Path:
        return self.run(run) / f"{step}.log"

    def contains(self, place: str | Path) -> bool:
        """Whether `place` lies under this root; a shared store knows of others."""
        return Path(place).is_relative_to(self.path)

    def set_aside(self, place: Path) -> Path | None:
        """Where to move `place`, which is damaged; None where it does not lie under this root."""
        if not self.contains(place):
            return None
        target = self.path / "damaged" / place.relative_to(self.path)
        others = (target.with_name(f"{target.name}-{n}") for n in itertools.count(2))
        return next(each for each in itertools.chain([target], others) if not each.exists())

    def report(self, run: str) -> Path:
        return self.run(run) / "report.html"

    @contextlib.contextmanager
    def running(self, run: str) -> Iterator[None]:
        """Mark `run` as alive for as long as the block lasts, whatever ends the process."""
        self.run(run).mkdir(parents=True, exist_ok=True)
        with _lock(self.run(run) / "lock"):
            yield

    def is_running(self, run: str) -> bool:
        """Whether some process holds the lock of `run`."""
        path = self.run(run) / "lock"
        if not path.exists():
            return False
        with _lock(path) as taken:
            return not taken

    def sweep(self) -> None:
        """Remove what dead runs left in staging, and checkpoints that nobody came back for."""
        for folder in (self.path / "staging").glob("*"):
            if not self.is_running(folder.name):
                folder.rmtree(missing_ok=True)
        oldest = time.time() - RESUME_DAYS * 86400
        for folder in pathlib.Path(self.path).glob("resume/*"):
            # Another run may finish with its folder at any moment.
            with contextlib.suppress(FileNotFoundError):
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder)

    @contextlib.contextmanager
    def resume(self, step: str, key: str, spare: Path) -> Iterator[Path]:
        """A folder that outlives a kill of the step with this key; gone when the block ends well.

        A second run of the same step at the same time gets `spare`, which does not.
        """
        folder = self.path / "resume" / f"{step}-{key[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder.parent / f".{folder.name}.lock") as taken:
            if not taken:
                spare.mkdir(parents=True, exist_ok=True)
                yield spare
                return
            yield folder
            folder.rmtree(missing_ok=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Hold an exclusive lock on the file `path`, if it is free; yields whether it was.

    The kernel lets go of it when the process ends, however it ends. Object stores have no
    locks: there every run counts as alone.
    """
    if "://" in str(path):
        yield True
        return
    with pathlib.Path(path).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
