"""What each dependency weighs where this runs: python -m benchmarks.sizes.

A line per dependency in pyproject.toml, in MB of its installed files, compiled ones included: its
own, and those that would go if it were dropped, of itself and of what nothing else here needs.
"""

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"
_MB = 1_000_000


def dependencies() -> list[Requirement]:
    """What pyproject.toml says that the project needs."""
    project = tomllib.loads(_PROJECT.read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]]


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """The names of the installed distributions that those need, at any depth, these included."""
    reached: set[tuple[str, frozenset[str]]] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        one = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if one in reached:
            continue
        reached.add(one)
        for line in metadata.requires(one[0]) or ():
            further, extras = Requirement(line), one[1] or {""}
            if not further.marker or any(further.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(further)
    return {name for name, _ in reached}


def megabytes(names: Iterable[str]) -> float:
    """The size of the files of the installed distributions `names`."""
    files = (file.locate() for name in names for file in metadata.files(name) or ())
    return sum(Path(str(file)).stat().st_size for file in files if Path(str(file)).is_file()) / _MB


def main() -> None:
    """Print the table, the heaviest first, and the sum."""
    needed = dependencies()
    whole = closure(needed)
    rows = []
    for one in needed:
        freed = whole - closure(other for other in needed if other is not one)
        rows.append((megabytes([one.name]), megabytes(freed), one.name, sorted(freed)))
    print(f"{'MB':>6} {'freed':>6}  dependency: what goes with it")
    for own, saved, name, gone in sorted(rows, reverse=True):
        brought = ", ".join(other for other in gone if other != canonicalize_name(name))
        print(f"{own:6.1f} {saved:6.1f}  {name}{': ' if brought else ''}{brought}")
    print(f"{megabytes(whole):6.0f}         {len(whole)} distributions in all")


if __name__ == "__main__":
    main()
