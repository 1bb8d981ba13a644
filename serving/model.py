"""A SavedModel in memory, run as TensorFlow's model server runs it.

Signatures are names of tensors, which `session` feeds and fetches. Only this module, that one,
`saved_model` and `tflite` import TensorFlow on this floor.
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
from millrace.serving.inference import Call
from millrace.serving.protos import signature_pb2
from millrace.serving.session import GraphSession
from millrace.serving.signature import DEFAULT, Signature, from_proto


class LoadedModel:
    """A SavedModel with its variables, tables and assets, ready to run; safe to share."""

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
            tags: of the graph in it.
            session: threads and devices; TensorFlow's own choice where None.

        Raises:
            ModelLoadError: there is no SavedModel there, or none with these `tags`, or TensorFlow
                cannot restore it.
        """
        self.path = Path(path)
        graph = tf.Graph()
        within = tf.compat.v1.Session(graph=graph, config=session)
        try:
            regular_file.check_version(path)
            with graph.as_default():
                meta_graph = saved_model.load(within, str(path), tags)
                within.make_callable([])  # hands what was imported to the runtime
            self.signatures = _signatures(meta_graph)
        except (OSError, RuntimeError, ValueError, KeyError, tf.errors.OpError) as error:
            within.close()
            raise ModelLoadError(
                f"{path}: expected a SavedModel with tags {{{', '.join(tags)}}}. "
                f"Received: {_told(error)}. Export the model again, or name its own tags."
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
            outputs: aliases of the outputs wanted; none means all.
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
        found_outputs = self.run(feeds, list(fetches.values()), Call(timeout))
        return dict(zip(fetches, found_outputs, strict=True))

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call = inference.ONCE
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by their names in the graph.

        Args:
            feeds: arrays by tensor name.
            fetches: tensor names.
            call: how long it may take.

        Raises:
            RpcError: what the runtime says, under its own code.
        """
        return self._session.run(feeds, fetches, call.timeout)

    def warm_up(self, call: Call = inference.ONCE, *, iterations: int = 1) -> int:
        """Run the requests that the model carries in `assets.extra`; returns their number.

        Each is run `iterations` times.

        Raises:
            ModelLoadError: a record cannot be read or its request fails.
        """
        return warm_up(self, self.path, call, iterations=iterations)

    def close(self) -> None:
        """Free the model's memory; nothing may run any more."""
        self._session.close()
        gc.collect()  # a graph is full of cycles and would stay until Python feels like it
        _give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def warm_up(
    model: inference.Runnable, path: Path, call: Call = inference.ONCE, *, iterations: int = 1
) -> int:
    """Run the requests that a version's folder carries, each so often; returns their number.

    Raises:
        ModelLoadError: a record cannot be read or its request fails.
    """
    file = path / warmup.FILE
    if not file.exists():
        return 0
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    try:
        return warmup.replay(model, records, call, iterations=iterations)
    except (RpcError, tf.errors.OpError) as error:
        raise ModelLoadError(
            f"{file}: expected requests that the model can answer. Received: {error}. "
            "Write the warm-up requests again, or remove the file."
        ) from error


def _told(error: Exception) -> str:
    """The error's text on one line, without what TensorFlow opens each of a graph's with."""
    return " ".join(str(error).removeprefix("Graph execution error:").split()).rstrip(".")


def _signatures(meta_graph: Any) -> dict[str, Signature]:
    found = {}
    for name in sorted(meta_graph.signature_def):
        raw = meta_graph.signature_def[name].SerializeToString()
        found[name] = from_proto(name, signature_pb2.SignatureDef.FromString(raw))
    return found


def _give_back() -> None:
    """Let the C library hand to the system what was freed; glibc keeps it for each thread's use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries have none
    if trim is not None:
        trim(0)
