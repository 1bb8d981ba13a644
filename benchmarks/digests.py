"""Compare what two checkouts make of the same data, from ingest to transformed records.

    python -m benchmarks.digests DATA --before FOLDER [--work FOLDER] [ROW…]

FOLDER is another checkout with an environment of its own in `.venv`. Each row of the course
(`course_rows`), whose datasets lie in DATA, is run up to `transform` by either `millrace`, in roots
of their own. Then their artifacts are compared, those of the user's own source aside: TFRecords
record by record, since the same records may be gzipped in other blocks, everything else byte by
byte. One line for each artifact, with the SHA-256 that both have, or what differs; the exit status
is 1 if anything does.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from etils.epath import Path

from benchmarks import course_data
from benchmarks.course import MILLRACE
from benchmarks.course_rows import ROWS, CourseRow
from millrace.components.files.tfrecord import read_records

_SHOWN = 3  # differences of an artifact that a line names


def main() -> int:
    """Print one line per artifact of each row; returns 1 if any differs."""
    arguments = _arguments()
    before = arguments.before.resolve() / ".venv/bin/millrace"
    are_equal = True
    for row in ROWS:
        name = row.name or row.recipe
        if arguments.rows and name not in arguments.rows:
            continue
        roots = [arguments.work / name / which for which in ("before", "now")]
        for millrace, root in zip((before, MILLRACE), roots, strict=True):
            _run(millrace, row, arguments.data.resolve(), arguments.work, root)
        for artifact, found in compared(*roots):
            are_equal &= found.startswith("equal")
            print(f"{name:26} {artifact:26} {found}", flush=True)
        shutil.rmtree(arguments.work / name)
    return int(not are_equal)


def _run(
    millrace: pathlib.Path,
    row: CourseRow,
    data: pathlib.Path,
    work: pathlib.Path,
    root: pathlib.Path,
) -> None:
    """Run `row` up to `transform` in a fresh `root`, or end with what its command said."""
    shutil.rmtree(root, ignore_errors=True)
    command: list[str | pathlib.Path] = [millrace, "run", row.recipe, "--root", root, "--json"]
    command += ["--to", "transform", "--to", "example_validator"]
    if row.data:
        command += ["--data", course_data.place(row.data, data, work)]
    for setting in row.settings:
        if not setting.startswith("trainer."):
            command += ["--set", setting.format(data=data)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{done.stderr[-2000:]}")


def compared(before: pathlib.Path, now: pathlib.Path) -> Iterator[tuple[str, str]]:
    """For each artifact of two roots of one run each: its step, and "equal …" or what differs."""
    sides = [{one.parent.name: one for one in root.glob("artifacts/*/*")} for root in (before, now)]
    for step in sorted(sides[0].keys() | sides[1].keys()):
        if not all(step in side for side in sides):
            yield step, f"only {'before' if step in sides[0] else 'now'}"
            continue
        folders = [side[step] for side in sides]
        files = sorted(
            {
                file.relative_to(folder)
                for folder in folders
                for file in folder.rglob("*")
                if file.is_file()
            }
        )
        whole = hashlib.sha256()
        found = []
        for file in files:
            if difference := _difference(*(folder / file for folder in folders)):
                found.append(f"{file}: {difference}")
            else:
                whole.update(f"{file}\0".encode() + digest(folders[1] / file))
        more = f"; {len(found) - _SHOWN} more files" if len(found) > _SHOWN else ""
        yield step, "; ".join(found[:_SHOWN]) + more or f"equal {whole.hexdigest()[:16]}"


def digest(file: pathlib.Path) -> bytes:
    """The SHA-256 of its bytes, or of its records if it is a gzipped TFRecord file."""
    whole = hashlib.sha256()
    for part in _parts(file):
        whole.update(hashlib.sha256(part).digest())
    return whole.digest()


def _parts(file: pathlib.Path) -> Iterator[bytes]:
    if file.suffix == ".gz":
        yield from read_records(Path(file))
    else:
        yield file.read_bytes()


def _difference(before: pathlib.Path, now: pathlib.Path) -> str:
    """What differs between two files, empty if nothing does."""
    if not (before.exists() and now.exists()):
        return f"only {'before' if before.exists() else 'now'}"
    if digest(before) == digest(now):
        return ""
    if before.suffix == ".json":
        paths = _paths(json.loads(before.read_text()), json.loads(now.read_text()))
        return ", ".join(paths) or "the same values, other bytes"
    one, other = list(_parts(before)), list(_parts(now))
    unequal = sum(left != right for left, right in zip(one, other, strict=False))
    return f"{unequal} differ, of {len(one)} before and {len(other)} now"


def _paths(before: Any, now: Any, path: str = "") -> Iterator[str]:
    """The fields of two JSON values that differ, and how: `a.b only now`, `c 1 -> 2`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            below = f"{path}.{key}" if path else key
            if key in before and key in now:
                yield from _paths(before[key], now[key], below)
            else:
                yield f"{below} only {'before' if key in before else 'now'}"
    elif before != now:
        yield f"{path} {str(before)[:40]} -> {str(now)[:40]}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=pathlib.Path, metavar="DATA")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--before", type=pathlib.Path, required=True, metavar="FOLDER")
    default = pathlib.Path(tempfile.gettempdir()) / "millrace-digests"
    parser.add_argument("--work", type=pathlib.Path, default=default)
    arguments = parser.parse_intermixed_args()
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
