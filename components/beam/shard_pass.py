"""A pass over shards, each the work of one worker: the one way in which components use Beam.

Without Beam's flags there is no Beam, whose import and pipelines cost a short run a second: the
shards are worked on here, and in other processes as well once that takes long (`processes`).

A shard, such as a file of records, is read, worked on and written by one worker, so that no record
travels between workers. What a worker reports (counts, sums, what it set aside) is its note.
Shards and notes travel in files: they may be of any size, and arrive the same way from every
runner. Notes come back in the order of the shards, so that what is merged of them is the same to
the last bit, whatever the runner and the number of its workers.
"""

import functools
import pathlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from etils.epath import Path

from millrace.components.beam import processes
from millrace.components.beam.options import BeamOptions
from millrace.serving.errors import MillraceError

Shard = TypeVar("Shard")
Note = TypeVar("Note")

_FOLDER = ".notes"  # below the folder that a caller names; gone at the end


def shard_pass(
    label: str,
    shards: Iterable[Shard],
    work: Callable[[Shard], Note],
    folder: Path,
    run_on: BeamOptions,
    *,
    worth: float = processes.LONG,
) -> Iterator[Note]:
    """Run `work` on each of `shards`, and give what it returns, in the order of the shards.

    The work is done when this returns; the notes are read one by one.

    Args:
        label: of the Beam step.
        shards: can be pickled; each is one unit of work.
        work: may be sent to other processes; returns what can be pickled.
        folder: where every worker can write; nothing stays there once the notes were read.
        run_on: Beam's flags.
        worth: without flags, the seconds of work left for which other processes are started; less
            where these import little.

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
    if run_on.flags:
        _by_beam(label, numbered, count, run_on)
    else:
        processes.run(numbered, count, pathlib.Path(notes), worth)
    for failure in sorted(notes.glob("error-*")):
        raise _load(failure)
    return _read(notes, count)


def _by_beam(label: str, work: Callable[[int], None], count: int, run_on: BeamOptions) -> None:
    import apache_beam as beam

    with run_on.pipeline() as pipeline:
        _ = pipeline | "Shards" >> beam.Create(range(count)) | label >> beam.Map(work)


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
