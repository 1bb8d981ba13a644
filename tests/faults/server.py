"""The model server under callers who send too much, too slowly or vanish, and a machine that fails.

    python -m tests.faults.server [--seconds 20] [FAULT …]

`overload`: on either protocol ten times as many requests at once as the server's threads and queues
take, each sent again as soon as it is refused. `slow`: callers that send half a request, or never
read what they asked for, and some that reset the connection in the middle. `clock`: the time of day
jumps back and forth (libfaketime, Debian's `faketime`). `descriptors`: more callers than files that
the process may open. `renewal`: its certificate has expired, and is renewed. What must hold:

- a request that is answered has the right answer, and one that is refused is refused as
  RESOURCE_EXHAUSTED or UNAVAILABLE (REST: 503);
- beside slow callers others are answered, and new versions are found whatever the clock says;
- within ten seconds after a fault every request is answered again, and the server keeps no caller's
  connection open, has not grown by 200 MiB, and does not burn time on what it cannot do.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import shutil
import socket
import ssl
import struct
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import numpy as np

from benchmarks import servers
from benchmarks.servers import Process
from millrace.pipeline.console import print_table, stdout_console
from millrace.serving.client import Client, Tls
from millrace.serving.client.async_client import AsyncClient
from millrace.serving.errors import RpcError
from tests.faults.kill import Lost
from tests.serving import certificates, http2
from tests.serving.conftest import export

THREADS, QUEUED = 2, 16  # of the server, on each protocol
TIMES = 10  # as many requests at once as it takes
STEPS = 3000  # of a loop in the graph, so that an answer takes some work
PATIENCE = 10.0  # seconds within which all must be well again
GROWTH = 200.0  # MiB
KEPT = 6  # files that gRPC may keep open until its next use; callers that leak leave 8 or more
REFUSED = {"RESOURCE_EXHAUSTED", "UNAVAILABLE", "503"}
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


class Target(NamedTuple):
    """A server of the model `half`: its addresses, and its process."""

    grpc: str
    rest: str
    process: Process
    number: int  # of the process


def limits() -> dict[str, int]:
    """The flags by which the server takes little at once."""
    return {
        "grpc_max_threads": THREADS,
        "grpc_max_queued_requests": QUEUED,
        "rest_api_num_threads": THREADS,
        "rest_api_max_queued_requests": QUEUED,
    }


@contextlib.contextmanager
def serving(base: Path, *prefix: str, **flags: object) -> Iterator[Target]:
    """A server of the versions below `base`, whose command is prefixed so."""
    port, rest = servers.free_port(), servers.free_port()
    given = {"port": port, "rest_api_port": rest, "model_name": "half", **limits(), **flags}
    command = [
        *prefix,
        sys.executable,
        "-m",
        "millrace.serving.server",
        f"--model_base_path={base}",
    ]
    command += [f"--{name}={value}" for name, value in given.items()]
    log = base.parent / f"{base.name}-{port}.log"
    with servers.running(command, log) as process:
        if "ssl_config_file" not in flags:
            servers.wait_for(f"127.0.0.1:{port}", process, log)
        yield Target(
            f"127.0.0.1:{port}", f"http://127.0.0.1:{rest}", Process(process.pid), process.pid
        )


def answers(target: Target, tls: Tls | None = None) -> float:
    """Ask on both protocols until both answer; returns the seconds that it took.

    Raises:
        Lost: an answer is wrong, or there is none for `PATIENCE` seconds.
    """
    began, told = time.monotonic(), ""
    while time.monotonic() < began + PATIENCE:
        try:
            with Client(target.grpc, tls=tls, attempts=1, timeout=5) as client:
                found = [client.predict("half", {"x": [1.0]})["y"].tolist()]
            body = json.dumps({"instances": [1.0]}).encode()
            place = f"{target.rest}/v1/models/half:predict"
            with urllib.request.urlopen(place, body, timeout=5) as answer:  # noqa: S310 - our own
                found.append(json.load(answer)["predictions"])
        except (RpcError, OSError) as error:
            told = str(error)
            time.sleep(0.1)
            continue
        if found != [[2.5], [2.5]]:
            raise Lost(f"answered {found}")
        return time.monotonic() - began
    raise Lost(f"no answer {PATIENCE:.0f} s later: {told}")


@contextlib.contextmanager
def well_afterwards(target: Target) -> Iterator[None]:
    """Check that the block leaves the server as it was.

    Raises:
        Lost: it does not.
    """
    answers(target)
    files, memory = target.process.files(), target.process.memory()
    yield
    answers(target)
    end = time.monotonic() + PATIENCE
    while (left := target.process.files() - files) > KEPT:
        if time.monotonic() > end:
            raise Lost(f"{left} files are still open")
        time.sleep(0.1)
    if (grown := target.process.memory() - memory) > GROWTH:
        raise Lost(f"grown by {grown:.0f} MiB")


def overload(target: Target, seconds: float) -> str:
    """Send ten times as much as it takes, on both protocols at once."""
    asyncio.run(_overloaded(target, min(1.0, seconds)))  # gRPC opens what it keeps for good
    with well_afterwards(target):
        found = asyncio.run(_overloaded(target, seconds))
        began = time.monotonic()
        answers(target)
        recovery = time.monotonic() - began
    told = []
    for protocol, codes in found.items():
        if strange := codes.keys() - REFUSED - {"OK"}:
            raise Lost(f"{protocol}: {', '.join(sorted(strange))}")
        refused = sum(codes[code] for code in REFUSED)
        if not codes["OK"] or refused < codes["OK"]:
            raise Lost(f"{protocol}: {codes['OK']} answered, {refused} refused")
        told.append(f"{protocol} {codes['OK']} answered, {refused} refused")
    return f"{'; '.join(told)}; well after {recovery:.1f} s"


async def _overloaded(target: Target, seconds: float) -> dict[str, Counter[str]]:
    end, found = time.monotonic() + seconds, {"gRPC": Counter[str](), "REST": Counter[str]()}
    client = AsyncClient(target.grpc, attempts=1, timeout=60)
    body = {"signature_name": "count", "inputs": STEPS}

    async def grpc() -> str:
        try:
            answer = await client.predict("half", {"n": STEPS}, signature="count")
        except RpcError as error:
            return error.code
        return "OK" if answer["i"] == STEPS else "wrong"

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)
    ) as session:

        async def rest() -> str:
            place = f"{target.rest}/v1/models/half:predict"
            async with session.post(place, json=body) as answer:
                said = await answer.json()
            if answer.status != 200:
                return str(answer.status)
            return "OK" if said == {"outputs": STEPS} else "wrong"

        async def keep(ask: Callable[[], object], codes: Counter[str]) -> None:
            while time.monotonic() < end:
                code = await ask()
                codes[code] += 1
                await asyncio.sleep(0 if code == "OK" else 0.05)

        both = ((grpc, found["gRPC"]), (rest, found["REST"]))
        tasks = [keep(ask, codes) for ask, codes in both for _ in range(TIMES * (THREADS + QUEUED))]
        await asyncio.gather(*tasks)
    await client.close()
    return found


def slow(target: Target, seconds: float) -> str:
    """Hold connections on which nothing goes on, and ask beside them."""
    half = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    rows = json.dumps(
        {"signature_name": "multiply", "inputs": {"a": [[1.0, 2.0]] * 20_000, "b": [[1.0] * 3] * 2}}
    )
    whole = half.replace(b"1000", str(len(rows)).encode()) + b"\r\n" + rows.encode()
    kinds = {
        "headers alone, gRPC": (target.grpc, http2.headers()),
        "half a message, gRPC": (target.grpc, http2.headers() + http2.half_a_message()),
        "half of the headers, REST": (target.rest, half),
        "half a body, REST": (target.rest, half + b"\r\n{"),
        "an answer never read, REST": (target.rest, whole),
    }
    each, asked, tries, end = 4 * THREADS, 0, 0, time.monotonic() + seconds
    with well_afterwards(target):
        while not tries or time.monotonic() < end:
            held = [_sent(*kind) for kind in kinds.values() for _ in range(each)]
            tries += len(held)
            try:
                for _ in range(10):
                    answers(target)
                    asked += 1
            finally:
                for number, connection in enumerate(held):
                    if number % 2:  # RST instead of FIN
                        option = struct.pack("ii", 1, 0)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
                    connection.close()
    return f"{tries} such callers, {2 * asked} others answered beside them"


def _sent(address: str, data: bytes) -> socket.socket:
    """A connection on which that has been sent, and from which nothing is read."""
    host, _, port = address.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(data)
    return connection


def clock(base: Path, seconds: float) -> str:
    """Let the time of day jump while requests are sent and versions pushed."""
    if not FAKETIME.exists():
        return "not tried: needs libfaketime (Debian: faketime)"
    now = base.parent / "faketime"
    now.write_text("+0")
    settings = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": now,
        "FAKETIME_NO_CACHE": 1,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
    }
    prefix = ["env", *(f"{name}={value}" for name, value in settings.items())]
    jumps, tries, end = ("+1d", "-2d", "+3650d", "-1h", "+0"), 0, time.monotonic() + seconds
    with serving(base, *prefix) as target, well_afterwards(target):
        while tries < len(jumps) or time.monotonic() < end:
            now.write_text(jumps[tries % len(jumps)])
            tries += 1
            answers(target)
            version = 1 + tries
            shutil.copytree(base / "1", base / f".{version}")
            (base / f".{version}").rename(base / str(version))
            with Client(target.grpc, attempts=1) as client:
                _until(
                    lambda v=version: client.predict("half", {"x": [1.0]}).version == v, "version"
                )
                _check_deadline(client, base.parent)
    return f"{tries} jumps, after each a new version found, and a deadline kept"


def _check_deadline(client: Client, folder: Path) -> None:
    """Ask for what never ends, within a second.

    Raises:
        Lost: it takes a tenth of that, or three times as long.
    """
    (folder / "gate").write_text("stop")
    endless = {"path": np.array(str(folder / "gate").encode(), object)}
    began = time.monotonic()
    try:
        client.predict("half", endless, signature="wait", timeout=1.0)
    except RpcError as error:
        took = time.monotonic() - began
        if error.code != "DEADLINE_EXCEEDED" or not 0.9 < took < 3:
            raise Lost(f"a deadline of 1 s: {error.code} after {took:.1f} s") from error


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise Lost(f"no new {what} for {PATIENCE:.0f} s")
        time.sleep(0.1)


def descriptors(base: Path, seconds: float) -> str:
    """Let more callers connect than the process may open files."""
    tries, burnt = 0, 0.0
    with serving(base) as target:
        answers(target)
        most = target.process.files() + 20
        resource.prlimit(target.number, resource.RLIMIT_NOFILE, (most, most))
        end = time.monotonic() + seconds
        with well_afterwards(target):
            while not tries or time.monotonic() < end:
                tries += 1
                held = [_sent(target.rest, b"") for _ in range(60)]
                held += [_sent(target.grpc, b"") for _ in range(60)]
                before = _burnt(target.number)
                time.sleep(3)
                burnt = max(burnt, (_burnt(target.number) - before) / 3)
                for connection in held:
                    connection.close()
                answers(target)
    if burnt > 0.5:
        raise Lost(f"{burnt:.0%} of a core is burnt meanwhile")
    return f"{tries} times 120 callers beyond {most} files; {burnt:.0%} of a core meanwhile"


def _burnt(process: int) -> float:
    """The seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def renewal(base: Path, seconds: float) -> str:
    """Start with a certificate that has expired, and renew it again and again."""
    folder, tries = base.parent, 0
    certificates.authority(folder)
    trusted = Tls.read(folder / "ca.pem")
    _certify(folder, "expired", -1)
    end = time.monotonic() + seconds
    with serving(base, ssl_config_file=folder / "ssl.txt") as target:
        host, _, port = target.grpc.partition(":")
        _until(lambda: _listens(host, int(port)), "port")
        early = Client(target.grpc, tls=trusted, attempts=1, timeout=5)
        with contextlib.suppress(RpcError), early as client:
            raise Lost(f"expired, and yet answered: {client.predict('half', {'x': [1.0]})}")
        _certify(folder, "first", 2)
        with Client(target.grpc, tls=trusted, attempts=1, timeout=5) as lasting:
            while not tries or time.monotonic() < end:
                tries += 1
                _certify(folder, f"renewed-{tries}", 2)
                answers(target, trusted)
                shown = ssl.get_server_certificate((host, int(port)), timeout=5)
                if shown != (folder / f"renewed-{tries}.pem").read_text():
                    raise Lost("a new connection has the old certificate")
                if lasting.predict("half", {"x": [1.0]})["y"] != 2.5:
                    raise Lost("the old connection has another answer")
    return f"{tries} renewals, for new connections at once; the old one went on"


