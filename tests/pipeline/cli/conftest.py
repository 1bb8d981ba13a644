"""The command, called in this process."""

import sys

import pytest

from millrace.pipeline.cli import main as command


@pytest.fixture
def millrace(monkeypatch, capfd):
    """Runs the command in this process; returns its exit code and what it printed."""

    def run(line, *more):
        monkeypatch.setattr(sys, "argv", ["millrace", *line.split(), *map(str, more)])
        code = 0
        try:
            command.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return run
