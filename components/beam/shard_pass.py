"""The one way in which components use Beam: a pass over shards, each the work of one worker.

A shard, such as a file of records, is read, worked on and written by one worker, so that no record
travels between workers. What a worker reports (counts, sums, what it set aside) is its note.
Shards and notes travel in files: they may be of any size, and arrive the same way from every
runner. Notes come back in the order of the shards, so that what is merged of them is the same to
the last bit, whatever the runner and the number of its workers.
"""

import functools
import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from etils.epath import Path

from millrace.components.beam.options import BeamOptions
from millrace.serving import cores
from millrace.serving.errors import MillraceError

Shard = TypeVar("Shard")
Note = TypeVar("Note")

_FOLDER = ".notes"  # below the folder that a caller names; gone at the end
_TIMED = 2  # shards that tell how long the others take: the first one's time is also of imports
LONG, SHORT = 10.0, 5.0
"""Seconds of work that are worth a process for each core, with TensorFlow to import and without."""

logger = logging.getLogger(__name__)


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
        worth: without flags, for how many seconds of work a process for each core is started; 0:
            for any.

    Raises:
        MillraceError: `work` raised it; of several, the one of the first shard. It is a note as
            well, for a runner would wrap it or try again.
    """
    notes = Path(folder) / _FOLDER
    notes.mkdir(parents=True)
    count = 0
    for count, shard in enumerate(shards, start=1):
        _file(notes, "shard", count - 1).write_bytes(pickle.dumps(shard))
    numbered = functools.partial(_work, notes, work)
    timed = 0
    if not run_on.flags and cores.available() > 1:
        if worth and count > _TIMED:
            timed = _TIMED
            _run(label, numbered, range(timed), run_on)
        if not worth or _seconds(notes) * (count - timed) > worth:
            run_on = _in_processes(count - timed)
    _run(label, numbered, range(timed, count), run_on)
    for failure in sorted(notes.glob("error-*")):
        raise _load(failure)
    return _read(notes, count)


def _run(label: str, work: Callable[[int], None], shards: range, run_on: BeamOptions) -> None:
    import apache_beam as beam

    with run_on.pipeline() as pipeline:
        _ = pipeline | "Shards" >> beam.Create(shards) | label >> beam.Map(work)


def _seconds(notes: Path) -> float:
    """What the second of the timed shards took; 0 if it failed."""
    files = map(os.fspath, notes.glob("note-*"))
    ends = sorted(map(os.path.getmtime, files))  # etils' `stat` has whole seconds
    return ends[-1] - ends[0] if len(ends) == _TIMED else 0.0


def _in_processes(shards: int) -> BeamOptions:
    """A process for each core, as far as there are shards for them."""
    workers = min(cores.available(), shards)
    logger.info(
        "in %d processes, since it takes long; `-- --direct_num_workers=1` keeps to one", workers
    )
    flags = ("--direct_running_mode=multi_processing", f"--direct_num_workers={workers}")
    return BeamOptions(flags if workers > 1 else ())


def _work(notes: Path, work: Callable[[Shard], Note], index: int) -> None:
    try:
        note = work(_load(_file(notes, "shard", index)))
    except MillraceError as error:
        _file(notes, "error", index).write_bytes(pickle.dumps(error))
    else:
        _file(notes, "note", index).write_bytes(pickle.dumps(note))


def _read(notes: Path, count: int) -> Iterator[Note]:
    for index in range(count):
        yield _load(_file(notes, "note", index))
    notes.rmtree()


def _load(file: Path) -> Any:
    return pickle.loads(file.read_bytes())  # noqa: S301 - written above


def _file(notes: Path, kind: str, index: int) -> Path:
    return notes / f"{kind}-{index:05d}"
