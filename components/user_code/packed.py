"""A person's own modules as an archive, for workers that see no folder of theirs.

Packed are the modules that this process has imported and that no distribution accounts for, those
that a work's pickle names as `package.module:function`, what both import, and the files beside them
that they name in a string. On a worker they come first on the path; another archive takes the place
of the one before, so that a worker that lives long does not keep old code.
"""

import contextlib
import hashlib
import io
import os
import pathlib
import re
import shutil
import stat
import sys
import tempfile
import time
import zipfile

from millrace.components.user_code import modules, source_code

_NAMED = re.compile(rb"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_]\w*")
_OLDEST = (1980, 1, 1, 0, 0, 0)  # which an archive can hold: equal code gives equal bytes

_KEPT = 16  # how many unpacked folders of a user stay on a machine, the last used ones
_USED_SECONDS = 3600  # one used within these stays as well: its worker may import more of it

_own: set[str] = set()  # digests of what this process has packed: it has the modules itself
_used: list[pathlib.Path] = []  # the folder that was unpacked last


def pack(pickled: bytes) -> bytes:
    """The archive of a person's own modules that work with this pickle may need.

    Empty where there are none.
    """
    wanted = {name for name, _ in modules.imported()}
    wanted |= {match.decode() for match in _NAMED.findall(pickled)}
    files: dict[str, pathlib.Path] = {}
    for name in sorted(wanted):
        if modules.is_own(name):
            files |= source_code.files_of(name)
    if not files:
        return b""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for place, file in sorted(files.items()):
            written.writestr(zipfile.ZipInfo(place, _OLDEST), file.read_bytes())
    packed = archive.getvalue()
    _own.add(hashlib.sha256(packed).hexdigest())
    return packed


def unpack(packed: bytes) -> None:
    """Let the modules in what `pack` made be imported; not in the process that made it.

    They are unpacked once on each machine, below its folder for temporary files.
    """
    digest = hashlib.sha256(packed).hexdigest()
    if not packed or digest in _own:
        return
    folder = _unpacked(packed, digest)
    os.utime(folder)
    if folder in _used:
        return
    while _used:
        _forget(_used.pop())
    sys.path.insert(0, str(folder))
    _used.append(folder)
    source_code.forget()


def _unpacked(packed: bytes, digest: str) -> pathlib.Path:
    """The folder of what `packed` holds, complete whenever it is there."""
    temporary = pathlib.Path(tempfile.gettempdir())
    folder = temporary / f"millrace-code-{os.getuid()}-{digest[:16]}"
    if _is_own(folder):
        return folder
    made = pathlib.Path(tempfile.mkdtemp(prefix="millrace-code-"))
    with zipfile.ZipFile(io.BytesIO(packed)) as read:
        read.extractall(made)
    try:
        made.rename(folder)
    except OSError:
        if not _is_own(folder):  # somebody else has the name, and could change what is in it
            return made
        shutil.rmtree(made)  # another process was faster
    _remove_old(temporary)
    return folder


def _is_own(folder: pathlib.Path) -> bool:
    """Whether it is a folder, no link to one, and this user's."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _remove_old(temporary: pathlib.Path) -> None:
    """Remove what nobody has used for a while, but for the last few."""
    used = {}
    for folder in temporary.glob("millrace-code-*"):
        with contextlib.suppress(OSError):  # another process was faster
            status = folder.stat()
            if status.st_uid == os.getuid():
                used[folder] = status.st_mtime
    for folder in sorted(used, key=used.__getitem__)[:-_KEPT]:
        if time.time() - used[folder] > _USED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _forget(folder: pathlib.Path) -> None:
    sys.path.remove(str(folder))
    for name, module in list(sys.modules.items()):
        # Of a lazy module the attribute itself would import it.
        file = str(getattr(module, "__dict__", {}).get("__file__"))
        if file.startswith(f"{folder}{os.sep}"):
            del sys.modules[name]
