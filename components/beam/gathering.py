"""One pass over records whose findings, a few for each shard, are gathered for the analysis."""

import functools
import pickle
from collections.abc import Callable, Sequence
from typing import TypeVar

from etils.epath import Path

from millrace.components.beam.options import BeamOptions

Item = TypeVar("Item")
Found = TypeVar("Found")


def gather(
    items: Sequence[Item],
    find: Callable[[Item], list[Found]],
    file: Path,
    run_on: BeamOptions,
) -> list[Found]:
    """What `find` gives for each of `items`, in any order; `file` is written on the way, and goes.

    Args:
        items: such as shards; each is one unit of work.
        find: may be sent to other processes.
        file: where every worker can write.
        run_on: the Beam runner.
    """
    import apache_beam as beam

    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Items" >> beam.Create(items)
            | "Find" >> beam.Map(find)
            | "Merge" >> beam.CombineGlobally(_joined)
            | "Write" >> beam.Map(functools.partial(_write, file))
        )
    found: list[Found] = pickle.loads(file.read_bytes())  # noqa: S301 - written above
    file.unlink()
    return found


def _joined(parts: Sequence[list[Found]]) -> list[Found]:
    return [item for part in parts for item in part]


def _write(file: Path, found: list[Found]) -> None:
    file.write_bytes(pickle.dumps(found))
