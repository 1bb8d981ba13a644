"""Whether memory is freed when one version after another is loaded and unloaded.

    python -m benchmarks.unload [--versions 50] [--network MobileNetV2]

One model server with one model, which gets a new version as soon as the previous one has answered;
resident memory is read when the old one is gone. It must end within `_GROWTH` of its value after
`_SETTLED` versions, or the exit status is 1.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import large, servers
from benchmarks.servers import Process
from millrace.serving.client import Client

_SETTLED = 5  # versions, after which TensorFlow's own pools and threads exist
_GROWTH = 0.05


def main() -> int:
    """Print what happened; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--network", default="MobileNetV2", help="of keras.applications")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        large.export(arguments.network, folder / "model")
        print(f"{arguments.network}: {large.size(folder / 'model'):.0f} MiB on disk")
        memory = _measure(folder, arguments.versions)
    growth = memory[-1] / memory[min(_SETTLED, len(memory)) - 1] - 1
    shown = sorted({1, 2, 5, 10, 20, 30, 40, len(memory)} & set(range(1, len(memory) + 1)))
    for version in shown:
        print(f"after version {version:3}: {memory[version - 1]:7.0f} MiB resident")
    print(f"growth after version {_SETTLED}: {growth:+.1%}")
    return 0 if growth < _GROWTH else 1


def _measure(folder: pathlib.Path, versions: int) -> list[float]:
    """Resident memory once each version is the only one, MiB."""
    base, port = folder / "large", servers.free_port()
    large.push(folder / "model", base, 1)
    command = [
        sys.executable,
        "-m",
        "millrace.serving.server",
        f"--port={port}",
        "--model_name=large",
    ]
    command += [
        f"--model_base_path={base}",
    ]
    memory = []
    with servers.running(command, folder / "server.log") as process:
        servers.wait_for(f"127.0.0.1:{port}", process, folder / "server.log")
        with Client(f"127.0.0.1:{port}") as client:
            for version in range(1, versions + 1):
                if version > 1:
                    large.push(folder / "model", base, version)
                while not large.is_alone(client, "large", version):
                    time.sleep(0.05)
                client.predict("large", large.image())
                memory.append(Process(process.pid).memory())
    return memory


if __name__ == "__main__":
    sys.exit(main())
