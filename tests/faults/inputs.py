"""Hostile and broken inputs, each of which is accepted, set aside with a reason, or refused.

    python -m tests.faults.inputs [--times 0] [--seed 7] [KIND …]

`hostile.py` holds what is tried, by kind. Each is read in a forked process by the component, or
the command, that reads such things. `--times 0` takes all of a kind, else so many of them, drawn by
the seed. What must hold:

- it ends within `SECONDS` of the processor's time, and `PATIENCE` by the clock;
- it takes at most `MEMORY` more than the process had before;
- it is done, or refused with a text of a line or two, beside those that name what was set aside;
  nothing else is raised;
- if it is done, every input is in the records or was set aside, each with a reason, and the
  records can be read.

One row per kind; the exit status is 1 if anything was lost, and each loss is told as it is found.
"""

import argparse
import contextlib
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from millrace.components.artifacts import Examples
from millrace.components.files.tfrecord import read_records
from millrace.pipeline.console import print_table, stdout_console
from millrace.pipeline.errors import describe_error, is_of_the_system
from millrace.serving.errors import MillraceError
from tests.faults import hostile
from tests.faults.kill import Lost

SECONDS = 120  # of the processor
PATIENCE = 600.0  # seconds: what waits for something takes no processor
MEMORY = 2**30  # bytes
GUARD = 8 * 2**30  # bytes of addresses: what asks for more gets a MemoryError, and is lost
LINES = 2


def read(case: hostile.Case, folder: Path) -> str:
    """Read the input in this process; returns `accepted`, `set aside` or `refused: …`.

    Raises:
        Lost: inputs or reasons are missing.
        Exception: what no command would tell as a text.
    """
    try:
        made = case.read(folder)
    except MillraceError as error:
        return f"refused: {told(describe_error(error))}"
    except OSError as error:
        if not is_of_the_system(error):
            raise
        return f"refused: {told(describe_error(error))}"
    except SystemExit as error:
        if error.code in (0, None):
            return "accepted"
        return f"refused: {told((folder / hostile.SAID).read_text(errors='replace'))}"
    return counted(made, case.count) if isinstance(made, Examples) else "accepted"


def told(text: str) -> str:
    """The text of a refusal.

    Raises:
        Lost: it is none, is long, or is Python's.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("  ")]
    if not lines or len(lines) > LINES or "Traceback" in text:
        raise Lost(f"refused in {len(lines)} lines: {text[:1000]!r}")
    return lines[0]


def counted(examples: Examples, count: int) -> str:
    """Whether all of `count` inputs were accepted; 0 where nobody knows how many there are.

    Raises:
        Lost: some vanished, have no reason, or cannot be read.
    """
    shards = [shard for split in examples.splits for shard in examples.files(split)]
    records = sum(1 for shard in shards for _ in read_records(shard))
    if records != sum(examples.counts.values()):
        raise Lost(f"{records} records of {examples.counts}")
    aside = [*examples.rejected()]
    if without := [item for item in aside if not item.reason.strip()]:
        raise Lost(f"no reason: {without[0]}")
    others = sum(int(examples.summary["notes"].get(name, 0)) for name in ("unlabelled", "ignored"))
    if count and records + len(aside) + others != count:
        raise Lost(f"{records} records, {len(aside)} set aside, {others} left out, of {count}")
    return "set aside" if aside or others else "accepted"


def forked(case: hostile.Case, folder: Path) -> str:
    """How reading the input ends, in a process of its own.

    Raises:
        Lost: something that must hold does not.
    """
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(mine)
        os.setpgid(0, 0)
        with os.fdopen(theirs, "w", errors="replace") as pipe:
            pipe.write(bounded(case, folder))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(mine, errors="replace") as pipe:
        is_told = bool(select.select([pipe], [], [], PATIENCE)[0])
        if not is_told:
            os.kill(child, signal.SIGKILL)
        ended = pipe.read() if is_told else "!hangs"
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it had started
    if not ended:
        raise Lost(f"ended by signal {os.WTERMSIG(status)}")
    if ended.startswith("!"):
        raise Lost(ended[1:])
    return ended


def bounded(case: hostile.Case, folder: Path) -> str:
    """How reading the input ends within the limits; begins with `!` where it is lost."""
    _bound()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with quiet(folder / hostile.SAID):
            ended = read(case, folder)
    except BaseException as error:
        return f"!{type(error).__name__}: {error}"
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    return ended if grown <= MEMORY else f"!{grown >> 20} MiB more"


def _bound() -> None:
    """Let this process take no more than the machine can give."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    addresses = pages * resource.getpagesize() + GUARD
    resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextlib.contextmanager
def quiet(said: Path):
    """Send what is printed, by TensorFlow's own code too, to the file `said`."""
    before = [os.dup(1), os.dup(2)]
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(before[0], 1)
        os.dup2(before[1], 2)


def tried(case: hostile.Case, folder: Path) -> str:
    """Write the input in a fresh `folder` and read it; returns how that ended.

    Raises:
        Lost: something that must hold does not.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("in", "out"):
        (folder / name).mkdir(parents=True)
    case.write(folder / "in")
    return forked(case, folder)


def main() -> int:
    """Print one row per kind; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=0, help="of each kind; 0: all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--verbose", action="store_true", help="tell how each ended")
    parser.add_argument("kinds", nargs="*", default=list(hostile.KINDS), metavar="KIND")
    arguments = parser.parse_args()
    hostile.load()
    rows, losses = [], 0
    with tempfile.TemporaryDirectory(prefix="inputs-") as name:
        for kind in arguments.kinds:
            cases = hostile.KINDS[kind]()
            if arguments.times:
                draw = random.Random(f"{arguments.seed} {kind}")
                cases = draw.sample(cases, min(arguments.times, len(cases)))
            ends = Counter[str]()
            for case in cases:
                try:
                    ended = tried(case, Path(name) / "tried")
                except Exception as error:
                    ended = "lost"
                    text = f"{kind}, {case.name}: {type(error).__name__}: {error}"
                    print(text, file=sys.stderr, flush=True)
                if arguments.verbose:
                    print(f"{kind}, {case.name}: {ended}", file=sys.stderr, flush=True)
                ends[ended.partition(":")[0]] += case.inputs
            losses += ends["lost"]
            shown = [ends[end] for end in ("accepted", "set aside", "refused", "lost")]
            rows.append((kind, sum(case.inputs for case in cases), *shown))
    heads = ("kind", "inputs", "accepted", "set aside", "refused", "lost")
    print_table(stdout_console(), heads, rows)
    return int(losses > 0)


if __name__ == "__main__":
    sys.exit(main())
