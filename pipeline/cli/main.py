"""The command `millrace`. Exit codes: 0 done, 1 a step failed, 2 wrong usage, 3 anomalies.

Those of signals are as in a shell: 129 SIGHUP, 130 SIGINT, 143 SIGTERM.
Modules that a command needs are imported in it: `millrace --help` starts in a blink.
"""

import gc
import pathlib
import sys

from millrace.pipeline.cli import (
    backtest,
    execute,
    history,
    models,
    project,
    registry,
    report,
    steps,
    stopping,
    ui,
    upkeep,
)
from millrace.pipeline.cli.app import app, warn
from millrace.pipeline.errors import UsageError, describe_error, is_of_the_system
from millrace.pipeline.own_code import importable
from millrace.serving.errors import MillraceError

__all__ = [
    "backtest",
    "execute",
    "history",
    "main",
    "models",
    "project",
    "registry",
    "report",
    "steps",
    "ui",
    "upkeep",
]

# Most of a run's objects are made by imports and stay: Python would look through them 8 times.
_COLLECTED_AFTER = (50_000, 20, 20)  # new objects, then collections of the younger


def main() -> None:
    """Entry point of the command `millrace`."""
    gc.set_threshold(*_COLLECTED_AFTER)
    importable(pathlib.Path.cwd())
    stopping.listen()
    stopping.end_quickly()
    try:
        app()
    except UsageError as error:
        _fail(describe_error(error), 2)
    except MillraceError as error:
        _fail(describe_error(error), 1)
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("millrace"):
            raise
        _fail(
            f"This needs {error.name}, which is not installed here. requirements-serving.lock has "
            "what serving and asking need, CSV files aside; requirements.lock has everything.",
            1,
        )
    except OSError as error:
        if not is_of_the_system(error):
            raise
        _fail(describe_error(error), 1)
    except KeyboardInterrupt:
        _fail("Interrupted.", 130)


def _fail(error: object, code: int) -> None:
    warn(f"millrace: {error}")
    sys.exit(code)
