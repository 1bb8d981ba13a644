"""Passes on workers that see neither the driver's disk nor the project: recipes, and a kill.

    python -m tests.faults.far_workers [--prism PROGRAM] DATA [ROW]…

DATA is a folder of real data sets (`ROWS` names them). A Dask scheduler and two workers run on this
machine, each worker in a mount namespace of its own: the folder in which the driver works, with the
project, its scratch folder and its copies, is empty there, and so is DATA. With `--prism` it is
Prism, and a pool in such a namespace. Between them lie moto's S3 server and PostgreSQL. Each row
runs twice: here, on a local root, and with its root, and mostly its data, in a bucket, with those
workers. What must hold:

- the digest of each step that Beam did is the same;
- every pass with two shards or more was done by two processes;
- a worker of Dask that is killed during a run costs nothing but time;
- nothing is left in the root's `exchange/`, nor in the scratch folder of a worker that has ended.

Needs root, for `unshare --mount`.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from millrace.pipeline.console import print_table, stdout_console
from millrace.pipeline.records import RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving import remote
from tests import engines, servers
from tests.command import millrace

OWN = "flowers"  # the project of `millrace init`
Start = Callable[..., contextlib.AbstractContextManager[engines.Engine]]
_PASS = re.compile(r" INFO [\w.]+: \w+: (\d+) shards by (\d+) processes")
_BY_BEAM = ("example_gen", "statistics_gen", "analyze", "transform", "evaluator")


class Row(NamedTuple):
    """A recipe, the data set that it reads, settings, the last step, and whether data stay here."""

    recipe: str
    data: str
    settings: tuple[str, ...] = ()
    to: str = "transform"
    is_local: bool = False


ROWS = {
    "own code": Row(
        f"{OWN}.recipe:recipe",
        "sign_language_digits",
        ("image_example_gen.shards=4", "trainer.epochs=1"),
        "evaluator",
    ),
    "images, not in the bucket": Row(
        *("sign-language", "sign_language_digits", ("image_example_gen.shards=4",)), is_local=True
    ),
    "images in arrays": Row("image-classifier", "cmaterdb/telugu-numerals"),
    "table": Row(
        "bike-demand",
        "bike_sharing",
        ("csv_example_gen.shards=4", "trainer.epochs=1"),
        "evaluator",
    ),
    "texts in folders": Row("bbc-news", "bbc_news", ("text_example_gen.shards=3",)),
    "texts in a table": Row("sms-spam", "sms_spam", ("text_example_gen.shards=3",)),
    "language": Row("irish-lyrics", "irish_lyrics"),
    "series": Row("daily-temperatures", "daily_min_temperatures"),
}


def main() -> int:
    """Print a line for each row; returns 1 if something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", metavar="DATA", type=pathlib.Path)
    parser.add_argument("rows", metavar="ROW", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--prism", metavar="PROGRAM", type=pathlib.Path)
    arguments = parser.parse_intermixed_args()
    engine: Start = engines.dask
    if arguments.prism:
        engine = functools.partial(engines.prism, str(arguments.prism.resolve()))
    told = []
    with tempfile.TemporaryDirectory() as name, _servers(pathlib.Path(name), engine) as trial:
        for row in arguments.rows:
            for line in trial.carried_out(row, ROWS[row], arguments.data.resolve()):
                print(*line, sep=", ", flush=True)
                told.append(line)
    print_table(stdout_console(), ("row", "steps", "passes", "here s", "there s", "found"), told)
    return int(any(found != "equal" for *_, found in told))


class Trial(NamedTuple):
    """Where the driver and its workers are, the bucket, and how their engine starts."""

    driver: pathlib.Path
    workers: pathlib.Path
    bucket: str
    engine: Start

    def carried_out(self, name: str, row: Row, data: pathlib.Path) -> Iterator[tuple[str, ...]]:
        """What there is to say of a row, and of another run of it in which a worker is killed."""
        slug = name.replace(" ", "-").replace(",", "")
        source = data / row.data
        started = time.monotonic()
        here = self._run(row, str(source), str(self.driver / slug), [], MILLRACE_STORE="")
        seconds = time.monotonic() - started
        local = _digests(Root(self.driver / slug).store_url, here)
        if not row.is_local:
            remote.upload(source, f"{self.bucket}/data/{row.data}")
            source = f"{self.bucket}/data/{row.data}"
        kills = name == "own code" and self.engine is engines.dask
        for kill in (False, True) if kills else (False,):
            (folder := self.workers / f"{slug}-{kill}").mkdir()
            root = f"{self.bucket}/{slug}-{kill}"
            with self.engine(folder, [self.driver, data]) as engine:
                killer = threading.Thread(target=_kill_in, args=(engine, root, "transform"))
                killer.start() if kill else None
                started = time.monotonic()
                run = self._run(row, str(source), root, engine.flags)
                taken = time.monotonic() - started
                killer.join() if kill else None
            there = _digests(os.environ["MILLRACE_STORE"], run)
            passes, alone = _passes(root, run, there)
            found = [step for step in local if there[step] != local[step]]
            found += [] if kill else alone
            found += sorted(remote.files(f"{root}/exchange")) + _copies(engine)
            yield (
                f"{name}, a worker killed" if kill else name,
                *(str(len(local)), str(passes), f"{seconds:.0f}", f"{taken:.0f}"),
                "equal" if not found else f"not as it must be: {found}",
            )

    def _run(self, row: Row, data: str, root: str, flags: Sequence[str], **environment: str) -> str:
        settings = [part for setting in row.settings for part in ("--set", setting)]
        command = ("run", row.recipe, "--data", data, "--root", root, "--to", row.to, "--json")
        beam = ["--", *flags] if flags else []
        done = millrace(
            *command, *settings, *beam, cwd=self.driver / OWN, timeout=1200, **environment
        )
        assert done.returncode == 0, done.stderr[-6000:]
        return str(json.loads(done.stdout)["run"])


def _copies(engine: engines.Engine) -> list[str]:
    """What workers that were not killed keep in their scratch folders."""
    ended = [folder for folder in engine.scratch if folder.name != "worker-0"]
    return sorted(str(place) for folder in ended for place in folder.glob("workers/*"))


def _kill_in(engine: engines.Engine, root: str, step: str) -> None:
    """Kill a worker as soon as a pass of `step` has begun."""
    begun = re.compile(rf"[^/]+/{step}/[^/]+/given/pass")
    while not any(begun.fullmatch(name) for name in remote.files(f"{root}/exchange")):
        time.sleep(0.2)
    engine.workers[0].send_signal(signal.SIGKILL)


def _digests(url: str, run: str) -> dict[str, str]:
    """What each step wrote that Beam did, by its content, as the store at `url` has it."""
    with contextlib.closing(Store.open(url)) as store, store.session() as session:
        done = session.get_one(RunRecord, run).executions
        return {one.step: one.output.digest for one in done if one.step.endswith(_BY_BEAM)}


def _passes(root: str, run: str, steps: dict[str, str]) -> tuple[int, list[str]]:
    """How many passes with two shards or more there were, and those that one process did."""
    found, alone = 0, []
    for step in steps:
        for shards, workers in _PASS.findall(remote.read(f"{root}/runs/{run}/{step}.log").decode()):
            found += shards != "1"
            alone += [f"{step}: {shards} shards by one"] if shards != "1" == workers else []
    return found, alone


@contextlib.contextmanager
def _servers(folder: pathlib.Path, engine: Start) -> Iterator[Trial]:
    """What lies between the driver and the workers, and a project of one's own."""
    trial = Trial(folder / "driver", folder / "workers", "s3://far", engine)
    with servers.s3() as environment, servers.postgresql() as store:
        os.environ |= {
            **environment,
            "MILLRACE_STORE": store,
            "MILLRACE_SCRATCH": str(trial.driver / "scratch"),
        }
        for place in (trial.driver, trial.workers):
            place.mkdir()
        import s3fs

        s3fs.S3FileSystem().mkdir("far")
        made = millrace("init", trial.driver / OWN)
        assert made.returncode == 0, made.stderr
        yield trial
    shutil.rmtree(trial.driver)


if __name__ == "__main__":
    sys.exit(main())
