"""No text of unknown origin can command a terminal, or stand in another order than it has."""

import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pipeline.console import RunProgress, SafeConsole, print_table
from pipeline.printable import one_line, printable
from pipeline.results import StepResult

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\x9b1m\udce9"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\x9b1m\udce9"


def test_control_characters_overrides_and_half_pairs_are_escaped():
    assert printable(HOSTILE) == SHOWN


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text):
    kept = printable(text)
    assert {c for c in kept if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} <= {"\t", "\n"}
    assert {c for c in kept if unicodedata.bidirectional(c) in OVERRIDES} == set()
    assert not {"\t", "\n"} & set(one_line(text))


OVERRIDES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))))
def test_plain_text_of_any_script_stays_as_it_is(text):
    assert printable(text) == text


def test_joiners_within_words_and_emoji_stay():
    for text in ("\u0645\u06cc\u200c\u062e", "\N{WOMAN}\u200d\N{MICROSCOPE}"):
        assert printable(text) == text


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
