"""One log file per step: everything that the step, its libraries and their C++ print."""

import contextlib
import logging
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from etils.epath import Path

from millrace.components.progress import notices
from millrace.components.user_code import frames

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Lines(logging.Handler):
    """Hands each message on, as one line for a person; see `progress.notices` for other kinds."""

    def __init__(self, on_line: Callable[[str], None], on_passing: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._by_kind = {"": on_line, notices.PASSING: on_passing}

    def emit(self, record: logging.LogRecord) -> None:
        if (say := self._by_kind.get(notices.kind(record))) is not None:
            say(record.getMessage())


class _Records(logging.StreamHandler[TextIO]):
    """Writes records to the log file."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing: on a full disk the step's own error is the one to show."""


@contextlib.contextmanager
def capture(
    path: Path,
    packages: set[str],
    on_line: Callable[[str], None],
    on_passing: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Send standard output, standard error and log records to `path` while the block runs.

    Records of INFO and above from loggers of `packages` go to `on_line` as well: they are
    the progress that a component reports; to `on_passing` where the next one replaces it. An
    exception's traceback is written to the file.
    """
    with pathlib.Path(path).open("a", buffering=1) as file:
        records = _Records(file)
        records.setFormatter(logging.Formatter(FORMAT))
        lines = _Lines(on_line, on_passing)
        loggers = [logging.getLogger(package) for package in packages]
        levels = [logger.level for logger in loggers]
        logging.getLogger().addHandler(records)
        for logger in loggers:
            logger.setLevel(logging.INFO)
            logger.addHandler(lines)
        try:
            with _redirected(file), _traceback_logged():
                yield
        finally:
            logging.getLogger().removeHandler(records)
            for logger, level in zip(loggers, levels, strict=True):
                logger.removeHandler(lines)
                logger.setLevel(level)


@contextlib.contextmanager
def _traceback_logged() -> Iterator[None]:
    """Log the traceback of what ends the block, by whatever handlers its libraries have added.

    What a person's own code has to do with it comes first.
    """
    try:
        yield
    except BaseException as error:
        own = frames.find(error)
        first = f" an error in code of yours:\n{own}\nThe whole traceback:" if own else ""
        logging.getLogger(__name__).error("the step ended with%s", first, exc_info=True)
        raise


@contextlib.contextmanager
def _redirected(file: TextIO) -> Iterator[None]:
    """Point file descriptors 1 and 2 at `file`, for what C++ libraries and children print.

    So for Python's own streams, which in a notebook lead elsewhere.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [(number, os.dup(number)) for number in (1, 2)]
    try:
        for number, _ in saved:
            os.dup2(file.fileno(), number)
        with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in saved:
            os.dup2(copy, number)
            os.close(copy)
