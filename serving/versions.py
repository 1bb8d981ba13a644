"""Which version folders of a model's base path should be served.

A version is a folder whose name is a decimal number; leading zeros are ignored. Rules and texts
are those of tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc. In an
object store, where folders do not appear at once, a version counts from when its model file is
there, which whoever uploads a version writes last.
"""

import dataclasses
import logging
from collections.abc import Collection, Mapping

from etils.epath import Path

from millrace.serving import remote

_log = logging.getLogger(__name__)
LARGEST = 2**63 - 1  # versions are int64
MODEL_FILES = ("saved_model.pb", "model.tflite")  # in an object store, one is a version's last file


@dataclasses.dataclass(frozen=True)
class Latest:
    """The `num_versions` highest versions."""

    num_versions: int = 1


@dataclasses.dataclass(frozen=True)
class All:
    """Every version."""


@dataclasses.dataclass(frozen=True)
class Specific:
    """These versions only."""

    versions: frozenset[int]


Policy = Latest | All | Specific
LATEST = Latest()


def on_disk(base_path: Path) -> dict[int, Path] | None:
    """Returns the version folders in `base_path`, by number; None if it does not exist.

    Of two folders with the same number (`7`, `007`) the last by name counts, as in the real server.
    """
    if remote.is_remote(base_path):
        found = remote.files(base_path)
        if not found:
            return None
        whole = sorted(name.partition("/")[0] for name in found if _is_model(name))
        return {int(name): base_path / name for name in whole if _is_number(name)}
    if not base_path.exists():
        return None
    children = sorted(base_path.iterdir(), key=lambda child: child.name)
    return {
        int(child.name): child for child in children if _is_number(child.name) and child.is_dir()
    }


def is_there(version: Path) -> bool:
    """Whether the folder `version` is there; in an object store, whole."""
    if remote.is_remote(version):
        return any(name in MODEL_FILES for name in remote.files(version))
    return version.exists()


def choose(policy: Policy, found: Mapping[int, Path]) -> dict[int, Path]:
    """Returns the versions among `found` that `policy` selects."""
    return {number: found[number] for number in _numbers(policy, found)}


def aspired(
    model: str, base_path: Path, policy: Policy, labelled: Collection[int] = ()
) -> dict[int, Path] | None:
    """Returns the version folders to serve, by number; None if that cannot be determined.

    A base path that is missing or cannot be listed determines nothing; an empty one, that no
    version should be served. Both are logged as by the real server. Beside those of the policy,
    the versions `labelled` are served, as far as they are there.
    """
    try:
        found = on_disk(base_path)
    except OSError as error:
        _log.warning("Cannot list base path %s: %s", base_path, error)
        return None
    if found is None:
        _log.warning("Could not find base path %s for servable %s", base_path, model)
        return None
    chosen = choose(policy, found) | choose(Specific(frozenset(labelled)), found)
    if not chosen:
        _log.warning(
            "No versions of servable %s found under base path %s. Did you forget to name "
            "your leaf directory as a number (eg. '/1/')?",
            *(model, base_path),
        )
    return chosen


def _is_model(name: str) -> bool:
    """Whether the path `name` below a base path is a version's model file."""
    folder, _, file = name.partition("/")
    return bool(folder) and file in MODEL_FILES


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and int(name) <= LARGEST


def _numbers(policy: Policy, found: Collection[int]) -> list[int]:
    match policy:
        case Latest(num_versions):
            return sorted(found, reverse=True)[:num_versions]
        case All():
            return sorted(found)
        case Specific(versions):
            return sorted(versions.intersection(found))
