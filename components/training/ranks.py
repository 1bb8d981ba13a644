"""Training on several machines: a process on each, its rank given by TF_CONFIG.

    python -m millrace.components.training.ranks [--once]

takes part in the trainings that the first rank leads, one after another, until it is stopped. That
rank is a child of the step `trainer`. TensorFlow connects machines only in a process that has not
used it yet, so every training has a process of its own on each machine.

The others need TF_CONFIG, the same versions, and the records under the same paths; what is trained,
and from which weights, the first rank tells them. It alone writes.
"""

import argparse
import contextlib
import json
import logging
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from etils.epath import Path

from millrace.components.errors import ComponentError, DataError, ModelError, OptionError
from millrace.components.training.cluster import COMMAND, MODULE, Cluster
from millrace.components.training.plan import TrainingPlan
from millrace.serving import lifeline, tensorflow_import

logger = logging.getLogger("millrace.components.trainer")

_SAID, _FAILED = "\x1d", "\x1e"  # a line of the first rank that begins so is a message, an error
_CONNECTING, _CONNECTED = "\x1c", "\x1f"  # and these say how far it is
_ALIVE = "\x1b"  # and this that it still is
_ERRORS = {error.__name__: error for error in (DataError, ModelError, OptionError)}
# How TensorFlow names a rank, and words its errors.
_TASK = re.compile(r"/job:(chief|worker)(?:/replica:\d+)?/task:(\d+)")
_ABORTED = "aborted by: "
_REPORTED = re.compile(rf"^Error reported from {_TASK.pattern}: ")
_PLACE_IN_CODE = re.compile(r"Graph execution error:|Detected at node|File ")
_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_PAUSE = 0.5  # seconds until another rank is looked for again
_SOON = 10.0  # seconds after which the first rank says for whom it waits
_AGAIN = 60.0  # seconds until it says so again
_LIMIT = 600.0  # seconds that it waits
_PATIENCE = 2.0  # seconds to end after SIGTERM
_BEAT = 5.0  # seconds after which the first rank says that it is alive
_SILENT = 120.0  # seconds without a word from it after which it is ended


def lead(plan: TrainingPlan, out: Path, resume: Path) -> None:
    """Train as `plan` says with the other ranks, from where `resume` stands, and leave it there.

    Raises:
        OptionError: TF_CONFIG does not fit, or another option does not.
        ModelError: a rank ended before the training.
    """
    cluster = Cluster.led(os.environ)
    others = ", ".join(cluster.addresses[1:]) or "none"
    logger.info("training as the first of %d ranks; the others: %s", len(cluster.addresses), others)
    work = resume / "work.pickle"
    work.write_bytes(pickle.dumps((plan, out, resume)))
    reader, writer = os.pipe()
    with os.fdopen(reader, errors="replace") as lines:
        with os.fdopen(writer, "wb") as output:
            process = _start("--work", str(work), output=output)
        watch = _Watch(cluster, process)
        with process:
            try:
                failure = _relayed(lines, watch)
                code = process.wait()
            finally:
                watch.end()
                lifeline.end(process, _PATIENCE)
    if watch.failure:
        raise watch.failure
    if failure:
        kind, _, message = failure.partition(":")
        raise _ERRORS.get(kind, ModelError)(message)
    if code:
        raise ModelError(
            f"trainer.strategy=multi_worker: expected the first rank to end well. Received: exit "
            f"code {code}. See the log of the step."
        )


def _relayed(lines: Any, watch: "_Watch") -> str:
    """Pass on what the first rank says, until it ends; returns its error."""
    failure = ""
    for line in lines:
        watch.heard()
        if line.startswith(_SAID):
            logger.info("%s", json.loads(line[1:]))
        elif line.startswith(_FAILED):
            failure = json.loads(line[1:])
        elif line.startswith(_CONNECTING):
            watch.begin()
        elif line.startswith(_CONNECTED):
            watch.listen()
        elif not line.startswith(_ALIVE):
            print(line, end="", flush=True)
    return failure


