"""Whether pages take as long with a thousand runs as with ten.

    python -m benchmarks.pages [--runs 10 --runs 100 --runs 1000] [--rounds 20]

For each number of runs a root is made whose store has that many of twelve steps each, two of which
come from the cache, so that 1,000 runs have 10,000 artifacts. The records are those that a run
writes; the folders are empty but for the pushed versions, so what is timed is the server, the store
and the templates. Milliseconds are the median of `--rounds` requests, after one that is not timed.
"""

import argparse
import asyncio
import datetime
import pathlib
import statistics
import tempfile
import time

from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.orm import Session

from millrace.pipeline.records import ArtifactRecord, EventRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.ui import server
from millrace.pipeline.ui.site import Site

_STEPS = {  # what each makes, and of which steps
    "example_gen": ("Examples", ()),
    "statistics_gen": ("Statistics", ("example_gen",)),
    "schema_gen": ("Schema", ("statistics_gen",)),
    "example_validator": ("Anomalies", ("statistics_gen", "schema_gen")),
    "analyze": ("Analysis", ("example_gen", "schema_gen")),
    "transform": ("Examples", ("example_gen", "analyze")),
    "rate_finder": ("LearningRate", ("transform",)),
    "trainer": ("TrainedModel", ("transform", "analyze")),
    "export": ("Model", ("trainer", "analyze")),
    "evaluator": ("Evaluation", ("export", "example_gen")),
    "infra_validator": ("InfraBlessing", ("export", "example_gen")),
    "pusher": ("PushedModel", ("export", "evaluator", "infra_validator")),
}
_CACHED = ("example_gen", "statistics_gen")
_VERSIONS = 3  # that are there
_FIRST = datetime.datetime(2026, 1, 1)


def main() -> None:
    """Print a table: page, and its milliseconds for each number of runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    sizes = arguments.runs or [10, 100, 1000]
    found = [_timed(size, arguments.rounds) for size in sizes]
    print(f"| page | {' | '.join(f'{size:,} runs' for size in sizes)} |")
    print(f"|---|{'---:|' * len(sizes)}")
    for page in found[0]:
        print(f"| {page} | {' | '.join(f'{one[page]:.1f}' for one in found)} |")


def _timed(runs: int, rounds: int) -> dict[str, float]:
    """Milliseconds of each page of a root with so many runs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Root(pathlib.Path(folder) / "mill")
        pathlib.Path(root.path).mkdir()
        store = Store.of(root)
        with store.session() as session:
            pages = _write(session, root, runs)
        store.close()
        return asyncio.run(_asked(root, pages, rounds))


async def _asked(root: Root, pages: dict[str, str], rounds: int) -> dict[str, float]:
    site = Site([root])
    found = {}
    async with TestClient(TestServer(server.application(site))) as client:
        for name, path in pages.items():
            taken = []
            for _ in range(rounds + 1):
                start = time.perf_counter()
                async with client.get(f"/mill/{path}") as answer:
                    await answer.read()
                    answer.raise_for_status()
                taken.append(time.perf_counter() - start)
            found[name] = 1000 * statistics.median(taken[1:])
    return found


def _write(session: Session, root: Root, runs: int) -> dict[str, str]:
    """Record `runs` runs; returns the pages to ask for, by what they are."""
    first: dict[str, ArtifactRecord] = {}
    made: dict[str, ArtifactRecord] = {}
    for number in range(runs):
        started = _FIRST + datetime.timedelta(minutes=number)
        run = _run(f"{started:%Y%m%d-%H%M%S}-{number:08x}", root, started)
        session.add(run)
        made = {}
        for step, (kind, reads) in _STEPS.items():
            is_cached = number > 0 and step in _CACHED
            made[step] = first[step] if is_cached else _artifact(root, step, run, kind, number)
            first.setdefault(step, made[step])
            status = "cached" if is_cached else "ran"
            session.add(
                _execution(run, step, status, made[step], {each: made[each] for each in reads})
            )
        session.flush()
    for number in range(max(0, runs - _VERSIONS), runs):
        version = pathlib.Path(root.serving) / "digits" / str(_version(number))
        version.mkdir(parents=True)
        (version / "saved_model.pb").touch()
    return {
        "the list of runs": "runs",
        "a run": f"runs/{run.id}",
        "two runs compared": f"compare?run={run.id}&run={_FIRST:%Y%m%d-%H%M%S}-{0:08x}",
        "data": "data",
        "examples that every run has read": f"artifacts/{first['example_gen'].id}",
        "an evaluation": f"artifacts/{made['evaluator'].id}",
        "lineage of an evaluation": f"lineage/{made['evaluator'].id}",
        "lineage of those examples": f"lineage/{first['example_gen'].id}",
        "models": "models",
        "the versions of a model": "models/digits",
    }


def _run(name: str, root: Root, started: datetime.datetime) -> RunRecord:
    arguments = {"command": "millrace run digits", "data": "", "spans": ""}
    ended = started + datetime.timedelta(seconds=30)
    return RunRecord(
        id=name,
        recipe="digits",
        pipeline="digits",
        root=root.name,
        arguments=arguments,
        status="done",
        started=started,
        ended=ended,
    )


def _artifact(root: Root, step: str, run: RunRecord, kind: str, number: int) -> ArtifactRecord:
    properties = {
        "Evaluation": {"blessed": True, "accuracy": 0.9 + number % 100 / 1000},
        "PushedModel": {"model": "digits", "version": _version(number)},
    }
    return ArtifactRecord(
        type=kind,
        uri=f"{root.path}/artifacts/{step}/{run.id}",
        digest=f"{number:064x}",
        properties=properties.get(kind, {}),
        created=run.started,
        files={"": {"part": [1, "0"]}},
    )


def _version(number: int) -> int:
    return 1_800_000_000 + number


def _execution(
    run: RunRecord, step: str, status: str, output: ArtifactRecord, reads: dict[str, ArtifactRecord]
) -> ExecutionRecord:
    names = {"export": "model", "evaluator": "evaluation"}
    events = [EventRecord(role="output", name="output", artifact=output)]
    events += [
        EventRecord(role="input", name=names.get(name, name), artifact=artifact)
        for name, artifact in reads.items()
    ]
    return ExecutionRecord(
        run=run,
        step=step,
        component=f"millrace.components.{step}",
        key=f"{step}-{output.digest}",
        ingredients={
            "options": {"seed": 1},
            "versions": {"numpy": "2.0"},
            "inputs": {},
            "code": {},
        },
        reasons=["option seed changed"],
        status=status,
        started=run.started,
        ended=run.ended,
        events=events,
    )


if __name__ == "__main__":
    main()
