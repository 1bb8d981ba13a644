"""The version folders of one served model in an object store, which has no renames.

`<serving root>/<model>/<version>/` is a SavedModel, of which `saved_model.pb` is uploaded last and
deleted first: without it no server takes the folder for a version that it can load. A file that
only one can create claims a number, so that pushes at once never write to the same folder:

    .claims/<version>       who uploads this version, until it is there
    .withdrawn/<version>/   a version taken back by a rollback
    .labels.json            words for versions, see `serving.labels`
"""

import json
import os
import socket
import time
from collections.abc import Collection, Mapping

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.components.files import names
from millrace.components.files.folders import copy_tree
from millrace.components.pushing import labels
from millrace.components.pushing import versions as local
from millrace.serving import remote, versions


class RemoteVersions:
    """What `Versions` is for a folder of this machine."""

    def __init__(self, root: str, name: str) -> None:
        """Check the name and that there is a file system for `root`; nothing is asked of it.

        Raises:
            OptionError: the name could lead out of the root or hide in it, or no such URL opens.
        """
        try:
            self.name = names.model(name)
            self.root = remote.path(remote.check(root))
        except ValueError as error:
            raise OptionError(f"pusher: {error}") from None
        self.folder = self.root / name

    @property
    def withdrawn(self) -> Path:
        """The folder of versions taken back."""
        return self.folder / ".withdrawn"

    def all(self) -> dict[int, Path]:
        """The visible versions, oldest first, and their folders."""
        return dict(sorted((versions.on_disk(self.folder) or {}).items()))

    def push(self, source: Path) -> tuple[Path, bool]:
        """Make a copy of the folder `source` the newest version, unless it is that already.

        Returns:
            The version's folder, and whether it is new.
        """
        newest = next(reversed(self.all().values()), None)
        if newest is not None and _same(newest, source):
            return newest, False
        version = self._claimed()
        folder = self.folder / str(version)
        try:
            copy = remote.mirror(folder)  # what is recorded of the version is read from it
            copy.rmtree(missing_ok=True)
            copy_tree(source, copy)
            remote.upload(copy, folder, last=versions.MODEL_FILES)
        except BaseException:
            remote.remove(folder, first=versions.MODEL_FILES)
            raise
        finally:
            remote.remove(self._claim(version))
        return folder, True

    def withdraw(self) -> tuple[int, int]:
        """Take back the newest version, so that the one before it is served again.

        Returns:
            The version withdrawn and the one that is the newest now.

        Raises:
            DataError: there is no such model, or no version to fall back on.
        """
        known = self.all()
        if len(known) < 2:
            raise DataError(
                f"{remote.url(self.folder)}: expected two versions or more, to go back from the "
                f"newest to the one before. Received: {', '.join(map(str, known)) or 'none'}. "
                "Correct the name, or push another version first; to serve none, stop the server."
            )
        *_, before, newest = known
        remote.move(known[newest], self.withdrawn / str(newest), last=versions.MODEL_FILES)
        return newest, before

    def relabel(self, assign: Mapping[str, int], remove: Collection[str]) -> dict[str, int]:
        """See `labels.changed`; of two that do so at once, the last one's labels stay.

        Raises:
            OptionError: a label or version is wrong; nothing was changed.
        """
        return labels.changed(self.folder, self.all(), assign, remove)

    def prune(self, keep: int) -> list[int]:
        """Delete all but the newest `keep` versions, visible and withdrawn alike.

        What a label names stays. Returns the visible ones deleted.
        """
        labelled = labels.of(self.folder).values()
        doomed = [each for each in list(self.all().items())[:-keep] if each[0] not in labelled]
        withdrawn = sorted((versions.on_disk(self.withdrawn) or {}).items())[:-keep]
        for _, folder in doomed + withdrawn:
            remote.remove(folder, first=versions.MODEL_FILES)
        return [version for version, _ in doomed]

    def sweep(self) -> list[str]:
        """Delete what pushes left behind that were killed; returns the versions' names."""
        dead = []
        for name in remote.files(self.folder / ".claims"):
            claim = remote.fetch(self.folder / ".claims" / name)
            if local.is_dead(**json.loads(claim.read_text())):
                if int(name) not in self.all():
                    remote.remove(self.folder / name)
                    dead.append(name)
                remote.remove(self.folder / ".claims" / name)
        return dead

    def _claimed(self) -> int:
        """The first number from now on that is free and the newest; this push's alone."""
        owner = {"host": socket.gethostname(), "process": os.getpid(), "second": int(time.time())}
        least = 0
        while True:
            known = [*self.all(), *(versions.on_disk(self.withdrawn) or {})]
            version = max(int(time.time()), max(known, default=0) + 1, least)
            while not remote.create(self._claim(version), json.dumps(owner).encode()):
                version += 1
            # Another push may have put it there, and given up its claim, since they were listed.
            if not remote.files(self.folder / str(version)):
                return version
            remote.remove(self._claim(version))
            least = version + 1

    def _claim(self, version: int) -> Path:
        return self.folder / ".claims" / str(version)


def _same(version: Path, source: Path) -> bool:
    from millrace.components.pushing.sameness import same  # numpy, protobuf

    try:
        return same(remote.fetch(version), source)
    except FileNotFoundError:  # another push deleted the version meanwhile
        return False
