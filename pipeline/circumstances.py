"""What a run is made with that no option says: versions, the machine, the commit of the folder."""

import importlib.metadata
import pathlib
import platform
import subprocess

_PATIENCE = 2.0  # seconds that git may take: a run is not kept waiting for a slow disk


def found() -> dict[str, str]:
    """By name for a person; the commit is empty where the folder is in no git repository."""
    folder = pathlib.Path.cwd()
    return {
        "millrace": importlib.metadata.version("tf-millrace"),
        "python": platform.python_version(),
        "machine": f"{platform.node()}, {platform.platform(terse=True)} {platform.machine()}",
        "folder": str(folder),
        "commit": commit(folder),
    }


def commit(folder: pathlib.Path) -> str:
    """The commit that is checked out there, and whether files differ from it; empty without one."""
    if not any((each / ".git").exists() for each in (folder, *folder.parents)):
        return ""
    command = ["git", "describe", "--always", "--dirty= with changes", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):  # no git here, no commit yet, not our repository
        return ""
    return done.stdout.strip()
