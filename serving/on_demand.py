"""An embedded server that is given models while it runs: one process, warm for whoever asks next.

It is told what to serve by HandleReloadConfigRequest, as `tensorflow_model_server` can be.
"""

import contextlib
import dataclasses
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path as LocalPath

from etils.epath import Path

from millrace.serving import lifeline, remote
from millrace.serving.client import Client, calls
from millrace.serving.client.channel import ignore
from millrace.serving.client.sending import Sender
from millrace.serving.errors import LaunchError, RpcError
from millrace.serving.launch import Launched, free_port, running, tail
from millrace.serving.protos import model_server_config_pb2 as messages
from millrace.serving.protos import model_service_pb2

_HOST = "127.0.0.1"
_LOOK = 0.1  # seconds between looks at a version that loads


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A model to serve: the folder of its versions, and how many of the newest."""

    base_path: Path
    newest: int = 1


class OnDemand:
    """The server, which may not be up yet; its methods may be called from several threads."""

    def __init__(self, launched: Launched, rest: str) -> None:
        self.launched, self.rest = launched, rest
        self.target = launched.target
        self._models: dict[str, Wanted] = {}
        self._changing = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether its process lives, up or not."""
        return self.launched.process.poll() is None

    def wait_until_up(self, timeout: float = 120.0) -> None:
        """Wait until it answers.

        Raises:
            LaunchError: it ended, or did not answer in time; has the end of its log.
        """
        deadline = time.monotonic() + timeout
        with Client(self.target) as client:
            while self.is_running and time.monotonic() < deadline:
                with contextlib.suppress(RpcError):
                    if client.healthy(timeout=1.0):
                        return
                time.sleep(_LOOK)
        raise LaunchError(
            f"Model server: expected an answer within {timeout:g} s. Received: "
            f"{'none' if self.is_running else 'its end'}. Its log ends:\n{tail(self.launched.log)}"
        )

    def serve(self, model: str, wanted: Wanted, timeout: float = 120.0) -> None:
        """Serve `model` beside those that it has, and wait until some version can be asked.

        Raises:
            RpcError: it cannot be loaded; the others are served as before.
        """
        with self._changing:
            if self._models.get(model) == wanted:
                return
            before = dict(self._models)
            try:
                self._reload({**before, model: wanted}, timeout)
            except RpcError:
                self._reload(before, timeout)
                raise
            self._models[model] = wanted

    def wait_for(self, model: str, version: int, timeout: float = 120.0) -> None:
        """Wait until this `version` of a `model` that it serves can be asked.

        Raises:
            RpcError: it cannot be loaded.
            LaunchError: it was not there in time.
        """
        deadline = time.monotonic() + timeout
        with Client(self.target) as client:
            while time.monotonic() < deadline:
                for one in client.status(model):
                    if one.version == version and one.state == "AVAILABLE":
                        return
                    if one.version == version and one.error:
                        raise RpcError(one.error)
                time.sleep(_LOOK)
        raise LaunchError(
            f"Model {model}: expected version {version} to be loaded within {timeout:g} s. "
            "Received: it still is not. Look whether its folder is there."
        )

    def _reload(self, models: Mapping[str, Wanted], timeout: float) -> None:
        request = model_service_pb2.ReloadConfigRequest(config=_config(models))
        sender = Sender(
            self.target, timeout=timeout, tls=None, token="", attempts=1, observe=ignore
        )
        try:
            sender.send(calls.reload(request), timeout)
        finally:
            sender.close()


@contextlib.contextmanager
def start() -> Iterator[OnDemand]:
    """A server without a model while the block lasts: over gRPC with reflection, and REST.

    The block begins at once; `wait_until_up` waits for the server.
    """
    with tempfile.TemporaryDirectory(prefix="model_server_") as folder:
        config, log = LocalPath(folder) / "models.config", LocalPath(folder) / "server.log"
        config.write_text("model_config_list {}")
        port, rest = free_port(), free_port()
        command = lifeline.module(
            "millrace.serving.server",
            *(f"--port={port}", f"--rest_api_port={rest}", f"--model_config_file={config}"),
            *("--enable_grpc_healthcheck_service", "--enable_grpc_reflection"),
            "--max_num_load_retries=0",
        )
        with running(command, log) as process:
            launched = Launched(f"{_HOST}:{port}", process, log)
            yield OnDemand(launched, f"http://{_HOST}:{rest}")


def _config(models: Mapping[str, Wanted]) -> messages.ModelServerConfig:
    config = messages.ModelServerConfig()
    config.model_config_list.SetInParent()
    for name, wanted in models.items():
        is_remote = remote.is_remote(wanted.base_path)
        place = wanted.base_path if is_remote else wanted.base_path.expanduser().resolve()
        one = config.model_config_list.config.add(
            name=name, base_path=remote.url(place), model_platform="tensorflow"
        )
        one.model_version_policy.latest.num_versions = wanted.newest
    return config
