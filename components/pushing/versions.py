"""The version folders of one served model, as TensorFlow Serving reads them.

`<serving root>/<model>/<version>/` is a SavedModel, visible once and whole, because it
comes by one rename. Model servers look only at folders whose name is a number
(tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc), so what is
not to be served lies beside them in folders that begin with a dot:

    .staging-<host>-<process>-<second>-<random>/   a version being copied
    .removed-<host>-<process>-<second>-<random>/   a version being deleted
    .withdrawn/<version>/                          a version taken back by a rollback
    .labels.json                                   words for versions, see `serving.labels`

Only renames within `<serving root>/<model>/` change what is visible.
"""

import contextlib
import errno
import fcntl
import os
import re
import socket
import time
import uuid
from collections.abc import Collection, Iterator, Mapping

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.components.files import names
from millrace.components.files.folders import copy_tree, sync, sync_tree
from millrace.components.pushing import labels
from millrace.serving import versions

_HIDDEN = re.compile(
    r"\.(?:staging|removed)-(?P<host>.+)-(?P<process>\d+)-(?P<second>\d+)-[0-9a-f]{32}"
)
_OCCUPIED = {errno.EEXIST, errno.ENOTEMPTY}
_LONGEST = 24 * 3600  # seconds that another host's push may take before it counts as dead


