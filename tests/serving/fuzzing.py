"""Shared by the fuzz tests of both protocols: a server process, and the number of examples."""

import contextlib
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

from millrace.serving.client import Client
from tests.serving.conftest import free_port

ROOT = Path(__file__).parents[2]
FUZZ = settings(
    max_examples=300,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@contextlib.contextmanager
def server(half, folder, *flags):
    """Start a server of the model `half`; yields its process and gRPC address.

    After the block it must still work, stop on SIGTERM, and have logged no traceback.
    """
    (folder / "half").mkdir()
    (folder / "half" / "1").symlink_to(half)
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "millrace.serving.server",
        f"--port={port}",
        "--model_name=half",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--model_base_path={folder}/half", *flags],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        with Client(f"127.0.0.1:{port}") as client:
            client.wait_until_available("half", timeout=120)
            yield process, f"127.0.0.1:{port}"
            assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
        process.terminate()
        assert process.wait(60) == 0
        log_text = (folder / "log").read_text(errors="replace")
        assert "Traceback" not in log_text, log_text
    finally:
        process.kill()
        process.wait()
