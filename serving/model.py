"""A SavedModel in memory, run as TensorFlow's model server runs it.

The graph is fed and fetched by tensor name through a v1 session, below the conversions and the
shape checks of `Session.run`: a request meets the same kernels, in the same order, and fails
with the same texts as in `tensorflow_model_server`. Only this module, `saved_model` and `tflite`
import TensorFlow on this floor.
"""

import ctypes
import gc
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import tensorflow as tf
from etils.epath import Path
from tensorflow.python.client import pywrap_tf_session

from serving import inference, saved_model, warmup, wire
from serving.errors import InvalidArgumentError, ModelLoadError, RpcError, rpc_error
from serving.inference import Call
from serving.protos import signature_pb2
from serving.signature import DEFAULT, Signature, from_proto


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
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph, config=session)
        try:
            with self._graph.as_default():
                meta_graph = saved_model.load(self._session, str(path), tags)
                self._session.make_callable([])  # hands what was imported to the runtime
            self.signatures = _signatures(meta_graph)
        except (OSError, RuntimeError, ValueError, KeyError, tf.errors.OpError) as error:
            self.close()
            raise ModelLoadError(
                f"{path}: expected a SavedModel with tags {{{', '.join(tags)}}}. "
                f"Received: {str(error).rstrip('.')}. Export the model again, or name its own tags."
            ) from error
        self._tensors: dict[str, Any] = {}

    def predict(
        self,
        inputs: Mapping[str, wire.ArrayLike],
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
        arrays = {alias: wire.as_array(value, name=alias) for alias, value in inputs.items()}
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
        options = None if call.timeout is None else _run_options(call.timeout)
        try:
            arrays = self._session._call_tf_sessionrun(
                options,
                {self._tensor(name): array for name, array in feeds.items()},
                [self._tensor(name) for name in fetches],
                [],
                None,
            )
        except tf.errors.OpError as error:
            raise rpc_error(error.error_code, error.message) from error
        except UnicodeDecodeError as error:  # the text quotes bytes of the request, and no code
            raise InvalidArgumentError(error.object.decode(errors="replace")) from error
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        return [np.asarray(array) for array in arrays]

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
        self._tensors = {}
        self._graph = None
        gc.collect()  # a graph is full of cycles and would stay until Python feels like it
        _give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tensor(self, name: str) -> Any:
        """The runtime's handle of a tensor, looked up once."""
        if name not in self._tensors:
            try:
                self._tensors[name] = self._graph.get_tensor_by_name(name)._as_tf_output()
            except (KeyError, ValueError) as error:  # a signature's name may stand for no tensor
                raise InvalidArgumentError(
                    f"Tensor {name}, specified in either feed_devices or fetch_devices was not "
                    "found in the Graph"
                ) from error
        return self._tensors[name]


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


def _run_options(timeout: float) -> Any:
    milliseconds = max(1, round(timeout * 1000))
    proto = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
    return pywrap_tf_session.TF_NewBufferFromString(proto.SerializeToString())
