"""Data that change while the ingest of each kind reads them.

    python -m tests.faults.changing [KIND …]

The first step of a recipe reads a folder. As it opens a file of that, the first, one in the middle
or the last, the file is cut off, grows, is replaced, is written anew under its old time, or
vanishes, or another one comes. Each is tried in a forked process. What must hold:

- the step fails, with the name of the file, or of the folder, in a text of a line or two;
- nothing is recorded, and no output is in place;
- the next run reads what is there then, as a run under a fresh root does.

One row per kind; the exit status is 1 if anything was lost.
"""

import argparse
import dataclasses
import functools
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from millrace.pipeline import given
from millrace.pipeline.console import print_table, stdout_console
from millrace.pipeline.dag import Step
from millrace.pipeline.recipes import catalog
from millrace.pipeline.results import RunResult, StepResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest, Selection
from millrace.pipeline.runner import Runner
from millrace.pipeline.store import Store
from millrace.serving.example import encode
from millrace.serving.records import frame
from tests.faults import hostile, inputs
from tests.faults.kill import Lost, write_series

COUNT = 6  # files of a folder


def write_tables(folder: Path) -> None:
    """Tables of one form."""
    for number in range(COUNT):
        rows = "".join(f"{n},{n / 3:.2f},{'xy'[n % 2]}\n" for n in range(number, number + 30))
        (folder / f"{number}.csv").write_text(f"a,b,label\n{rows}")


def write_days(folder: Path) -> None:
    """A series, years of which are in files of their own."""
    write_series(folder / "all.csv")
    head, *rows = (folder / "all.csv").read_text().splitlines(keepends=True)
    (folder / "all.csv").unlink()
    for number in range(COUNT):
        (folder / f"{number}.csv").write_text(head + "".join(rows[number * 24 : number * 24 + 24]))


def write_texts(folder: Path) -> None:
    """Texts in folders of their classes."""
    for number in range(COUNT):
        file = folder / ("no", "yes")[number % 2] / f"{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"a film about {number}, which somebody liked or not " * 5)


def write_corpus(folder: Path) -> None:
    """Texts to learn to write from."""
    for number in range(COUNT):
        lines = (f"line {n} of the song {number} that somebody sings\n" for n in range(20))
        (folder / f"{number}.txt").write_text("".join(lines))


def write_images(folder: Path) -> None:
    """Pictures in folders of their classes."""
    for number in range(COUNT):
        file = folder / ("no", "yes")[number % 2] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(hostile.picture("PNG", number))


def write_tfrecords(folder: Path) -> None:
    """Records of pictures with their classes."""
    for number in range(COUNT):
        records = [
            {
                "image/encoded": hostile.picture("PNG", 9 * number + n),
                "image/class/label": n % 2,
                "image/class/text": "xy"[n % 2],
            }
            for n in range(4)
        ]
        data = b"".join(frame(encode(record)) for record in records)
        (folder / f"{number}.tfrecord").write_bytes(data)


KINDS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "tables": ("tabular", write_tables),
    "series": ("forecaster", write_days),
    "texts": ("text-classifier", write_texts),
    "corpus": ("text-generator", write_corpus),
    "images": ("image-classifier", write_images),
    "tfrecords": ("image-classifier", write_tfrecords),
}


def _anew(file: Path, data: bytes) -> None:
    """As many other bytes, under the time of the old."""
    status = file.stat()
    file.write_bytes(data[::-1])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace(file: Path, data: bytes) -> None:
    other = file.with_name("~other")
    other.write_bytes(data + data)
    other.replace(file)


