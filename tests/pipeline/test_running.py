"""A run from request to report, without a command line."""

import io
import signal

import pytest

from millrace.components.errors import DataError
from millrace.pipeline import report
from millrace.pipeline.console import SafeConsole
from millrace.pipeline.errors import Stopped, UsageError
from millrace.pipeline.run_request import RunRequest
from millrace.pipeline.running import carry_out
from millrace.pipeline.ui import report_file
from tests.pipeline import toys


@pytest.fixture
def run(toy):
    """Carry out the toy pipeline; returns its result, or what it raised, and the console's text."""

    def carried(*settings, interruption=lambda: None):
        toys.CALLS.clear()
        console = SafeConsole(file=io.StringIO(), width=200)
        request = RunRequest(toy.dag(*settings), "toy", "millrace run toy")
        try:
            result = carry_out(request, toy.root, toy.store, console, interruption)
        except BaseException as error:
            result = error
        return result, console.file.getvalue()

    return carried


def test_progress_and_outcome_are_shown_and_the_report_is_written(toy, run):
    result, shown = run()
    assert result.status == "done"
    assert "> read this step has not run before" in shown
    assert "verdict blessed: told so" in shown
    assert toy.root.report(result.run).exists()


def test_a_run_that_is_done_stays_done_if_its_report_cannot_be_written(run, monkeypatch):
    def failing(*_):
        raise DataError("/a: expected statistics. Received: zeros. Run it again.")

    monkeypatch.setattr(report_file, "write", failing)
    monkeypatch.setattr(report, "closing_lines", failing)
    result, shown = run()
    assert result.status == "done"
    told = "report  not complete: /a: expected statistics. Received: zeros. Run it again. "
    assert shown.count(f"{told}`millrace verify` says what is damaged.") == 2


def test_that_no_step_has_run_before_is_said_once(run):
    _, shown = run()
    assert shown.count("not run before") == 1
    assert "> count\n" in shown


def test_an_interrupted_run_has_its_report(toy, run):
    _, shown = run(interruption=lambda: Stopped(signal.SIGTERM) if "train" in toys.CALLS else None)
    with toy.store.session() as session:
        killed = toy.store.find_run(session, "latest")
        place = toy.root.report(killed.id)
    assert f"report  {place}\n" in shown
    assert "train" in place.read_text()


def test_an_interrupted_run_says_how_to_resume_it(run):
    def interruption():
        return Stopped(signal.SIGTERM) if "train" in toys.CALLS else None

    error, shown = run(interruption=interruption)
    assert isinstance(error, Stopped)
    assert shown.endswith("\nStopped by SIGTERM.\nresume  millrace run toy\n")


def test_flags_that_beam_does_not_take_cannot_be_requested(toy):
    with pytest.raises(UsageError, match="Beam flags: expected --flag=value"):
        RunRequest(toy.dag(), "toy", "millrace run toy", beam_flags=("flag",))
