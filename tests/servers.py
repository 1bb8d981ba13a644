"""Real servers on loopback for tests: an object store that speaks S3, and PostgreSQL."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pytest

NOBODY = 65534


@contextlib.contextmanager
def s3():
    """The environment for clients of an S3 server (moto's) that lives as long as the block."""
    pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = pathlib.Path(sys.executable).with_name("moto_server")
    with subprocess.Popen(
        [server, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
    ) as process:
        try:
            _wait_for(port, process)
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "nobody",
                "AWS_SECRET_ACCESS_KEY": "nothing",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        finally:
            process.terminate()


def _wait_for(port, process):
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, "moto_server has ended"
        time.sleep(0.1)
    raise TimeoutError("moto_server does not answer")


@contextlib.contextmanager
def postgresql():
    """The URL of a PostgreSQL server that lives as long as the block, on a socket of its own."""
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    initdb = shutil.which("initdb") or (found and found[-1] / "initdb")
    if not initdb:
        pytest.skip("no PostgreSQL server is installed (no `initdb`)")
    binaries = pathlib.Path(initdb).resolve().parent
    folder = pathlib.Path(tempfile.mkdtemp())
    as_user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        os.chown(folder, NOBODY, NOBODY)
        as_user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

    def call(program, *arguments):
        command = [*as_user, binaries / program, "-D", folder / "data", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    call("initdb", "-U", "m", "-A", "trust", "--no-sync")
    call("pg_ctl", "-w", "-l", folder / "log", "-o", f"-h '' -k {folder}", "start")
    try:
        yield f"postgresql://m@/postgres?host={folder}"
    finally:
        call("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)
