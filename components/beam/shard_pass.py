"""The one way in which components use Beam: a pass over shards, each the work of one worker.

A shard, such as a file of records, is read, worked on and written by one worker, so that no record
travels between workers. What a worker reports (counts, sums, what it set aside) is its note.
Shards and notes travel in files: they may be of any size, and arrive the same way from every
runner. Notes come back in the order of the shards, so that what is merged of them is the same to
the last bit, whatever the runner and the number of its workers.

Without Beam's flags its in-process runner does the work, and where that takes long, other processes
of this machine join it (`joining`).
"""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from etils.epath import Path

from millrace.components.beam import joining, notes, pipelines
from millrace.components.beam.options import BeamOptions
from millrace.components.progress import notices

Shard = TypeVar("Shard")
Note = TypeVar("Note")

logger = logging.getLogger(__name__)

_SAY_EVERY = 2.0  # seconds
_FOLDER = ".notes"  # below the folder that a caller names; gone at the end
LONG, SHORT = 4.0, 1.0
"""Seconds of work after which others join, with TensorFlow to import and without."""


def shard_pass(
    label: str,
    shards: Iterable[Shard],
    work: Callable[[Shard], Note],
    folder: Path,
    run_on: BeamOptions,
    *,
    worth: float = LONG,
) -> Iterator[Note]:
    """Run `work` on each of `shards`, and give what it returns, in the order of the shards.

    The work is done when this returns; the notes are read one by one.

    Args:
        label: of the Beam step.
        shards: can be pickled; each is one unit of work.
        work: may be sent to other processes; returns what can be pickled.
        folder: where every worker can write; nothing stays there once the notes were read.
        run_on: Beam's flags.
        worth: without flags, the seconds after which a process for each other core joins; 0: at
            once.

    Raises:
        MillraceError: `work` raised it; of several, the one of the first shard. It is a note as
            well, for a runner would wrap it or try again.
    """
    place = Path(folder) / _FOLDER
    count = notes.hand_out(place, shards)
    run = functools.partial(pipelines.run, run_on.flags, label)
    with _told(place, count):
        if run_on.flags:
            run(notes.hand_over(place, work), range(count))
        else:
            joining.work_through(place, work, count, worth, forked=worth >= LONG, run=run)
    return notes.collect(place, count, label if run_on.flags else "")


@contextlib.contextmanager
def _told(place: Path, count: int) -> Iterator[None]:
    """Say every few seconds how many shards are done, how fast, and how long the rest will take."""
    start, ended = time.monotonic(), threading.Event()

    def tell() -> None:
        while not ended.wait(_SAY_EVERY):
            done = notes.done(place)
            if 0 < done < count:
                seconds = time.monotonic() - start
                logger.info(
                    "%d of %d shards, %.3g/s, %s",
                    done,
                    count,
                    done / seconds,
                    notices.to_go(seconds / done * (count - done)),
                    extra=notices.OF_PASSING,
                )

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
