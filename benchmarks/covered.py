"""The lines and branches that the tests reach, by room: python -m benchmarks.covered COVERAGE.json.

`make coverage` has coverage.py write that file. A room is a folder of the first or second level;
below the table stand the modules of which the tests reach least, of those of 20 lines or more.
"""

import collections
import json
import pathlib
import sys
from typing import Any

from millrace.pipeline.console import print_table, stdout_console

_COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")
_LEAST = 15  # modules


def rooms(files: dict[str, Any]) -> dict[str, collections.Counter[str]]:
    """What is there and what is reached, of each room, from what coverage says of each file."""
    found: dict[str, collections.Counter[str]] = {}
    for name, told in files.items():
        counts = {count: told["summary"][count] for count in _COUNTS}
        folders = pathlib.PurePosixPath(name).parts[:-1]
        for room in dict.fromkeys(("all", folders[0], "/".join(folders[:2]))):
            found.setdefault(room, collections.Counter()).update(counts)
    return found


def share(counts: collections.Counter[str], reached: str, of: str) -> str:
    """In per cent, rounded down, so that 100 means all."""
    return f"{1000 * counts[reached] // counts[of] / 10:.1f} %" if counts[of] else "-"


def main() -> None:
    """Print the rooms, and the modules that are reached least."""
    files = json.loads(pathlib.Path(sys.argv[1]).read_text())["files"]
    rows = [
        (
            room,
            f"{counts['num_statements']:,}",
            share(counts, "covered_lines", "num_statements"),
            f"{counts['num_branches']:,}",
            share(counts, "covered_branches", "num_branches"),
        )
        for room, counts in sorted(rooms(files).items())
    ]
    print_table(stdout_console(), ("room", "lines", "reached", "branches", "reached"), rows)
    longer = [name for name, told in files.items() if told["summary"]["num_statements"] >= 20]
    least = sorted(longer, key=lambda name: files[name]["summary"]["percent_covered"])[:_LEAST]
    modules = [(name, f"{files[name]['summary']['percent_covered']:.1f} %") for name in least]
    print_table(stdout_console(), ("module", "lines and branches"), modules)


if __name__ == "__main__":
    main()
