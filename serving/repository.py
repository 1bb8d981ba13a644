"""The models that a server holds: found in folders, loaded in the background, swapped, leased.

One thread polls the base paths; each load and each unload has a thread of its own, so that
requests never wait for either. A version that goes waits for the requests that run on it. A new
configuration takes effect at once: what it leaves out is unloaded, what it adds is waited for.
Neither gRPC nor TensorFlow: `load` brings the model.
"""

import contextlib
import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence

from etils.epath import Path

from millrace.serving import lifecycle, source
from millrace.serving.errors import DeadlineExceededError, RpcError, ServerError
from millrace.serving.lease import Holding, Lease
from millrace.serving.lifecycle import Model, ModelConfig, Servable, State, Version

_ANY = 2**16  # more slots than there can be threads
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """What a caller may know of one version; `error` is why it could not be loaded."""

    version: int
    state: State
    error: RpcError | None = None


class Repository:
    """Models by name and version. Every method may be called from any thread."""

    def __init__(
        self,
        load: Callable[[Path], Servable],
        *,
        max_num_load_retries: int = 5,
        load_retry_interval: float = 60.0,
        num_load_threads: int = 1,
        num_unload_threads: int = 0,
        allow_unavailable_labels: bool = False,
    ) -> None:
        """Hold nothing yet.

        Args:
            load: brings the version in a folder into memory, warm; raises if it cannot.
            max_num_load_retries: how often a load is tried again after it failed.
            load_retry_interval: seconds between two tries.
            num_load_threads: loads that may run at the same time.
            num_unload_threads: unloads that may run at the same time; 0 is any number.
            allow_unavailable_labels: a new label may stand for a version that is not available.
        """
        self._load_servable = load
        self._retries = max_num_load_retries
        self._interval = load_retry_interval
        self._slots = threading.Semaphore(max(1, num_load_threads))
        self._unload_slots = threading.Semaphore(num_unload_threads or _ANY)
        self._allow_unavailable_labels = allow_unavailable_labels
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._models: dict[str, Model] = {}
        self._polling = threading.Lock()

    def start(self, models: Sequence[ModelConfig], *, poll_seconds: float = 1.0) -> None:
        """Serve `models`, and look for new versions every `poll_seconds`; 0 looks once."""
        with self._changed:
            self._models = {config.name: Model(config) for config in models}
        _spawn("poll", self._poll_until_closed, poll_seconds)

    def wait_until_available(self) -> bool:
        """Wait until each model has an available version; False if closed before.

        Raises:
            ServerError: every version found of a model failed to load.
        """
        with self._changed:
            models = self._models.values()
            self._changed.wait_for(
                lambda: self._closing.is_set() or all(model.is_settled() for model in models)
            )
            if self._closing.is_set():
                return False
            failed = [m.failure() for m in models if not m.in_state(State.AVAILABLE)]
        if failed:
            raise ServerError(
                f"{len(failed)} servable(s) did not become available: {{{', '.join(failed)}}}"
            )
        return True

    def reload(self, configs: Sequence[ModelConfig], *, timeout: float | None = None) -> None:
        """Serve `configs` instead, and wait for the models that are new; `timeout` in seconds.

        Raises:
            FailedPreconditionError: a label stands for a version that is not available; nothing
                has changed.
            DeadlineExceededError: the new models are still being loaded; they go on.
            RpcError: a new model could not be loaded.
        """
        with self._changed:
            if [model.config for model in self._models.values() if model.listed] == list(configs):
                return
            for config in configs:
                model = self._models.get(config.name, Model(config, listed=False))
                allow = self._allow_unavailable_labels
                model.check_labels(config.labels, allow_unavailable=allow)
            new = self._switch({config.name: config for config in configs})
        self._poll()
        self._wait_for_new(new, timeout)

    def check_labels(self) -> None:
        """See that each label stands for an available version, once no load is under way.

        Raises:
            FailedPreconditionError: one does not.
        """
        with self._changed:
            models = self._models.values()
            self._changed.wait_for(
                lambda: not any(m.in_state(State.START, State.LOADING) for m in models if m.labels)
            )
            for model in models:
                model.check_labels(model.labels)

    def lease(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> contextlib.AbstractContextManager[Lease]:
        """Hold a version of the model `name`: the one numbered or labelled so, or the latest.

        Raises:
            NotFoundError: no such model or version is available.
            InvalidArgumentError: the model has no such label.
        """
        return Holding(self, name, version, label)

    def statuses(self, name: str) -> list[VersionStatus]:
        """Every version of `name` that was ever seen, the highest first."""
        with self._changed:
            known = self._models[name].in_state(*State) if name in self._models else []
            return [VersionStatus(v.number, v.state, v.error) for v in known]

    def is_ready(self) -> bool:
        """Whether each model of the configuration has an available version."""
        with self._changed:
            listed = [model for model in self._models.values() if model.listed]
            return all(model.in_state(State.AVAILABLE) for model in listed)

    def close(self, timeout: float | None = None) -> bool:
        """Stop polling, wait for the requests and loads that run, and free every model.

        Returns False if some still ran after `timeout` seconds; their models are not freed.
        """
        self._closing.set()
        moving = (State.START, State.LOADING, State.UNLOADING)
        with self._changed:
            self._changed.notify_all()
            models = self._models.values()
            for model in models:
                self._unload_all(model, model.in_state(State.AVAILABLE))
            return self._changed.wait_for(
                lambda: not any(model.in_state(*moving) for model in models), timeout
            )

    def acquire(self, name: str, version: int | None, label: str | None) -> tuple[Version, Lease]:
        """As `lease`, with the version that has to be given to `release` after."""
        with self._changed:
            model = self._models.get(name)
            if model is None:
                if label is not None:
                    lifecycle.label_target({}, label)
                raise lifecycle.not_found(name, version)
            found = model.find(version, label)
            if found.servable is None:
                raise lifecycle.not_found(name, version)
            found.users += 1
            return found, Lease(name, found.number, found.servable, model.config.logging)

    def release(self, held: Version) -> None:
        """Take note that a request on the version `held` has ended."""
        with self._changed:
            held.users -= 1
            if held.state is State.UNLOADING:  # which may wait for it
                self._changed.notify_all()

    def _poll_until_closed(self, seconds: float) -> None:
        self._poll()
        while seconds > 0 and not self._closing.wait(seconds):
            self._poll()

    def _poll(self) -> None:
        with self._polling:
            for model in list(self._models.values()):
                config = model.config
                wanted = source.wanted(config) if model.listed else {}
                with self._changed:
                    # A configuration that changed while we looked is looked at again, at once.
                    is_current = model.config is config and (model.listed or not wanted)
                    if wanted is not None and is_current and not self._closing.is_set():
                        self._aspire(model, wanted)

    def _aspire(self, model: Model, wanted: Mapping[int, Path]) -> None:
        for version in model.aspire(wanted):
            _spawn("load", self._load, model, version)
        for version in model.confused(wanted):
            if os.path.realpath(version.path) == os.path.realpath(wanted[version.number]):
                continue  # one folder by two names
            _log.warning(
                "Servable %s: version %d stays the one of %s; %s has the same number and is not "
                "loaded. Give it another number.",
                *(model.name, version.number, version.path, version.elsewhere),
            )
        self._unload_all(model, model.outdated())

    def _switch(self, configs: Mapping[str, ModelConfig]) -> list[Model]:
        """Take `configs` by name as those to serve; returns the models that are new."""
        new = []
        for name, config in configs.items():
            model = self._models.setdefault(name, Model(config, listed=False))
            if not model.listed:
                new.append(model)
            model.config, model.listed = config, True
        for name, model in self._models.items():
            model.listed = name in configs
        return new

    def _wait_for_new(self, models: Sequence[Model], timeout: float | None) -> None:
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._closing.is_set() or all(model.is_settled() for model in models),
                timeout,
            )
            failed = [model.failure() for model in models if not model.in_state(State.AVAILABLE)]
        if not done:
            raise DeadlineExceededError(f"{len(failed)} model(s) are still being loaded")
        if failed:
            text = "".join(f"{failure}, " for failure in failed)
            raise RpcError(f"{len(failed)} model(s) did not become available: {{{text}}}")

    def _load(self, model: Model, version: Version) -> None:
        """Bring `version` in, trying again after failures, as long as it is wanted."""
        for attempt in range(self._retries + 1):
            if attempt:
                self._closing.wait(max(0.0, self._interval))
            with self._slots:
                if not self._enter_loading(version):
                    return
                servable, version.error = self._try(model, version)
            if servable is not None:
                self._enter_available(model, version, servable)
                return
        with self._changed:
            version.state = State.END
            self._changed.notify_all()

    def _enter_loading(self, version: Version) -> bool:
        """Whether `version` is still to be loaded; it has ended otherwise."""
        with self._changed:
            wanted = version.aspired and not self._closing.is_set()
            version.state = State.LOADING if wanted else State.END
            self._changed.notify_all()
        return wanted

    def _try(self, model: Model, version: Version) -> tuple[Servable | None, RpcError | None]:
        name = f"{{name: {model.name} version: {version.number}}}"
        try:
            servable = self._load_servable(version.path)
        except Exception as error:  # whatever it is, it becomes the version's status
            _log.error("Servable %s cannot be loaded: %s", name, error)
            return None, error if isinstance(error, RpcError) else RpcError(str(error))
        _log.info("Successfully loaded servable version %s", name)
        return servable, None

    def _enter_available(self, model: Model, version: Version, servable: Servable) -> None:
        with self._changed:
            version.servable, version.error, version.state = servable, None, State.AVAILABLE
            gone = [version] if self._closing.is_set() else model.outdated()
            self._unload_all(model, gone)
            self._changed.notify_all()

    def _unload_all(self, model: Model, gone: Sequence[Version]) -> None:
        for version in gone:
            version.state = State.UNLOADING
            _spawn("unload", self._unload, model, version)

    def _unload(self, model: Model, version: Version) -> None:
        with self._changed:
            self._changed.wait_for(lambda: version.users == 0)
            servable, version.servable = version.servable, None
        if servable is not None:
            with self._unload_slots:
                servable.close()
        _log.info("Unloaded servable version {name: %s version: %d}", model.name, version.number)
        with self._changed:
            version.state = State.END
            self._changed.notify_all()


def _spawn(name: str, target: Callable[..., None], *args: object) -> None:
    threading.Thread(target=target, args=args, name=name, daemon=True).start()
