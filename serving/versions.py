"""Which version folders of a model's base path are to be served.

A version is a folder whose name is a decimal number; leading zeros do not count. Rules and
texts are those of tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc.
"""

import dataclasses
from collections.abc import Collection, Mapping

from etils.epath import Path

LARGEST = 2**63 - 1  # a model server's versions are of 64 bits, with a sign


@dataclasses.dataclass(frozen=True)
class Latest:
    """The `num_versions` highest versions."""

    num_versions: int = 1


@dataclasses.dataclass(frozen=True)
class All:
    """Every version."""


@dataclasses.dataclass(frozen=True)
class Specific:
    """These versions, and no other."""

    versions: frozenset[int]


Policy = Latest | All | Specific
LATEST = Latest()


def on_disk(base_path: Path) -> dict[int, Path] | None:
    """The version folders below `base_path`, by number; None where there is no base path.

    Of two folders with one number (`7`, `007`) the last by name counts, as in the real server.
    """
    if not base_path.exists():
        return None
    children = sorted(base_path.iterdir(), key=lambda child: child.name)
    return {
        int(child.name): child
        for child in children
        if child.name.isascii()
        and child.name.isdigit()
        and int(child.name) <= LARGEST
        and child.is_dir()
    }


def aspired(policy: Policy, found: Mapping[int, Path]) -> dict[int, Path]:
    """The versions among `found` that `policy` wants."""
    return {number: found[number] for number in _choose(policy, found)}


def _choose(policy: Policy, found: Collection[int]) -> list[int]:
    match policy:
        case Latest(num_versions):
            return sorted(found, reverse=True)[:num_versions]
        case All():
            return sorted(found)
        case Specific(versions):
            return sorted(versions.intersection(found))
