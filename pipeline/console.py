"""What the terminal shows: progress of a run, and tables. Plain text when piped."""

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.tree import Tree

from millrace.components.files.printable import one_line, printable
from millrace.pipeline.dag import Step
from millrace.pipeline.explain import FIRST
from millrace.pipeline.lineage import Node, is_gone
from millrace.pipeline.options import OptionRow
from millrace.pipeline.records import ArtifactRecord
from millrace.pipeline.results import StepResult

MARKS = {"ran": "[green]✓[/]", "cached": "[cyan]≡[/]", "failed": "[red]✗[/]", "skipped": "·"}
_COLOURS = {"ran": "green", "cached": "cyan", "failed": "red", "killed": "red", "running": "yellow"}


_NAMES = 0.6  # of the terminal's width, at most, is for what is first in each row
_SELDOM = 10.0  # seconds between lines of passing interest in a pipe
UNBROKEN = 10_000  # columns of a pipe: no line of ours is longer


class SafeConsole(Console):
    """A console whose texts cannot command the terminal; see `printable`."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print `objects`, texts among them escaped."""
        safe = (printable(each) if isinstance(each, str) else each for each in objects)
        super().print(*safe, **options)


def stdout_console() -> Console:
    """A console on standard output."""
    width = None if sys.stdout.isatty() else UNBROKEN
    return SafeConsole(highlight=False, soft_wrap=True, width=width)


@contextlib.contextmanager
def lasting_console(descriptor: int) -> Iterator[Console]:
    """A console on a copy of `descriptor`: it still shows while a step's output is captured."""
    with os.fdopen(os.dup(descriptor), "w") as file:
        yield SafeConsole(file=file, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def python_console() -> Iterator[Console]:
    """A console on `sys.stdout`, a notebook's for example, that lasts like the one above."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # a notebook's has none
        descriptor = -1
    if descriptor in (1, 2):
        sys.stdout.flush()
        with lasting_console(descriptor) as console:
            yield console
    else:
        # ipykernel sets FORCE_COLOR, by which rich would take a notebook for a terminal.
        yield SafeConsole(
            file=sys.stdout,
            highlight=False,
            soft_wrap=True,
            force_jupyter=False,
            force_terminal=False,
        )


class RunProgress:
    """Tells a person what a run does: a moving line on a terminal, plain lines in a pipe."""

    def __init__(self, console: Console, steps: Iterable[str]) -> None:
        self._console = console
        self._width = max(map(len, steps), default=0)
        self._status: Status | None = None
        self._is_first_said = False
        self._passed = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def started(self, step: Step, reasons: Sequence[str]) -> None:
        """Show that `step` runs, and why; that none has run before is said with the first."""
        reason = reasons[0] if not (self._is_first_said and reasons[0] == FIRST) else ""
        self._is_first_said |= reason == FIRST
        self._passed = time.monotonic()
        text = f"[bold]{step.name}[/] [dim]{escape(printable(reason))}[/]".replace(" [dim][/]", "")
        if self._console.is_terminal:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._console.print(f"> {text}")

    def line(self, step: Step, text: str) -> None:
        """Show what a component reports, without the step's name that it may begin with."""
        for line in text.removeprefix(f"{step.name}: ").splitlines():
            self._console.print(f"    {escape(line)}")

    def passing(self, step: Step, text: str) -> None:
        """Show how far `step` is: beside its name on a terminal, in a pipe now and then."""
        said = text.splitlines()[0].strip()
        if self._status is not None:
            self._status.update(f"[bold]{step.name}[/] [dim]{escape(printable(said))}[/]")
        elif (now := time.monotonic()) - self._passed >= _SELDOM:
            self._passed = now
            self.line(step, said)

    def ended(self, result: StepResult) -> None:
        """Show what became of a step."""
        self._stop()
        seconds = f"{result.seconds:7.1f} s" if result.status in ("ran", "failed") else " " * 9
        where = escape(str(result.output)) if result.output else ""
        name = f"{result.step:<{self._width}}"
        self._console.print(
            f"{MARKS[result.status]} {name}  {result.status:<7} {seconds}  [dim]{where}[/]"
        )

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on a terminal; the same cells between tabs in a pipe.

    Nothing is cut: ids, paths and options are there to be copied. What is first in a row names it
    and stays in one piece, where it leaves room for the rest.
    """
    fit = printable if console.is_terminal else one_line
    rows = [[fit(str(cell)) for cell in row] for row in rows]
    if not console.is_terminal:
        for row in [columns, *rows]:
            console.file.write("\t".join(row) + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    longest = max((cell_len(row[0]) for row in rows), default=0)
    table.columns[0].no_wrap = longest <= _NAMES * console.width
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table, soft_wrap=False)


def print_options(console: Console, rows: Iterable[OptionRow]) -> None:
    """Options with their values, and below each its type and what it means, for a person."""
    for row in rows:
        console.print(f"[bold]{escape(row.option)}[/] = {escape(printable(str(row.value)))}")
        said = ". ".join(part for part in (row.type, row.meaning) if part)
        console.print(Padding(escape(said), (0, 0, 0, 4)))


def print_steps(console: Console, steps: Sequence[Mapping[str, Any]]) -> None:
    """The graph of a run's steps (see `report.run_json`): each below the last that it has read.

    What else it has read is named behind it.
    """
    tree = Tree("", hide_root=True)
    branches: dict[str, Tree] = {}
    for step in steps:
        *others, last = step["reads"] or [""]
        branches[step["step"]] = branches.get(last, tree).add(_step(step, others))
    console.print(tree)


def _step(step: Mapping[str, Any], others: Sequence[str]) -> str:
    status = step["status"]
    colour = _COLOURS.get(status, "default")
    time = f" {step['seconds']:.1f} s" if status != "cached" else ""
    also = f"  [dim]and {', '.join(others)}[/]" if others else ""
    what = f"  {escape(printable(step['artifact']))}{' [yellow]gone[/]' if step['gone'] else ''}"
    where = f"  [dim]{escape(printable(step['error'] or step['output'] or ''))}[/]"
    mark = MARKS.get(status, f"[{colour}]•[/]")
    return f"{mark} [bold]{step['step']}[/] [{colour}]{status}[/]{time}{also}{what}{where}"


def print_tree(console: Console, node: Node) -> None:
    """A family tree; what was shown before is not opened again."""
    tree = Tree(_label(node.artifact))
    _grow(tree, node, {node.artifact.id})
    console.print(tree)


def _grow(tree: Tree, node: Node, shown: set[int]) -> None:
    for below in node.nodes:
        by = (
            f"[dim]{below.execution.step} of {below.execution.run_id}:[/] "
            if below.execution
            else ""
        )
        again = below.artifact.id in shown
        branch = tree.add(f"{by}{below.name} {_label(below.artifact)}{' (above)' if again else ''}")
        if not again:
            shown.add(below.artifact.id)
            _grow(branch, below, shown)


def _label(artifact: ArtifactRecord) -> str:
    values = ", ".join(f"{name} {value}" for name, value in artifact.properties.items())
    where, shown = escape(printable(artifact.uri)), escape(printable(values))
    gone = " [yellow]gone[/]" if is_gone(artifact) else ""
    return f"[bold]{artifact.type}[/] #{artifact.id} {where}{gone} [dim]{shown}[/]"
