"""What a component logs that is no line of its own for a person: `extra` of a log record.

logger.info("12 of 40 shards", extra=notices.OF_PASSING)    the next one replaces it on a terminal
logger.info("%s", table, extra=notices.FOR_THE_LOG)         in the step's log alone
"""

import contextlib
import logging
from collections.abc import Iterator

PASSING, LOG = "passing", "log"
OF_PASSING, FOR_THE_LOG = {"notice": PASSING}, {"notice": LOG}


def kind(record: logging.LogRecord) -> str:
    """Which of these `record` is; empty for a line like any other."""
    return str(getattr(record, "notice", ""))


@contextlib.contextmanager
def all_passing(logger: logging.Logger) -> Iterator[None]:
    """Let what `logger` says while the block runs be of passing interest."""

    def mark(record: logging.LogRecord) -> bool:
        if not kind(record) and record.levelno < logging.WARNING:
            record.notice = PASSING
        return True

    logger.addFilter(mark)
    try:
        yield
    finally:
        logger.removeFilter(mark)


def to_go(seconds: float) -> str:
    """`about 40 s to go`, in minutes where that is long."""
    if seconds < 120:
        return f"about {seconds:.0f} s to go"
    return f"about {seconds / 60:.0f} min to go"
