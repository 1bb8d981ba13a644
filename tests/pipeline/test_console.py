"""Progress and trees as a pipe sees them, tables as a terminal does."""

import io
import re
import sys

from rich.console import Console

from millrace.components.artifacts import Statistics
from millrace.pipeline import console, lineage
from millrace.pipeline.console import (
    RunProgress,
    SafeConsole,
    print_steps,
    print_table,
    print_tree,
    python_console,
)
from millrace.pipeline.results import StepResult


def test_a_line_of_progress_is_indented_and_loses_the_steps_name(toy):
    shown = io.StringIO()
    step = toy.dag().find("count")
    RunProgress(Console(file=shown, width=200), ["count"]).line(step, "count: one\n[two]")
    assert shown.getvalue() == "    one\n    [two]\n"


def test_a_notebook_gets_plain_lines(toy, monkeypatch):
    """Its standard output is no file, and it says FORCE_COLOR."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with python_console() as console:
        progress = RunProgress(console, ["count"])
        progress.started(toy.dag().find("count"), ["an input changed"])
    assert sys.stdout.getvalue() == "> count an input changed\n"


def test_a_part_of_a_tree_that_was_shown_is_not_opened_again(toy):
    toy.run()
    (toy.data / "b.txt").write_text("d")
    result = toy.run()
    shown = io.StringIO()
    with toy.store.session() as session:
        path = str(result.artifacts["judge"].path)
        node = lineage.ancestors(lineage.find_artifact(session, path))
        print_tree(Console(file=shown, width=500), lineage.Node(*_twice(node)))
    assert shown.getvalue().count("(above)") == len(node.nodes)
    assert result.output(Statistics).path.exists()


def _twice(node):
    return node.artifact, node.execution, node.name, node.nodes + node.nodes


def table(width, columns, *rows):
    shown = io.StringIO()
    console = Console(file=shown, width=width, force_terminal=True, no_color=True)
    print_table(console, columns, rows)
    return [line.rstrip() for line in re.sub(r"\x1b\[\d*m", "", shown.getvalue()).splitlines()]


def test_what_names_a_row_stays_whole_on_a_narrow_terminal():
    row = ("20261126-034713-4da1", "image-classifier", "failed")
    assert table(41, ("run", "recipe", "status"), row) == [
        "run                   recipe       status",
        "20261126-034713-4da1  image-class  failed",
        "                      ifier",
    ]


def test_no_cell_of_a_table_is_cut():
    cells = ("a name too long to stay whole", "/an/output/of/a/step/in/a/folder")
    lines = table(24, ("step", "output"), cells)
    assert "…" not in "".join(lines[1:])
    shown = ["".join(line[at : at + 11].strip() for line in lines[1:]) for at in (0, 13)]
    assert [text.replace(" ", "") for text in shown] == [each.replace(" ", "") for each in cells]


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\x9b1m\udce9"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\x9b1m\xe9"


def test_a_console_escapes_what_it_prints_but_not_its_own_style():
    shown = io.StringIO()
    console = SafeConsole(
        file=shown, force_terminal=True, width=200, color_system="standard", highlight=False
    )
    console.print(f"[bold]{HOSTILE}[/]")
    assert shown.getvalue() == f"\x1b[1m{SHOWN}\x1b[0m\n"


def test_a_cell_of_a_pipes_table_is_one_line_without_tabs():
    shown = io.StringIO()
    print_table(SafeConsole(file=shown), ("class",), [("a\tb\nc\x1b[0m",)])
    assert shown.getvalue() == "class\na\\tb\\nc\\x1b[0m\n"


def test_progress_of_a_step_is_escaped(toy):
    shown = io.StringIO()
    progress = RunProgress(SafeConsole(file=shown, width=300), ["count"])
    step = toy.dag().find("count")
    progress.started(step, [f"input {HOSTILE} changed"])
    progress.line(step, f"count: {HOSTILE.replace(chr(13), '')}")
    progress.ended(StepResult("count", "ran", 0.0, f"/r/{HOSTILE}"))
    started, line, ended = shown.getvalue().splitlines()
    assert started == f"> count input {SHOWN} changed"
    assert line == f"    {SHOWN}".replace(r"\r", "")
    assert ended.endswith(SHOWN)


def test_the_graph_of_a_run_has_each_step_below_the_last_that_it_read():
    def step(name, *reads, status="ran", gone=False):
        return {
            "step": name,
            "status": status,
            "seconds": 1.25,
            "artifact": "Model #1",
            "gone": gone,
            "output": "/r/[b]",
            "error": "",
            "reads": list(reads),
        }

    shown = io.StringIO()
    steps = [
        step("read", status="cached"),
        step("count", "read"),
        step("train", "read", "count", gone=True),
        step("judge", status="killed"),
    ]
    print_steps(Console(file=shown, width=200), steps)
    assert [line.rstrip() for line in shown.getvalue().splitlines()] == [
        "≡ read cached  Model #1  /r/[b]",
        "└── ✓ count ran 1.2 s  Model #1  /r/[b]",
        "    └── ✓ train ran 1.2 s  and read  Model #1 gone  /r/[b]",
        "• judge killed 1.2 s  Model #1  /r/[b]",
    ]


def test_in_a_pipe_what_is_of_passing_interest_is_said_every_ten_seconds(toy, monkeypatch):
    now = iter([0.0, 9.0, 10.0, 19.0, 20.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    shown = io.StringIO()
    step = toy.dag().find("count")
    with RunProgress(SafeConsole(file=shown, width=80), ["count"]) as progress:
        progress.started(step, ["why"])
        for number in range(4):
            progress.passing(step, f"{number} of 4 shards\nand more")
    assert shown.getvalue() == "> count why\n    1 of 4 shards\n    3 of 4 shards\n"


def test_on_a_terminal_what_is_of_passing_interest_stands_beside_the_step(toy):
    shown = io.StringIO()
    terminal = SafeConsole(file=shown, width=80, force_terminal=True, force_interactive=True)
    step = toy.dag().find("count")
    with RunProgress(terminal, ["count"]) as progress:
        progress.started(step, ["why"])
        progress.passing(step, "1 of [red] shards")
        assert progress._status.status == "[bold]count[/] [dim]1 of \\[red] shards[/]"
    assert "1 of \\[red]" not in shown.getvalue()
