"""The models that a server holds: found in folders, loaded in the background, swapped, leased.

One thread polls the base paths. Each load and each unload has its own thread, so requests never
wait for either. A version is unloaded only after the requests running on it have finished. A new
configuration takes effect at once: models that it leaves out are unloaded, and the caller waits
for models that it adds. There is no gRPC and no TensorFlow here: `load` loads a model.
"""

import contextlib
import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence

from etils.epath import Path

from millrace.serving import labels, lifecycle, versions
from millrace.serving.errors import DeadlineExceededError, RpcError, ServerError
from millrace.serving.inference import Runnable
from millrace.serving.lifecycle import (
    ModelConfig,
    RequestLogging,
    Servable,
    ServedModel,
    Version,
    VersionState,
)

_UNLIMITED = 2**16  # more slots than there can be threads
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class VersionSnapshot:
    """The state of a version at one moment; `error` is why it could not be loaded."""

    version: int
    state: VersionState
    error: RpcError | None = None


@dataclasses.dataclass(frozen=True)
class Lease:
    """A loaded version, which stays loaded while the lease is held."""

    name: str
    version: int
    model: Runnable
    logging: RequestLogging | None = None


class Repository:
    """Models by name and version; thread-safe."""

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
        """Start empty.

        Args:
            load: loads the version in a folder and warms it up; raises if it cannot.
            max_num_load_retries: how often a failed load is retried.
            load_retry_interval: seconds between attempts.
            num_load_threads: loads that may run at the same time.
            num_unload_threads: unloads that may run at the same time; 0 for no limit.
            allow_unavailable_labels: whether a new label may name an unavailable version.
        """
        self._load_servable = load
        self._retries = max_num_load_retries
        self._interval = load_retry_interval
        self._slots = threading.Semaphore(max(1, num_load_threads))
        self._unload_slots = threading.Semaphore(num_unload_threads or _UNLIMITED)
        self._allow_unavailable_labels = allow_unavailable_labels
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._models: dict[str, ServedModel] = {}
        self._polling = threading.Lock()

    def start(self, models: Sequence[ModelConfig], *, poll_seconds: float = 1.0) -> None:
        """Serve `models`, and check for new versions every `poll_seconds`; 0 checks once."""
        with self._changed:
            self._models = {config.name: ServedModel(config) for config in models}
        _spawn("poll", self._poll_until_closed, poll_seconds)

    def wait_until_available(self) -> bool:
        """Wait until each model has an available version; returns False if closed before.

        Raises:
            ServerError: all versions found of a model failed to load.
        """
        with self._changed:
            models = self._models.values()
            self._changed.wait_for(
                lambda: self._closing.is_set() or all(model.is_settled() for model in models)
            )
            if self._closing.is_set():
                return False
            failed = [m.failure() for m in models if not m.in_state(VersionState.AVAILABLE)]
        if failed:
            raise ServerError(
                f"{len(failed)} servable(s) did not become available: {{{', '.join(failed)}}}"
            )
        return True

    def reload(self, configs: Sequence[ModelConfig], *, timeout: float | None = None) -> None:
        """Serve `configs` instead, and wait for new models; `timeout` in seconds.

        Raises:
            FailedPreconditionError: a label names a version that is not available; nothing was
                changed.
            DeadlineExceededError: new models are still loading; loading continues.
            RpcError: a new model could not be loaded.
        """
        with self._changed:
            if [model.config for model in self._models.values() if model.listed] == list(configs):
                return
            for config in configs:
                model = self._models.get(config.name, ServedModel(config, listed=False))
                allow = self._allow_unavailable_labels
                model.check_labels(config.labels, allow_unavailable=allow)
            new = self._switch({config.name: config for config in configs})
        self._poll()
        self._wait_for_new(new, timeout)

    def check_labels(self) -> None:
        """Wait until no load is in progress, and check that each label names an available version.

        Raises:
            FailedPreconditionError: one does not.
        """
        with self._changed:
            models = self._models.values()
            self._changed.wait_for(
                lambda: (
                    not any(
                        m.in_state(VersionState.START, VersionState.LOADING)
                        for m in models
                        if m.config.labels
                    )
                )
            )
            for model in models:
                model.check_labels(model.config.labels)

    def lease(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> contextlib.AbstractContextManager[Lease]:
        """Keep a version of `name` loaded: the one with this number or label, or the latest.

        Raises:
            NotFoundError: no such model or version is available.
            InvalidArgumentError: the model has no such label.
        """
        return _HeldVersion(self, name, version, label)

    def statuses(self, name: str) -> list[VersionSnapshot]:
        """Returns every version of `name` that was ever seen, highest first."""
        with self._changed:
            known = self._models[name].in_state(*VersionState) if name in self._models else []
            return [VersionSnapshot(v.number, v.state, v.error) for v in known]

    def is_ready(self) -> bool:
        """Whether each configured model has an available version."""
        with self._changed:
            listed = [model for model in self._models.values() if model.listed]
            return all(model.in_state(VersionState.AVAILABLE) for model in listed)

    def close(self, timeout: float | None = None) -> bool:
        """Stop polling, wait for running requests and loads, and unload every model.

        Returns False if some still ran after `timeout` seconds; their models stay loaded.
        """
        self._closing.set()
        moving = (VersionState.START, VersionState.LOADING, VersionState.UNLOADING)
        with self._changed:
            self._changed.notify_all()
            models = self._models.values()
            for model in models:
                self._unload_all(model, model.in_state(VersionState.AVAILABLE))
            return self._changed.wait_for(
                lambda: not any(model.in_state(*moving) for model in models), timeout
            )

    def acquire(self, name: str, version: int | None, label: str | None) -> tuple[Version, Lease]:
        """Like `lease`; the returned version must be passed to `release` afterwards."""
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
        """Record that a request on the version `held` has ended."""
        with self._changed:
            held.users -= 1
            if held.state is VersionState.UNLOADING:  # the unload may wait for it
                self._changed.notify_all()

    def _poll_until_closed(self, seconds: float) -> None:
        self._poll()
        while seconds > 0 and not self._closing.wait(seconds):
            self._poll()

    def _poll(self) -> None:
        with self._polling:
            for model in list(self._models.values()):
                config = model.config
                beside = _labels_beside(model)
                aspired = (
                    versions.aspired(config.name, config.base_path, config.policy, beside.values())
                    if model.listed
                    else {}
                )
                with self._changed:
                    # A configuration that changed meanwhile is polled again at once.
                    is_current = model.config is config and (model.listed or not aspired)
                    if aspired is not None and is_current and not self._closing.is_set():
                        model.beside = beside
                        self._aspire(model, aspired)

    def _aspire(self, model: ServedModel, aspired: Mapping[int, Path]) -> None:
        for version in model.aspire(aspired):
            _spawn("load", self._load, model, version)
        for version in model.conflicting(aspired):
            if os.path.realpath(version.path) == os.path.realpath(aspired[version.number]):
                continue  # one folder under two paths
            _log.warning(
                "Servable %s: version %d is still served from %s; %s has the same number and is "
                "not loaded. Give it another number.",
                *(model.name, version.number, version.path, version.elsewhere),
            )
        self._unload_all(model, model.outdated())

    def _switch(self, configs: Mapping[str, ModelConfig]) -> list[ServedModel]:
        """Make `configs`, by name, those to serve; returns the models that are new."""
        new = []
        for name, config in configs.items():
            model = self._models.setdefault(name, ServedModel(config, listed=False))
            if not model.listed:
                new.append(model)
            model.config, model.listed = config, True
        for name, model in self._models.items():
            model.listed = name in configs
        return new

    def _wait_for_new(self, models: Sequence[ServedModel], timeout: float | None) -> None:
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._closing.is_set() or all(model.is_settled() for model in models),
                timeout,
            )
            failed = [
                model.failure() for model in models if not model.in_state(VersionState.AVAILABLE)
            ]
        if not done:
            raise DeadlineExceededError(f"{len(failed)} model(s) are still being loaded")
        if failed:
            text = "".join(f"{failure}, " for failure in failed)
            raise RpcError(f"{len(failed)} model(s) did not become available: {{{text}}}")

    def _load(self, model: ServedModel, version: Version) -> None:
        """Load `version`, retrying after failures for as long as it is aspired."""
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
            version.state = VersionState.END
            self._changed.notify_all()

    def _enter_loading(self, version: Version) -> bool:
        """Set the next state of `version`; returns whether it should still be loaded."""
        with self._changed:
            proceed = version.aspired and not self._closing.is_set()
            version.state = VersionState.LOADING if proceed else VersionState.END
            self._changed.notify_all()
        return proceed

    def _try(self, model: ServedModel, version: Version) -> tuple[Servable | None, RpcError | None]:
        name = f"{{name: {model.name} version: {version.number}}}"
        try:
            servable = self._load_servable(version.path)
        except Exception as error:  # any error becomes the version's status
            _log.error("Servable %s cannot be loaded: %s", name, error)
            return None, error if isinstance(error, RpcError) else RpcError(str(error))
        _log.info("Successfully loaded servable version %s", name)
        return servable, None

    def _enter_available(self, model: ServedModel, version: Version, servable: Servable) -> None:
        with self._changed:
            version.servable, version.error, version.state = servable, None, VersionState.AVAILABLE
            obsolete = [version] if self._closing.is_set() else model.outdated()
            self._unload_all(model, obsolete)
            self._changed.notify_all()

    def _unload_all(self, model: ServedModel, obsolete: Sequence[Version]) -> None:
        for version in obsolete:
            version.state = VersionState.UNLOADING
            _spawn("unload", self._unload, model, version)

    def _unload(self, model: ServedModel, version: Version) -> None:
        with self._changed:
            self._changed.wait_for(lambda: version.users == 0)
            servable, version.servable = version.servable, None
        if servable is not None:
            with self._unload_slots:
                servable.close()
        _log.info("Unloaded servable version {name: %s version: %d}", model.name, version.number)
        with self._changed:
            version.state = VersionState.END
            self._changed.notify_all()


class _HeldVersion:
    """Holds a version for the duration of a block; faster per request than a generator."""

    __slots__ = ("_held", "_repository", "_target")

    def __init__(
        self, repository: "Repository", name: str, version: int | None, label: str | None
    ) -> None:
        self._repository, self._target = repository, (name, version, label)

    def __enter__(self) -> Lease:
        self._held, lease = self._repository.acquire(*self._target)
        return lease

    def __exit__(self, *_: object) -> None:
        self._repository.release(self._held)


def _labels_beside(model: ServedModel) -> Mapping[str, int]:
    """The labels beside the versions of `model`; those known where they cannot be read."""
    try:
        return labels.read(model.config.base_path) if model.listed else {}
    except (OSError, ValueError) as error:
        _log.warning("Servable %s: its labels stay as they were: %s", model.name, error)
        return model.beside


def _spawn(name: str, target: Callable[..., None], *args: object) -> None:
    threading.Thread(target=target, args=args, name=name, daemon=True).start()