class Versions:
    """The versions of model `name` below `root`; nothing is created until one is pushed."""

    def __init__(self, root: str | os.PathLike[str], name: str) -> None:
        """Check the name; any path may be the root.

        Raises:
            OptionError: the name could lead out of the root or hide in it.
        """
        try:
            self.name = names.model(name)
        except ValueError as error:
            raise OptionError(f"model_name: {error}") from None
        self.root = Path(root).expanduser().resolve()
        self.folder = self.root / name

    def all(self) -> dict[int, Path]:
        """The visible versions, oldest first, and their folders; `00000123` is 123 too."""
        return _numbered(self.folder)

    @property
    def withdrawn(self) -> Path:
        """The folder of versions taken back."""
        return self.folder / ".withdrawn"

    def push(self, source: Path) -> tuple[Path, bool]:
        """Make a copy of the folder `source` the newest version.

        Where the newest version holds the same model already (see `pushing.sameness`) it is
        left as it is: a push whose record was lost is not made twice, nor that of an equal run.

        Returns:
            The version's folder, and whether it is new.
        """
        newest = self._newest()
        if newest is not None and _same(newest, source):
            return newest, False
        self.folder.mkdir(parents=True, exist_ok=True)
        staging = self._hidden("staging")
        try:
            copy_tree(source, staging)
            sync_tree(staging)
            with self._alone():
                latest = self._newest()
                if latest is not None and latest != newest and _same(latest, staging):
                    staging.rmtree()  # another push of the same model was faster
                    return latest, False
                folder = self._publish(staging)
            sync(self.folder)
            return folder, True
        except BaseException:
            staging.rmtree(missing_ok=True)
            raise

    def _newest(self) -> Path | None:
        return next(reversed(self.all().values()), None)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other pushes and rollbacks of this machine waiting, by a lock on the folder."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _publish(self, staging: Path) -> Path:
        """Rename `staging` to the first version from now on that is free and the newest."""
        while True:
            known = [*self.all(), *_numbered(self.withdrawn)]
            version = max(int(time.time()), max(known, default=0) + 1)
            taken = {*_taken(self.folder), *_taken(self.withdrawn)}
            while version in taken:  # a file, which no server takes for a version
                version += 1
            if version > versions.LARGEST:
                raise DataError(
                    f"{self.folder}: expected room for a newer version. Received: {max(known)}, "
                    "and servers know none beyond 2^63 - 1. Move that version away."
                )
            try:
                return staging.rename(self.folder / str(version))
            except OSError as error:  # another push took it since
                if not isinstance(error, FileExistsError) and error.errno not in _OCCUPIED:
                    raise

    def withdraw(self) -> tuple[int, int]:
        """Take back the newest version, so that the one before it is served again.

        Returns:
            The version withdrawn and the one that is the newest now.

        Raises:
            DataError: there is no such model, or no version to fall back on.
        """
        self._check_there()
        with self._alone():
            return self._withdraw()

    def relabel(self, assign: Mapping[str, int], remove: Collection[str]) -> dict[str, int]:
        """See `labels.changed`.

        Raises:
            OptionError: a label or version is wrong; nothing was changed.
            DataError: there is no such model.
        """
        self._check_there()
        with self._alone():
            return labels.changed(self.folder, self.all(), assign, remove)

    def _check_there(self) -> None:
        if not self.folder.is_dir():
            raise DataError(
                f"{self.root}: expected a model named {self.name!r}. Received: "
                f"{', '.join(_models(self.root)) or 'no model at all'}. "
                "Correct the name, or push that model first."
            )

    def _withdraw(self) -> tuple[int, int]:
        versions = self.all()
        if len(versions) < 2:
            raise DataError(
                f"{self.folder}: expected two versions or more, to go back from the newest to "
                f"the one before. Received: {', '.join(map(str, versions)) or 'none'}. "
                "Push another version first; to serve none, stop the server."
            )
        self.withdrawn.mkdir(exist_ok=True)
        *_, before, newest = versions
        versions[newest].rename(self.withdrawn / str(newest))
        sync(self.withdrawn, self.folder)
        return newest, before

    def prune(self, keep: int) -> list[int]:
        """Delete all but the newest `keep` versions, visible and withdrawn alike.

        What a label names stays. Each vanishes by a rename before its files go. Returns the
        visible ones deleted.
        """
        labelled = labels.of(self.folder).values()
        doomed = [each for each in list(self.all().items())[:-keep] if each[0] not in labelled]
        withdrawn = list(_numbered(self.withdrawn).items())[:-keep]
        for _, folder in doomed + withdrawn:
            hidden = self._hidden("removed")
            try:
                folder.rename(hidden)
            except FileNotFoundError:  # another push was faster
                continue
            hidden.rmtree()
        return [version for version, _ in doomed]

    def sweep(self) -> list[str]:
        """Delete what pushes left behind that were killed; returns the folders' names."""
        dead = [entry for entry in self.folder.iterdir() if _is_dead(entry)]
        for entry in dead:
            entry.rmtree(missing_ok=True)
        return sorted(entry.name for entry in dead)

    def _hidden(self, kind: str) -> Path:
        """A name of this process's own for a folder that no server looks at."""
        owner = f"{socket.gethostname()}-{os.getpid()}-{int(time.time())}"
        return self.folder / f".{kind}-{owner}-{uuid.uuid4().hex}"


def _numbered(folder: Path) -> dict[int, Path]:
    """The versions in `folder` by the server's own rule, oldest first."""
    return dict(sorted((versions.on_disk(folder) or {}).items()))


def _taken(folder: Path) -> Iterator[int]:
    """The numbers by which anything in `folder` is called, a version or not."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name.isascii() and entry.name.isdigit():
            yield int(entry.name)


def _models(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))


def _same(version: Path, source: Path) -> bool:
    from millrace.components.pushing.sameness import same  # numpy, protobuf

    try:
        return same(version, source)
    except FileNotFoundError:  # another push deleted the version meanwhile
        return False


def _is_dead(entry: Path) -> bool:
    """Whether `entry` was left by a process that is no more, or by another host long ago."""
    match = _HIDDEN.fullmatch(entry.name)
    return match is not None and is_dead(match["host"], int(match["process"]), int(match["second"]))


def is_dead(host: str, process: int, second: int) -> bool:
    """Whether `process` of `host`, at work since `second`, is no more, or must be presumed so."""
    if host != socket.gethostname():
        return time.time() - second > _LONGEST
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is somebody else's
        return False
    return False
