"""The one way in which components use Beam: a pass over shards, each the work of one worker.

A shard, such as a file of records, is read, worked on and written by one worker, so that no record
travels between workers. What a worker reports (counts, sums, what it set aside) is its note.
Shards and notes travel in files: they may be of any size, and arrive the same way from every
runner. Notes come back in the order of the shards, so that what is merged of them is the same to
the last bit, whatever the runner and the number of its workers.

Workers that do not see this machine's disk get all of it through an object store (`exchange`).

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

from millrace.components.beam import exchange, far_worker, joining, notes, pipelines
from millrace.components.beam.exchange import Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.progress import notices

Shard = TypeVar("Shard")
Note = TypeVar("Note")

logger = logging.getLogger(__name__)

_SAY_EVERY = 2.0  # seconds
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
    reads: Reads | None = None,
) -> Iterator[Note]:
    """Run `work` on each of `shards`, and give what it returns, in the order of the shards.

    The work is done when this returns; the notes are read one by one.

    Args:
        label: of the Beam step.
        shards: can be pickled; each is one unit of work.
        work: may be sent to other processes; returns what can be pickled.
        folder: what `work` writes lies below it; nothing else stays there once the notes were read.
        run_on: Beam's flags.
        worth: without flags, the seconds after which a process for each other core joins; 0: at
            once.
        reads: which files are read for a shard, where these are named by a folder of many.

    Raises:
        MillraceError: `work` raised it; of several, the one of the first shard. It is a note as
            well, for a runner would wrap it or try again.
    """
    place = Path(folder) / notes.FOLDER
    run = functools.partial(pipelines.run, run_on.flags, label)
    if run_on.exchange:
        with exchange.opened(run_on.exchange, folder, reads) as far:
            count = far.give(place, shards, work)
            with _told(far.done, count):
                run(functools.partial(far_worker.work_on, far.url), range(count))
            far.bring_back(place)
        return notes.collect(place, count, label)
    count = notes.hand_out(place, shards)
    with _told(functools.partial(notes.done, place), count):
        if run_on.flags:
            run(notes.hand_over(place, work), range(count))
        else:
            joining.work_through(place, work, count, worth, forked=worth >= LONG, run=run)
    return notes.collect(place, count, label if run_on.flags else "")


@contextlib.contextmanager
def _told(so_far: Callable[[], int], count: int) -> Iterator[None]:
    """Say every few seconds how many shards are done, how fast, and how long the rest will take."""
    start, ended = time.monotonic(), threading.Event()

    def tell() -> None:
        while not ended.wait(_SAY_EVERY):
            done = so_far()
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
