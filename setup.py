"""What pyproject.toml cannot say: a source distribution that is the same, byte for byte, each time.

setuptools writes the times and owners of the files that it packs. As in its wheels, the time is
that of SOURCE_DATE_EPOCH instead (https://reproducible-builds.org/specs/source-date-epoch/), in
seconds since 1970; the first that a zip file can tell, 1980, where it is not set.

And nothing is built where the links in `millrace/` are lost: the wheel would be empty.
"""

import gzip
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.sdist import sdist

_FIRST_OF_1980 = "315532800"


class ReproducibleSdist(sdist):
    """Packs files in the order of their names, without a trace of who built it, and when."""

    def make_archive(
        self,
        base_name: str,
        format: str,  # noqa: A002 - setuptools' name
        *arguments: Any,
        **options: Any,
    ) -> str:
        """Write `<base_name>.tar.gz` from the folder of that name; others as setuptools does.

        Returns the path of the archive.
        """
        if format != "gztar":
            return super().make_archive(base_name, format, *arguments, **options)
        folder, path = Path(options.get("base_dir") or base_name), f"{base_name}.tar.gz"
        time = int(os.environ.get("SOURCE_DATE_EPOCH", _FIRST_OF_1980))

        def without_trace(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = time, 0, 0, "", ""
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            return entry

        with (
            open(path, "wb") as raw,  # noqa: PTH123
            gzip.GzipFile("", "wb", fileobj=raw, mtime=time) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for file in [folder, *sorted(folder.rglob("*"))]:
                archive.add(file, file.as_posix(), recursive=False, filter=without_trace)
        return path


for folder in ("pipeline", "components", "serving"):
    if not Path("millrace", folder).is_dir():
        sys.exit(
            f"millrace/{folder}: expected a link to ../{folder}. Received: something else, as git "
            "and some unpackers leave where they make no symbolic links. "
            f"Run `ln -sfn ../{folder} millrace/{folder}`."
        )

setup(cmdclass={"sdist": ReproducibleSdist})
