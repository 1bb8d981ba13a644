"""What a request costs, compared with the bare call and the bare wire.

    python -m benchmarks.serving [--rounds N] [--seconds N] [--peer PYTHON]

Four servers on loopback, and their clients, share this machine's cores: the model server without
and with batching, a bare grpcio server of constant answers and, if `--peer` names the Python of an
environment with MLServer, that server around the same session. Each request is one row. The CPU
time is that of client and server together (Linux: from /proc).

All are called in turn, for a second each, in several rounds, so other work on the machine affects
all of them. A ratio is the median of the rounds' ratios, a figure the median of their figures. The
tables are Markdown, as in `benchmarks/README.md`:

- `batch` is the mean number of rows that ran together.
- "of the call's", "of the echo's" and "of MLServer's" rate: the requests per second as a fraction
  of those of the session called in a loop with batches of that many rows, and of the other servers.
- `cost` is the CPU time of a request as a multiple of that of the bare call, for one row of such a
  batch, plus that of the bare server; `p50` the median as a multiple of the sum of their medians.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import served, servers, verdict
from benchmarks.load import LoadJob, Measured
from benchmarks.servers import RunningServer, Worker
from benchmarks.verdict import Case, Round

_AT_ONCE = (1, 8, 64)


@dataclasses.dataclass
class Bench:
    """Everything that runs: the servers, their clients, and for how long."""

    folder: pathlib.Path
    seconds: float
    off: RunningServer
    on: RunningServer
    echo: RunningServer
    peer: RunningServer | None
    client: Worker
    peer_client: Worker | None
    session: Worker

    def send(self, kind: Any, model: str, at_once: int, server: RunningServer) -> Measured:
        """Call `server` for a while."""
        worker = self.peer_client if kind == "mlserver" and self.peer_client else self.client
        return worker.do(self._job(kind, model, at_once, server))

    def call(self, model: str, rows: int) -> Measured:
        """Call the session in a process of its own for a while."""
        job = self._job("call", model, 1, None)
        return self.session.do(dataclasses.replace(job, rows=rows, seconds=self.seconds / 2))

    def _job(self, kind: Any, model: str, at_once: int, server: RunningServer | None) -> LoadJob:
        return LoadJob(
            kind,
            str(self.folder),
            model,
            at_once,
            warm_up=self.seconds / 5,
            seconds=self.seconds,
            target=server.target if server else "",
            server=server.process if server else 0,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of everything")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--peer", type=pathlib.Path, help="Python with MLServer")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        bench = _start(pathlib.Path(name), arguments.seconds, arguments.peer, stack)
        cases = []
        for model in served.MODELS:
            for at_once in _AT_ONCE:
                rounds = [_round(bench, model, at_once) for _ in range(arguments.rounds)]
                cases.append(Case(model, at_once, rounds))
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(
        f"{os.cpu_count()} cores, {arguments.rounds} rounds of {arguments.seconds} s each, "
        f"{time.monotonic() - began:.0f} s in all; load {os.getloadavg()[2]:.1f}; "
        f"batching on: {servers.BATCHING}\n"
    )
    for table in (verdict.ours(cases), verdict.others(cases), verdict.targets(cases)):
        print(f"{table}\n")


def _start(
    folder: pathlib.Path,
    seconds: float,
    python: pathlib.Path | None,
    stack: contextlib.ExitStack,
) -> Bench:
    served.export_all(folder)
    off = stack.enter_context(servers.millrace(folder, batching=False))
    bench = Bench(
        folder,
        seconds,
        off=off,
        on=stack.enter_context(servers.millrace(folder, batching=True)),
        echo=stack.enter_context(servers.echo(folder, off)),
        peer=stack.enter_context(servers.mlserver(folder, python)) if python else None,
        client=Worker(sys.executable, folder / "client.log"),
        peer_client=Worker(str(python), folder / "peer_client.log") if python else None,
        session=Worker(sys.executable, folder / "session.log"),
    )
    for worker in filter(None, (bench.client, bench.peer_client, bench.session)):
        stack.callback(worker.close)
    return bench


def _round(bench: Bench, model: str, at_once: int) -> Round:
    """Everything once, one right after another."""
    echo = bench.send("echo", model, at_once, bench.echo)
    off = bench.send("millrace", model, at_once, bench.off)
    before = bench.on.batches()
    on = bench.send("millrace", model, at_once, bench.on)
    rows, batches = (a - b for a, b in zip(bench.on.batches(), before, strict=True))
    batch = rows / max(1.0, batches)
    peer = bench.send("mlserver", model, at_once, bench.peer) if bench.peer else None
    one = bench.call(model, 1)
    many = one if round(batch) <= 1 else bench.call(model, round(batch))
    return Round(off=off, on=on, echo=echo, peer=peer, one=one, many=many, batch=batch)


if __name__ == "__main__":
    main()
