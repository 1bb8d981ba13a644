"""A loaded SavedModel, run as TensorFlow's model server runs it.

Signatures map aliases to tensor names, which `session` feeds and fetches. On this floor only this
module, `session`, `saved_model` and `tflite` import TensorFlow at the top.
"""

import ctypes
import gc
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import tensorflow as tf
from etils.epath import Path

from millrace.serving import inference, regular_file, saved_model, values, warmup
from millrace.serving.errors import ModelLoadError, RpcError
from millrace.serving.inference import RequestOptions
from millrace.serving.protos import signature_pb2
from millrace.serving.session import GraphSession
from millrace.serving.signature import DEFAULT, Signature, from_proto


class LoadedModel:
    """A SavedModel with its variables, tables and assets, ready to run; thread-safe."""

    def __init__(
        self,
        path: Path | str,
        *,
        tags: Sequence[str] = ("serve",),
        session: tf.compat.v1.ConfigProto | None = None,
    ) -> None:
        """Load the SavedModel folder `path`.

        Args:
            path: the folder.
            tags: of the graph to load.
            session: threads and devices; TensorFlow's defaults if None.

        Raises:
            ModelLoadError: there is no SavedModel, none with these `tags`, or TensorFlow cannot
                restore it.
        """
        self.path = Path(path)
        graph = tf.Graph()
        within = tf.compat.v1.Session(graph=graph, config=session)
        try:
            regular_file.check_version(path)
            with graph.as_default():
                meta_graph = saved_model.load(within, str(path), tags)
                within.make_callable([])  # passes the imported graph to the runtime
            self.signatures = _signatures(meta_graph)
        except (OSError, RuntimeError, ValueError, KeyError, tf.errors.OpError) as error:
            within.close()
            raise ModelLoadError(
                f"{path}: expected a SavedModel with tags {{{', '.join(tags)}}}. "
                f"Received: {_one_line(error)}. Export the model again, or use its own tags."
            ) from error
        self._session = GraphSession(within, meta_graph.graph_def)

    def predict(
        self,
        inputs: Mapping[str, values.ArrayLike],
        *,
        signature: str = DEFAULT,
        outputs: Sequence[str] = (),
        timeout: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Run one signature.

        Args:
            inputs: by alias; strings are `bytes` in an object array or a list.
            signature: its name.
            outputs: aliases of the outputs to return; all if empty.
            timeout: seconds.

        Returns:
            Arrays by alias, strings as object arrays of `bytes`.

        Raises:
            RpcError: as a model server answers the same request.
        """
        found = inference.find_for_predict(self, signature)
        arrays = {alias: values.as_array(value, name=alias) for alias, value in inputs.items()}
        feeds = inference.feed(found, arrays, lambda array: array)
        fetches = inference.fetch(found, outputs)
        found_outputs = self.run(feeds, list(fetches.values()), RequestOptions(timeout))
        return dict(zip(fetches, found_outputs, strict=True))

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        fetches: Sequence[str],
        options: RequestOptions = inference.DEFAULT_OPTIONS,
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by their names in the graph.

        Args:
            feeds: arrays by tensor name.
            fetches: tensor names.
            options: how long it may take.

        Raises:
            RpcError: the runtime's error, with its code.
        """
        return self._session.run(feeds, fetches, options.timeout)

    def warm_up(
        self, options: RequestOptions = inference.DEFAULT_OPTIONS, *, iterations: int = 1
    ) -> int:
        """Run the warm-up requests in `assets.extra`, each `iterations` times.

        Returns their number.

        Raises:
            ModelLoadError: a record cannot be read or its request fails.
        """
        return warm_up(self, self.path, options, iterations=iterations)

    def close(self) -> None:
        """Free the model's memory; it must not be run afterwards."""
        self._session.close()
        gc.collect()  # a graph is full of cycles, which would otherwise be freed much later
        _give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def warm_up(
    model: inference.Runnable,
    path: Path,
    options: RequestOptions = inference.DEFAULT_OPTIONS,
    *,
    iterations: int = 1,
) -> int:
    """Run the warm-up requests in a version's folder, each `iterations` times.

    Returns their number.

    Raises:
        ModelLoadError: a record cannot be read or its request fails.
    """
    file = path / warmup.FILE
    if not file.exists():
        return 0
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    try:
        return warmup.replay(model, records, options, iterations=iterations)
    except (RpcError, tf.errors.OpError) as error:
        raise ModelLoadError(
            f"{file}: expected requests that the model can answer. Received: {error}. "
            "Write the warm-up requests again, or remove the file."
        ) from error


def _one_line(error: Exception) -> str:
    """Returns the error's text on one line, without TensorFlow's generic prefix."""
    return " ".join(str(error).removeprefix("Graph execution error:").split()).rstrip(".")


def _signatures(meta_graph: Any) -> dict[str, Signature]:
    found = {}
    for name in sorted(meta_graph.signature_def):
        raw = meta_graph.signature_def[name].SerializeToString()
        found[name] = from_proto(name, signature_pb2.SignatureDef.FromString(raw))
    return found


def _give_back() -> None:
    """Make the C library return freed memory to the system; glibc keeps it for each thread."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # exists in glibc only
    if trim is not None:
        trim(0)
