"""Inputs by the thousand for each parser that is ours, valid ones changed and ones made of words.

    python -m tests.faults.fuzz [--seconds 60] [--seed 7] [--keep FOLDER] [PARSER …]
    python -m tests.faults.fuzz --input FILE PARSER

`parsers.py` lists them. Each is given, by hypothesis and for so many seconds, its valid examples
with bits turned, parts cut out, doubled and put into one another, its words in any order, and plain
noise, all of up to 64 KiB. What must hold:

- it gives a value, or one of the project's own errors with a text of a line or two, which is short
  unless it is the real server's own;
- nothing else is raised, within 5 s of the processor's time (of whole steps, 20) and 500 MiB of
  memory;
- what it gives can be written and read again, where there is a way back.

One row per parser; the exit status is 1 if anything was lost. Each loss is told with the shortest
input that shows it, which `--keep` writes to a file and `--input` reads again.
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st

from millrace.components.files.printable import printable
from millrace.pipeline.console import print_table, stdout_console
from millrace.pipeline.errors import describe_error, is_of_the_system
from millrace.serving.errors import MillraceError
from tests.faults import inputs
from tests.faults.kill import Lost

SIZE = 1 << 16  # bytes of an input
SECONDS = 5.0  # of the processor
PATIENCE = 60.0  # seconds
MEMORY = 500 << 20  # bytes
LETTERS = 1500  # of a refusal
ROUND = 200  # inputs that hypothesis makes from one seed
HERE = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Parser:
    """What is read, and how.

    Attributes:
        read: gets the input and an empty folder; checks the way back itself, where there is one.
        seeds: valid inputs.
        words: of which inputs are made, too.
        is_quick: whether it takes a millisecond or so.
        is_long: whether its refusals show what was sent, as the real server's do.
    """

    name: str
    read: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    is_quick: bool = True
    is_long: bool = False


class HangsError(BaseException):
    """Raised by a timer; no parser can take it for something else."""


@st.composite
def changed(draw: st.DrawFn, seeds: tuple[bytes, ...], words: tuple[bytes, ...]) -> bytes:
    """One of `seeds` after a few changes."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 1, 2, 4, 8, 64, 4096))))
        part = data[start:end]
        match draw(st.sampled_from(("cut", "twice", "often", "flip", "word", "noise", "splice"))):
            case "cut":
                part = b""
            case "twice":
                part += part
            case "often":
                part *= draw(st.sampled_from((9, 1_000, 20_000)))
            case "flip" if part:
                turned = bytearray(part)
                turned[0] ^= 1 << draw(st.integers(0, 7))
                part = bytes(turned)
            case "word" if words:
                part = draw(st.sampled_from(words))
            case "splice":
                other = draw(st.sampled_from(seeds))
                part += other[draw(st.integers(0, len(other))) :]
            case _:
                part = draw(st.binary(max_size=16))
        data = (data[:start] + part + data[end:])[:SIZE]
    return data


def given(parser: Parser) -> st.SearchStrategy[bytes]:
    """What `parser` is tried with."""
    words = st.sampled_from(parser.words or parser.seeds)
    joined = st.lists(words, max_size=40).map(lambda some: b"".join(some)[:SIZE])
    changes = changed(parser.seeds, parser.words)
    return st.one_of(changes, changes, joined, st.binary(max_size=200))


def tried(parser: Parser, data: bytes, folder: Path) -> str:
    """How reading `data` ends: `value` or `refused`.

    Raises:
        Lost: something that must hold does not; begins with what and where.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with _bounded(SECONDS if parser.is_quick else 4 * SECONDS):
            parser.read(data, folder)
        ended = "value"
    except (MillraceError, OSError) as error:
        if not isinstance(error, MillraceError) and not is_of_the_system(error):
            raise Lost(_placed(error)) from error
        _check_text(parser, describe_error(error), error)
        ended = "refused"
    except SystemExit:  # after `--help`
        ended = "value"
    except Lost:
        raise
    except (Exception, HangsError) as error:
        raise Lost(_placed(error)) from error
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    if grown > MEMORY:
        raise Lost(f"memory: {grown >> 20} MiB more")
    return ended


@contextlib.contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Raise HangsError in the block after too long, and any warning as an error."""

    def late(number: int, frame: types.FrameType | None) -> None:
        raise HangsError(f"over {seconds} s of CPU, or {PATIENCE} s")

    timers = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    before = {number: signal.signal(number, late) for number in timers}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        for number, timer in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def _check_text(parser: Parser, text: str, error: Exception) -> None:
    try:
        first = text if parser.is_long else inputs.told(printable(text))
    except Lost as lost:
        raise Lost(f"text: {_place(error)}: {lost}") from error
    if len(first) > LETTERS and not parser.is_long:
        raise Lost(f"text: {_place(error)}: {len(first)} letters: {first[:900]}") from error


