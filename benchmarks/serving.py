"""What an answered request costs, beside the bare call and the bare wire.

    python -m benchmarks.serving [--seconds N] [--peer PYTHON] [--quick]

Four servers on loopback, and their clients, share this machine's cores: the model server
without and with batching, a bare grpcio server of constant answers, and, where `--peer` names
the Python of an environment with MLServer, that one around the same session. Each request is one
row. The CPU time of client and server together is counted (Linux: from /proc).

Columns: `batch` is the mean of the rows that ran together. `call`, `echo` and `peer` are the
requests per second as a part of those of the session called in a loop with batches of that many
rows, of the bare server, and of MLServer. `cost` is the CPU time of a request as a multiple of
that of the bare call for one row of such a batch and of the bare server together; `p50/bare` is
the median as a multiple of those two medians.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import served, servers
from benchmarks.load import Job, Measured
from benchmarks.servers import Server, Worker
from pipeline.console import print_table, stdout_console

_AT_ONCE = (1, 8, 64)
_TITLES = (
    *("model", "at once", "server", "p50 ms", "p99 ms", "requests/s", "CPU ms", "batch"),
    *("call", "echo", "peer", "cost", "p50/bare"),
)


@dataclasses.dataclass
class Bench:
    """Everything that runs: the servers, those who ask them, and how long."""

    folder: pathlib.Path
    seconds: float
    off: Server
    on: Server
    echo: Server
    peer: Server | None
    client: Worker
    peer_client: Worker | None
    session: Worker

    def ask(self, way: Any, model: str, at_once: int, server: Server) -> Measured:
        """Ask `server` for a while."""
        worker = self.peer_client if way == "mlserver" and self.peer_client else self.client
        return worker.do(self._job(way, model, at_once, server))

    def call(self, model: str, rows: int) -> Measured:
        """Call the session in a process for a while."""
        job = self._job("call", model, 1, None)
        return self.session.do(dataclasses.replace(job, rows=rows, seconds=self.seconds / 2))

    def _job(self, way: Any, model: str, at_once: int, server: Server | None) -> Job:
        return Job(
            way,
            str(self.folder),
            model,
            at_once,
            warm_up=self.seconds / 5,
            seconds=self.seconds,
            target=server.target if server else "",
            server=server.process if server else 0,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--peer", type=pathlib.Path, help="Python with MLServer")
    parser.add_argument("--quick", action="store_true", help="only see that everything works")
    arguments = parser.parse_args()
    seconds = 0.2 if arguments.quick else arguments.seconds
    print(f"{os.cpu_count()} cores, {seconds} s each; batching on: {servers.BATCHING}")
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        bench = _start(pathlib.Path(name), seconds, arguments.peer, stack)
        rows = []
        for model in served.MODELS:
            for at_once in _AT_ONCE:
                rows += _compare(bench, model, at_once)
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print_table(stdout_console(), _TITLES, rows)


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


def _compare(bench: Bench, model: str, at_once: int) -> list[tuple[str, ...]]:
    """The rows of one model and concurrency: they are measured one right after the other."""
    echo = bench.ask("echo", model, at_once, bench.echo)
    off = bench.ask("millrace", model, at_once, bench.off)
    before = bench.on.batches()
    on = bench.ask("millrace", model, at_once, bench.on)
    rows, batches = (a - b for a, b in zip(bench.on.batches(), before, strict=True))
    peer = bench.ask("mlserver", model, at_once, bench.peer) if bench.peer else None
    one = bench.call(model, 1)
    batch = rows / batches
    many = one if round(batch) == 1 else bench.call(model, round(batch))
    found = [
        _row((model, at_once, "off"), off, echo, one, 1.0, peer),
        _row((model, at_once, "on"), on, echo, many, max(1.0, round(batch)), peer, f"{batch:.1f}"),
        (model, str(at_once), "echo", *_figures(echo), *[""] * 6),
        (model, str(at_once), "call", *_figures(one), "1.0", *[""] * 5),
    ]
    if peer:
        found.append((model, str(at_once), "mlserver", *_figures(peer), *[""] * 6))
    return found


def _row(
    what: tuple[str, int, str],
    ours: Measured,
    echo: Measured,
    call: Measured,
    rows: float,
    peer: Measured | None,
    batch: str = "1.0",
) -> tuple[str, ...]:
    return (
        *map(str, what),
        *_figures(ours),
        batch,
        f"{ours.rate / (call.rate * rows):.2f}",
        f"{ours.rate / echo.rate:.2f}",
        f"{ours.rate / peer.rate:.2f}" if peer else "",
        f"{ours.cpu / (call.cpu / rows + echo.cpu):.2f}",
        f"{ours.p50 / (call.p50 + echo.p50):.2f}",
    )


def _figures(of: Measured) -> tuple[str, ...]:
    return f"{of.p50:.2f}", f"{of.p99:.2f}", f"{of.rate:,.0f}", f"{of.cpu:.2f}"


if __name__ == "__main__":
    main()
