"""Loads a version's folder as the flags say: session, warm-up, batching.

TensorFlow takes seconds to import, so the first load does it, after the flags were checked.
"""

import contextlib
import functools
import gc
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from etils.epath import Path
from google.protobuf import text_format

from millrace.serving import (
    cores,
    metered,
    regular_file,
    remote,
    tensorflow_import,
    text_form,
    versions,
)
from millrace.serving.batching.model import BatchScheduler
from millrace.serving.errors import MillraceError, ServerError
from millrace.serving.flags import Options
from millrace.serving.inference import RequestOptions
from millrace.serving.lifecycle import Servable

if TYPE_CHECKING:
    from tensorflow.core.protobuf.config_pb2 import ConfigProto


_TFLITE = "model.tflite"
_SWITCH_SECONDS = 0.0001
_switching = threading.Lock()
_usual: list[float] = []  # the interval without loads, once for each that is in progress


class Loader:
    """Loads versions; thread-safe."""

    def __init__(self, options: Options, batching: BatchScheduler | None) -> None:
        """Read the files that the flags name.

        Raises:
            ServerError: the session's configuration cannot be read.
        """
        self._options = options
        self._batching = batching
        if options.tensorflow_session_config_file:
            _ = self._session  # fail before anything is loaded

    def __call__(self, path: Path) -> Servable:
        """Load the version in the folder `path` and warm it up; a remote one by a copy of it.

        Raises:
            ModelLoadError: it cannot be loaded, or its warm-up fails.
            ServerError: its batching parameters cannot be read.
            OSError: it is remote, and cannot be fetched.
        """
        with metered.load(str(path)):
            folder = _fetched(path)
            with yielding():
                model = self._read(folder)
        try:
            if self._options.enable_model_warmup:
                with metered.warm_up(str(path)):
                    self._warm_up(model, folder)
            return self._batching.wrap(model, folder) if self._batching else model
        except MillraceError:
            model.close()
            raise

    def _read(self, path: Path) -> Servable:
        """Load the version in the folder `path`, without warm-up."""
        tensorflow_import.load()
        from millrace.serving.model import LoadedModel

        if not gc.get_freeze_count():
            gc.freeze()  # collections after an unload then skip all that TensorFlow's import made
        options = self._options
        if options.prefer_tflite_model and (Path(path) / _TFLITE).exists():
            from millrace.serving.tflite import TfLiteModel

            count = options.num_tflite_pools * options.num_tflite_interpreters_per_pool
            return TfLiteModel(path, interpreters=count)
        return LoadedModel(path, tags=options.saved_model_tags.split(","), session=self._session)

    def _warm_up(self, model: Servable, path: Path) -> None:
        from millrace.serving.model import warm_up

        options = RequestOptions(check_method_name=self._options.enable_signature_method_name_check)
        iterations = max(1, self._options.num_request_iterations_for_warmup)
        warm_up(model, path, options, iterations=iterations)

    @functools.cached_property
    def _session(self) -> "ConfigProto":
        return session_config(self._options)


def _fetched(version: Path) -> Path:
    """The folder `version`, or a copy of a remote one; copies of versions that are gone go too."""
    if not remote.is_remote(version):
        return version
    copy = remote.fetch(version)
    there = {folder.name for folder in (versions.on_disk(version.parent) or {}).values()}
    for other in copy.parent.iterdir():
        if other.name.isdigit() and other.name not in there:
            other.rmtree(missing_ok=True)
    return copy


@contextlib.contextmanager
def yielding() -> Iterator[None]:
    """Make each thread release the interpreter lock after 0.1 ms, not 5 ms, during the block.

    A request takes the lock about five times, and would wait 5 ms each time for a thread that runs
    Python, as a load does. Not for good: with many requests at once, more switches cost more than
    they save. Figures are in benchmarks/README.md.
    """
    with _switching:
        _usual.append(_usual[0] if _usual else sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        with _switching:
            usual = _usual.pop()
            if not _usual:
                sys.setswitchinterval(usual)


def session_config(options: Options) -> "ConfigProto":
    """Returns the threads and devices of the sessions.

    By default an operation may use half of the cores: the interpreter, gRPC and other requests
    need the rest, and splitting a small operation costs more than it gains. Idle threads sleep
    at once instead of spinning, which would take cores from busy ones. Worker processes share
    the cores.

    Raises:
        ServerError: `--tensorflow_session_config_file` cannot be read.
    """
    from tensorflow.core.protobuf import config_pb2

    config = config_pb2.ConfigProto()
    config.experimental.disable_thread_spinning = True
    if options.tensorflow_session_config_file:
        file = options.tensorflow_session_config_file
        try:
            text_form.parse(regular_file.read_text(file), config)
        except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
            raise ServerError(
                f"--tensorflow_session_config_file={file}: expected a text-format ConfigProto. "
                f"Received: {error}. Correct the file."
            ) from error
    if options.per_process_gpu_memory_fraction:
        fraction = options.per_process_gpu_memory_fraction
        config.gpu_options.per_process_gpu_memory_fraction = fraction
    both, share = options.tensorflow_session_parallelism, cores.available() // options.workers
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    config.intra_op_parallelism_threads = (
        intra or both or config.intra_op_parallelism_threads or max(1, share // 2)
    )
    config.inter_op_parallelism_threads = (
        inter or both or config.inter_op_parallelism_threads or max(1, share)
    )
    return config