def _placed(error: BaseException) -> str:
    return f"{type(error).__name__}: {_place(error)}: {str(error)[:300]}"


def _place(error: BaseException) -> str:
    """The last line of ours that `error` went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if Path(one.filename).is_relative_to(HERE)]
    ours = [one for one in ours if "/.venv/" not in one.filename and one.name != "late"] or frames[
        -1:
    ]
    file = Path(ours[-1].filename).resolve()
    return f"{file.relative_to(HERE) if file.is_relative_to(HERE) else file} {ours[-1].name}"


def kind_of(lost: Lost) -> str:
    """What several inputs have in common that are lost for one cause."""
    return re.sub(r"\d+", "#", ": ".join(str(lost).split(": ")[:2]))


@dataclasses.dataclass
class Hunt:
    """What became of the inputs of one parser, and the losses by their kind."""

    ends: Counter[str]
    lost: dict[str, tuple[str, bytes]]


def hunt(
    parser: Parser, folder: Path, *, seconds: float = 1e9, rounds: int = 10**9, seed: int = 7
) -> Hunt:
    """Try `parser` for so long, or so many rounds of inputs; those of a number are the same."""
    found = Hunt(Counter(), {})
    until = time.monotonic() + seconds
    for number in range(rounds):
        if time.monotonic() >= until:
            break
        _hunt_round(parser, folder, found, seed * 100_003 + number, until)
    return found


def _hunt_round(parser: Parser, folder: Path, found: Hunt, seed: int, until: float) -> None:
    known = set(found.lost)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.target, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    @hypothesis.given(given(parser))
    def holds(data: bytes) -> None:
        if time.monotonic() >= until + PATIENCE:
            return
        (folder / "last").write_bytes(data)
        place = folder / "place"
        place.mkdir()
        try:
            ended = tried(parser, data, place)
        except Lost as lost:
            kind = kind_of(lost)
            found.ends["lost"] += 1
            if kind not in known:
                found.lost[kind] = (str(lost), data)
                raise
        else:
            found.ends[ended] += 1
        finally:
            shutil.rmtree(place, ignore_errors=True)
        hypothesis.target(float(len(found.ends)))

    with contextlib.suppress(Lost, hypothesis.errors.Flaky, BaseExceptionGroup):
        holds()


def apart(parser: Parser, folder: Path, seconds: float, seed: int) -> Hunt:
    """The same in a process of its own, whose end by a signal is a loss, too."""
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(mine)
        logging.disable()
        with inputs.quiet(folder / "said.txt"):
            found = hunt(parser, folder, seconds=seconds, seed=seed)
        lost = {kind: (text, data.hex()) for kind, (text, data) in found.lost.items()}
        with os.fdopen(theirs, "w") as pipe:
            json.dump([found.ends, lost], pipe)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(mine) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if not told:
        text = f"crash: {os.WTERMSIG(status) if os.WIFSIGNALED(status) else status}"
        return Hunt(Counter(lost=1), {text: (text, (folder / "last").read_bytes())})
    ends, lost = json.loads(told)
    return Hunt(
        Counter(ends), {kind: (text, bytes.fromhex(data)) for kind, (text, data) in lost.items()}
    )


def main() -> int:
    """Print one row per parser; returns 1 if anything was lost."""
    from tests.faults import parsers

    known = {parser.name: parser for parser in parsers.every()}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that are lost")
    parser.add_argument("--input", type=Path, help="try this file alone")
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=", ".join(known))
    arguments = parser.parse_args()
    rows: list[tuple[Any, ...]] = []
    losses = 0
    for name in arguments.parsers or known:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            if arguments.input:
                print(name, tried(known[name], arguments.input.read_bytes(), Path(folder)))
                continue
            found = apart(known[name], Path(folder), arguments.seconds, arguments.seed)
        for number, (text, data) in enumerate(found.lost.values()):
            shown = f"{data[:300]!r}{'' if len(data) <= 300 else f' … {len(data)} bytes'}"
            print(f"{name}: {text}\n    {shown}", file=sys.stderr, flush=True)
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{name}-{number}").write_bytes(data)
        losses += len(found.lost)
        count = sum(found.ends.values())
        rows.append((name, count, found.ends["value"], found.ends["refused"], len(found.lost)))
        print(*rows[-1], file=sys.stderr, flush=True)
    if rows:
        print_table(stdout_console(), ("parser", "inputs", "value", "refused", "lost"), rows)
    return int(losses > 0)


if __name__ == "__main__":
    sys.exit(main())