CHANGES: dict[str, Callable[[Path, bytes], object]] = {
    "is cut off": lambda file, data: file.write_bytes(data[: len(data) // 2]),
    "grows": lambda file, data: file.write_bytes(data + data),
    "is replaced": _replace,
    "is written anew": _anew,
    "vanishes": lambda file, data: file.unlink(),
    "another comes": lambda file, data: file.with_name(f"new{file.suffix}").write_bytes(data),
}
MOMENTS = (0.0, 0.5, 1.0)  # the share of the files that were opened before


@dataclasses.dataclass
class Opening:
    """Waits, while `is_on`, for a file below `folder` to be opened, as often as `left` says.

    Attributes:
        change: what is done to the file then.
        seen: how many were opened.
        file: the one that was changed.
    """

    folder: Path
    left: int
    change: Callable[[Path, bytes], object]
    is_on: bool = False
    seen: int = 0
    file: Path | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook, which cannot be taken away again."""
        if event != "open" or not self.is_on or not isinstance(arguments[0], str | bytes):
            return
        file = Path(os.fsdecode(arguments[0]))
        if not file.is_relative_to(self.folder):
            return
        self.seen += 1
        if self.seen == self.left:
            self.is_on = False
            self.file = file
            self.change(file, file.read_bytes())
            self.is_on = True


class Silent:
    """An observer to whom nothing matters."""

    def started(self, step: Step, reasons: Sequence[str]) -> None:
        """See Observer."""

    def line(self, step: Step, text: str) -> None:
        """See Observer."""

    def passing(self, step: Step, text: str) -> None:
        """See Observer."""

    def ended(self, result: StepResult) -> None:
        """See Observer."""


def run(recipe: str, data: Path, place: Path, opening: Opening | None = None) -> RunResult:
    """Run the first step of the recipe, with `opening` on while its component is at work."""
    root = Root(given.path(str(place), "root"))
    root.path.mkdir(parents=True, exist_ok=True)
    dag = catalog.wire(recipe, root, data=str(data))
    step = next(iter(dag.steps.values()))
    component = step.component

    @functools.wraps(component)
    def watched(*arguments: Any, **options: Any) -> Any:
        if opening:
            opening.is_on = True
        try:
            return component(*arguments, **options)
        finally:
            if opening:
                opening.is_on = False

    object.__setattr__(step, "component", watched)  # of a frozen dataclass
    request = RunRequest(dag, recipe, "", str(data), Selection(only=step.name), warm=False)
    store = Store.open(root.store_url)
    try:
        return Runner(request, root, store, Silent()).run()
    finally:
        store.close()


def trial(kind: str, change: str, left: int, base: Path) -> tuple[int, str]:
    """Change the file that is opened as the `left`-th; returns how many were, and the error.

    Raises:
        Lost: something that must hold does not.
    """
    recipe, write = KINDS[kind]
    data = base / "data"
    data.mkdir()
    write(data)
    opening = Opening(data, left, CHANGES[change])
    sys.addaudithook(opening)
    done = run(recipe, data, base / "root", opening)
    error = done.steps[0].error
    if not opening.file:
        if done.status != "done":
            raise Lost(f"failed though nothing changed: {error}")
        return opening.seen, ""
    where = f"{opening.file.name} as the {left}th of {opening.seen}"
    if done.steps[0].status != "failed":
        raise Lost(f"{where}: {done.steps[0].status}")
    inputs.told(error)
    if opening.file.name not in error and str(data) not in error:
        raise Lost(f"{where}: not named in {error!r}")
    if list((base / "root" / "artifacts").glob("*/*")) or done.artifacts:
        raise Lost(f"{where}: an output is in place")
    again, fresh = (run(recipe, data, base / name) for name in ("root", "fresh"))
    ends = [(one.status, _contents(one)) for one in (again, fresh)]
    if ends[0] != ends[1]:
        raise Lost(f"{where}: the next run is {again.status}, a fresh one {fresh.status}")
    return opening.seen, error


def _contents(done: RunResult) -> dict[str, bytes]:
    place = done.steps[0].output
    files = sorted(Path(place).rglob("*")) if place else []
    return {str(f.relative_to(place)): f.read_bytes() for f in files if place and f.is_file()}


def forked(kind: str, change: str, left: int) -> tuple[int, str]:
    """The same in a process of its own, since an audit hook stays."""
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(mine)
        with tempfile.TemporaryDirectory(prefix="changing-") as name:
            base = Path(name).resolve()
            try:
                with inputs.quiet(base / "said"):
                    found: object = trial(kind, change, left, base)
            except Lost as lost:
                found = str(lost)
            except BaseException:
                found = traceback.format_exc()
        with os.fdopen(theirs, "w") as pipe:
            json.dump(found, pipe)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(mine) as pipe:
        if not select.select([pipe], [], [], inputs.PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
        told = pipe.read()
    os.waitpid(child, 0)
    found = json.loads(told or '"killed, or hangs"')
    if isinstance(found, str):
        raise Lost(found)
    return found[0], found[1]


def main() -> int:
    """Print one row per kind; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    parser.add_argument("--verbose", action="store_true", help="tell how each ended")
    arguments = parser.parse_args()
    hostile.load()
    rows = []
    for kind in arguments.kinds:
        ends = Counter[str]()
        count, _ = forked(kind, "grows", 0)
        for change in CHANGES:
            for share in MOMENTS:
                left = 1 + round(share * (count - 1))
                try:
                    _, error = forked(kind, change, left)
                    ends["survived"] += 1
                except Lost as lost:
                    error = f"LOST: {lost}"
                    ends["lost"] += 1
                if arguments.verbose or error.startswith("LOST"):
                    print(f"{kind}, {change} at {share}: {error}", file=sys.stderr, flush=True)
        rows.append((kind, count, ends.total(), ends["survived"], ends["lost"]))
    print_table(stdout_console(), ("kind", "files opened", "tries", "survived", "lost"), rows)
    return int(any(row[-1] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
