"""The model server that answers what a person tries: one for a root, for the pages' life.

It starts when a model is first tried, off the requests' threads, and ends with the pages. Where a
server was given (`--target`), that one is asked and none is started.
"""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator

from millrace.pipeline import pushed, registry
from millrace.pipeline.errors import UsageError
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving import on_demand
from millrace.serving.errors import LaunchError, MillraceError, RpcError
from millrace.serving.on_demand import OnDemand, Wanted

_PATIENCE = 180.0  # seconds for a server to start and to load a model


@dataclasses.dataclass
class _Loading:
    """A model on its way to being asked."""

    begun: float = dataclasses.field(default_factory=time.monotonic)
    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    doing: str = ""
    error: MillraceError | None = None


class ModelServer:
    """Loads models of one root as they are tried, and keeps them; safe between threads."""

    def __init__(self, root: Root, store: Store, target: str = "") -> None:
        """Nothing is started yet.

        Args:
            root: where models are pushed to.
            store: its record of runs.
            target: HOST:PORT of a server that is up, or nothing.
        """
        self._root, self._store, self.given = root, store, target
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._server: OnDemand | None = None
        self._loading: dict[str, _Loading] = {}
        self._newest: dict[str, int] = {}
        self._is_closed = False

    @property
    def target(self) -> str:
        """HOST:PORT for gRPC; empty before there is a server."""
        return self.given or (self._server.target if self._server else "")

    @property
    def rest(self) -> str:
        """The address for REST; of a server that was given, at TensorFlow Serving's usual port."""
        if self.given:
            return f"http://{self.given.rpartition(':')[0] or self.given}:8501"
        return self._server.rest if self._server else ""

    def state(self, model: str) -> dict[str, str | float]:
        """How far it is: `state` is none, loading, failed or ready; with the words for it."""
        loading = self._loading.get(model)
        if self.given:
            return {"state": "ready", "target": self.given}
        if loading is None or not self._is_alive():
            return {"state": "none"}
        if not loading.done.is_set():
            seconds = round(time.monotonic() - loading.begun, 1)
            return {"state": "loading", "doing": loading.doing, "seconds": seconds}
        if loading.error is not None:
            return {"state": "failed", "error": str(loading.error)}
        return {"state": "ready", "target": self.target}

    def begin(self, model: str) -> None:
        """Begin to load `model`, unless it is loaded or on its way; returns at once.

        Raises:
            UsageError: it has not been pushed.
        """
        if self.given:
            return
        pushed.check_pushed(self._root, model)
        with self._lock:
            if self._is_closed:
                raise UsageError("The pages are ending: nothing is loaded any more.")
            if not self._is_alive():
                self._stack.close()
                self._loading, self._newest = {}, {}
                self._server = self._stack.enter_context(on_demand.start())
            known = self._loading.get(model)
            if known is not None and not (known.done.is_set() and known.error):
                return
            loading = self._loading[model] = _Loading(doing="starting a model server")
            arguments = (self._server, model, loading)
        threading.Thread(target=self._load, args=arguments, name="load", daemon=True).start()

    def ready(self, model: str, version: int | None) -> str:
        """Wait until that `version` can be asked; returns HOST:PORT of the server.

        Raises:
            UsageError: the model, or that version, has not been pushed.
            MillraceError: the server does not start, or the version cannot be loaded.
        """
        if self.given:
            return self.given
        self.begin(model)
        loading = self._loading[model]
        if not loading.done.wait(_PATIENCE):
            raise LaunchError(f"Model {model}: expected to be loaded within {_PATIENCE:g} s.")
        if loading.error is not None:
            raise loading.error
        there = registry.numbers(self._root, model)
        number = there[0] if version is None and there else version
        if number not in there:
            raise UsageError(
                f"Model {model!r}: expected a version that is there: "
                f"{', '.join(map(str, there)) or 'none is'}. Received: {number}. Choose another."
            )
        server = self._server
        if server is None or number is None:
            raise LaunchError(f"Model {model}: its server has ended. Ask again.")
        newest = max(self._newest.get(model, 1), there.index(number) + 1)
        with self._said(model):
            server.serve(model, Wanted(self._root.serving / model, newest))
            self._newest[model] = newest
            server.wait_for(model, number)
        return server.target

    def close(self) -> None:
        """End the server; what is being loaded is given up."""
        with self._lock:
            self._is_closed = True
        self._stack.close()

    def _is_alive(self) -> bool:
        return self._server is not None and self._server.is_running

    def _load(self, server: OnDemand, model: str, loading: _Loading) -> None:
        try:
            loading.doing = "starting a model server: importing TensorFlow takes some seconds"
            server.wait_until_up()
            loading.doing = "loading the model"
            pushed.check_whole(self._store, self._root, [model])
            with self._said(model):
                server.serve(model, Wanted(self._root.serving / model))
        except MillraceError as error:
            loading.error = error
        finally:
            loading.done.set()

    @contextlib.contextmanager
    def _said(self, model: str) -> Iterator[None]:
        try:
            yield
        except RpcError as error:
            raise LaunchError(
                f"{self._root.serving / model}: expected a version that a model server can load. "
                f"Received: {str(error).rstrip(', ')}. Go back to the version before it, or push "
                "it again: `millrace run … --force pusher`."
            ) from None