def _start(*arguments: str, output: Any) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, sys.path))
    return lifeline.start(
        lifeline.module(MODULE, *arguments),
        output,
        PYTHONPATH=path,
        TF_FORCE_GPU_ALLOW_GROWTH="true",  # the process that started it may hold some
    )


class _Said(logging.Handler):
    """Writes each message as a line that `_relayed` passes on."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"{_SAID}{json.dumps(record.getMessage())}", flush=True)


def _lead(work: Path) -> int:
    """Be the first rank of the training that `work` describes."""
    logging.getLogger("millrace").setLevel(logging.INFO)
    logging.getLogger("millrace").addHandler(_Said(logging.INFO))
    plan, out, resume = pickle.loads(work.read_bytes())  # noqa: S301 - written by `lead`
    try:
        _among_all(
            lambda fitting, strategy: fitting.lead(plan, strategy, out, resume),
            Cluster.of(os.environ),
        )
    except ComponentError as error:
        print(f"{_FAILED}{json.dumps(f'{type(error).__name__}:{error}')}", flush=True)
        return 1
    return 0


def _follow() -> int:
    """Take part in one training."""
    logging.basicConfig(level=logging.INFO, format=_FORMAT)
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    try:
        cluster = Cluster.followed(os.environ)
        _among_all(lambda fitting, strategy: fitting.follow(strategy), cluster)
    except ComponentError as error:
        logger.error("%s", error)
        return 1
    logger.info("done")
    return 0


def _among_all(train: Any, cluster: Cluster) -> None:
    """Call `train` with the module `fitting` and a strategy that connects all ranks.

    Those after the first wait for it, as long as it takes: TensorFlow would give up.

    Raises:
        ModelError: another rank ended before the training.
    """
    tensorflow_import.load()
    import tensorflow as tf

    from millrace.components.training import fitting, replicas

    if cluster.rank:
        logger.info("rank %d waits for %s", cluster.rank, cluster.addresses[0])
        _wait_for(cluster.addresses[0])
    _mark(_CONNECTING, cluster)
    lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # TensorFlow would only note it down
        _mark(_CONNECTED, cluster)
        threading.Thread(target=_beat, args=(cluster,), name="beat", daemon=True).start()
        train(fitting, strategy)
        # Once all have come here, none waits for another: whoever ends now is not missed.
        with contextlib.suppress(tf.errors.OpError):
            replicas.Replicas(strategy).wait()
    except (*lost, tf.errors.DeadlineExceededError, tf.errors.InternalError) as error:
        logging.getLogger(__name__).debug("lost", exc_info=True)
        raise ModelError(
            "trainer.strategy=multi_worker: expected every rank to stay until the end. Received: "
            f"{loss(str(error), cluster)}. See what the other ranks say, start those that ended, "
            "and run this again: it goes on after the last whole epoch."
        ) from error


def loss(text: str, cluster: Cluster) -> str:
    """Which ranks are lost, as far as TensorFlow's error `text` tells, and how it puts that.

    A rank's own name is in every error, in the names of devices. Graphs put a heading and the
    places in the code before what happened.
    """
    mentioned = {
        int(index) + (kind == "worker" and cluster.has_chief) for kind, index in _TASK.findall(text)
    }
    lost = {rank: each for rank, each in cluster.others().items() if rank in mentioned}
    lines = [line.strip() for line in text.rpartition(_ABORTED)[2].splitlines()]
    told = [line for line in lines if line and not _PLACE_IN_CODE.match(line)]
    reason = _REPORTED.sub("", told[0]).rstrip(":.") if told else "no reason"
    return f"the loss of {_named(lost)} ({reason})" if lost else reason


def _wait_for(address: str) -> None:
    while not _answers(address):
        time.sleep(_PAUSE)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def _mark(mark: str, cluster: Cluster) -> None:
    """Tell `_relayed`, if this is the first rank."""
    if cluster.rank == 0:
        print(mark, flush=True)


def _beat(cluster: Cluster) -> None:
    """Say again and again that the first rank is alive, for as long as its process is."""
    while True:
        time.sleep(_BEAT)
        _mark(_ALIVE, cluster)


class _Watch:
    """Looks for the other ranks while the process of the first one connects to them.

    TensorFlow lets no other thread of that process run meanwhile, and waits for an hour. Afterwards
    it listens to that process, which may be stopped, or be on a machine that swaps: TensorFlow
    tells the others then, but nobody tells the step.

    Attributes:
        failure: what it ended that process for.
    """

    def __init__(self, cluster: Cluster, process: subprocess.Popen[bytes]) -> None:
        self.failure: ModelError | None = None
        self._cluster, self._process = cluster, process
        self._connected, self._ended = threading.Event(), threading.Event()
        self._heard_at = time.monotonic()

    def begin(self) -> None:
        """Look for the others, since it connects to them."""
        self._start(lambda: look_for_others(self._cluster, self._connected))

    def listen(self) -> None:
        """Listen to the process from now on, since all are connected."""
        self._connected.set()
        self._start(self._listen)

    def heard(self) -> None:
        """Note that it has said something."""
        self._heard_at = time.monotonic()

    def end(self) -> None:
        """End, since the process has ended."""
        self._connected.set()
        self._ended.set()

    def _start(self, work: Callable[[], None]) -> None:
        threading.Thread(target=self._guard, args=(work,), name="ranks", daemon=True).start()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ModelError as error:
            self.failure = error
            self._process.kill()  # also where it is stopped

    def _listen(self) -> None:
        while not self._ended.wait(_PAUSE):
            if time.monotonic() - self._heard_at >= _SILENT:
                first = _named({0: self._cluster.addresses[0]})
                raise ModelError(
                    "trainer.strategy=multi_worker: expected every rank to stay until the end. "
                    f"Received: nothing for {_SILENT:g} s from {first}, whose process "
                    f"{self._process.pid} on this machine may be stopped. It has been ended; run "
                    "this again: it goes on after the last whole epoch."
                )


def look_for_others(cluster: Cluster, connected: threading.Event) -> None:
    """Say which ranks are missing, after a while and each minute, until all are connected.

    Raises:
        ModelError: they are not after ten minutes.
    """
    start, told_at = time.monotonic(), _SOON
    while not connected.wait(_PAUSE):
        missing = {
            rank: address for rank, address in cluster.others().items() if not _answers(address)
        }
        waited = time.monotonic() - start
        if waited >= _LIMIT:
            named = _named(missing) or "all of them at their ports, and not connected"
            raise ModelError(
                "trainer.strategy=multi_worker: expected every rank to be there within "
                f"{_LIMIT / 60:g} minutes. Missing: {named}. Start `{COMMAND}` there, each with "
                "its index in TF_CONFIG, look for a firewall, and run this again."
            )
        if missing and waited >= told_at:
            told_at = waited + _AGAIN
            logger.warning(
                "waiting for %s; start it by `%s`, with its index in TF_CONFIG",
                _named(missing),
                COMMAND,
            )


def _named(ranks: Mapping[int, str]) -> str:
    return ", ".join(f"rank {rank} at {address}" for rank, address in ranks.items())


def _end(work: Callable[[], int]) -> NoReturn:
    """End with the exit code of `work`, at once: TensorFlow would wait for other ranks."""
    code = 1
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)


def _main() -> NoReturn:
    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Train with other machines, as TF_CONFIG says."
    )
    parser.add_argument("--once", action="store_true", help="take part in one training, and end")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        _end(lambda: _lead(asked.work))
    try:
        Cluster.followed(os.environ)
    except OptionError as error:
        parser.exit(2, f"{error}\n")
    if asked.once:
        _end(_follow)
    while True:
        if _start("--once", output=sys.stderr.buffer).wait():
            time.sleep(_PAUSE)


if __name__ == "__main__":
    _main()