def _certify(folder: Path, name: str, days: int) -> None:
    """Put a certificate for so many days in the place of the last one."""
    certificates.signed(folder, name, days=days)
    pem = {"server_key": f"{name}.key", "server_cert": f"{name}.pem"}
    text = "".join(f"{k}: {json.dumps((folder / f).read_text())}\n" for k, f in pem.items())
    (folder / "ssl.new").write_text(text)
    (folder / "ssl.new").rename(folder / "ssl.txt")


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def main() -> int:
    """Print one row per fault; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each fault, at least")
    parser.add_argument("faults", nargs="*", metavar="FAULT")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="server-") as name:
        folder = Path(name)
        export(folder / "model")

        def base(fault: str) -> Path:
            (folder / fault / "half").mkdir(parents=True)
            shutil.copytree(folder / "model", folder / fault / "half" / "1")
            return folder / fault / "half"

        def on_one(fault: Callable[[Target, float], str]) -> Callable[[Path, float], str]:
            def run(at: Path, seconds: float) -> str:
                with serving(at) as target:
                    return fault(target, seconds)

            return run

        cases: dict[str, Callable[[Path, float], str]] = {
            "overload": on_one(overload),
            "slow": on_one(slow),
            "clock": clock,
            "descriptors": descriptors,
            "renewal": renewal,
        }
        for fault in arguments.faults or cases:
            try:
                rows.append((fault, cases[fault](base(fault), arguments.seconds), ""))
            except Lost as error:
                rows.append((fault, "", f"LOST: {error}"))
    print_table(stdout_console(), ("fault", "survived", "lost"), rows)
    return int(any(lost for _, _, lost in rows))


if __name__ == "__main__":
    sys.exit(main())
