"""A graph in a v1 session, fed and fetched by tensor name.

It bypasses the conversions and shape checks of `Session.run`, so that a request meets the same
kernels in the same order, and fails with the same texts, as in `tensorflow_model_server`. Runs
known to be brief stay on the calling thread, because waking one of the runtime's threads would
take longer; only other runs can be stopped by their timeout.
"""

import dataclasses
import functools
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session

from millrace.serving.errors import InvalidArgumentError, rpc_error
from millrace.serving.pool import blocked

_BRIEF = 0.002  # seconds
_INSTANT = 0.0002  # seconds; too short for waking another thread to pay off
_MAX_SLOWDOWN = 1.1  # limits the growth of an estimate, as runs are delayed on shared cores
_MOST_ROUTES = 256  # kept: callers choose the outputs and their order
# Operations whose run time cannot be predicted from earlier runs.
_LOOPS = {"While", "StatelessWhile", "For", "Enter", "RefEnter"}
_OPEN_ENDED = _LOOPS | {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
# Operations whose fast kernels abort the process if an input has the wrong rank.
_STRICT = ("Conv", "Depthwise", "Pool", "FusedBatchNorm", "LRN")


@dataclasses.dataclass(eq=False)
class _Route:
    """One combination of feeds and fetches.

    Attributes:
        feeds: the runtime's handles of the tensors fed.
        fetches: the runtime's handles of the tensors fetched.
        dtypes: numpy's, of the feeds.
        ranks: of the feeds; None if any rank is allowed.
        pace: estimated seconds per value fed.
        prepared: the runtime's handle for runs on the calling thread, once created; it lives as
            long as the session.
    """

    feeds: list[Any]
    fetches: list[Any]
    dtypes: list[np.dtype]
    ranks: list[int | None]
    pace: float = _BRIEF
    prepared: int | None = None


class GraphSession:
    """Runs a graph; thread-safe."""

    def __init__(self, session: tf.compat.v1.Session, graph_def: Any) -> None:
        """Run the graph of `session`, which was imported from `graph_def`."""
        self._session = session
        operations = _operations(graph_def)
        self._is_bounded = _OPEN_ENDED.isdisjoint(operations)
        self._is_strict = any(part in operation for operation in operations for part in _STRICT)
        self._preparing = threading.Lock()
        self._routes: dict[tuple[tuple[str, ...], tuple[str, ...]], _Route] = {}

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout: float | None
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by name, within `timeout` seconds.

        Raises:
            RpcError: the runtime's error, with its code.
        """
        key = (tuple(feeds), tuple(fetches))
        route = self._routes.get(key) or self._new_route(key)
        arrays = list(feeds.values())
        if self._is_strict:
            _check_ranks(arrays, route.ranks)
        size = sum([array.size for array in arrays]) or 1
        start = time.perf_counter()
        try:
            expected = route.pace * size
            if self._is_bounded and expected < _INSTANT:
                outputs = self._run_here(key, route, arrays)
            else:
                with blocked():
                    is_brief = self._is_bounded and expected < _BRIEF
                    outputs = (
                        self._run_here(key, route, arrays)
                        if is_brief
                        else self._run_elsewhere(route, arrays, timeout)
                    )
        except tf.errors.OpError as error:
            raise rpc_error(error.error_code, error.message) from error
        except (
            UnicodeDecodeError
        ) as error:  # the error text quotes bytes of the request; it has no code
            raise InvalidArgumentError(error.object.decode(errors="replace")) from error
        route.pace = min((time.perf_counter() - start) / size, route.pace * _MAX_SLOWDOWN)
        return [_array(output) for output in outputs]

    def close(self) -> None:
        """Free the session and its graph; it must not be run afterwards."""
        self._routes.clear()
        self._session.close()
        del self._session

    def _run_here(
        self, key: tuple[Sequence[str], Sequence[str]], route: _Route, arrays: list[np.ndarray]
    ) -> list[Any]:
        if [array.dtype for array in arrays] != route.dtypes:  # its error text would differ
            return self._run(_on_this_thread(), route, arrays)
        if route.prepared is None:
            with self._preparing:
                if route.prepared is None:
                    route.prepared = self._prepare(*key)
        outputs: list[Any] = pywrap_tf_session.TF_SessionRunCallable(
            self._session._session, route.prepared, arrays, None
        )
        return outputs

    def _prepare(self, feeds: Sequence[str], fetches: Sequence[str]) -> int:
        # Not `Session.make_callable`: at interpreter shutdown it uses modules that are gone
        # already, and prints an error.
        self._session._extend_graph()
        proto = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        proto.run_options.inter_op_thread_pool = -1
        options = pywrap_tf_session.TF_NewBufferFromString(proto.SerializeToString())
        try:
            handle: int = pywrap_tf_session.TF_SessionMakeCallable(self._session._session, options)
        finally:
            pywrap_tf_session.TF_DeleteBuffer(options)
        return handle

    def _run_elsewhere(
        self, route: _Route, arrays: list[np.ndarray], timeout: float | None
    ) -> list[Any]:
        if timeout is None:
            return self._run(None, route, arrays)
        options = _run_options(timeout_in_ms=max(1, round(timeout * 1000)))
        try:
            return self._run(options, route, arrays)
        finally:
            pywrap_tf_session.TF_DeleteBuffer(options)

    def _run(self, options: Any, route: _Route, arrays: list[np.ndarray]) -> list[Any]:
        fed = dict(zip(route.feeds, arrays, strict=True))
        outputs: list[Any] = self._session._call_tf_sessionrun(
            options, fed, route.fetches, [], None
        )
        return outputs

    def _new_route(self, key: tuple[tuple[str, ...], tuple[str, ...]]) -> _Route:
        fed, fetched = [self._find(name) for name in key[0]], [self._find(name) for name in key[1]]
        route = _Route(
            [tensor._as_tf_output() for tensor in fed],
            [tensor._as_tf_output() for tensor in fetched],
            [np.dtype(tensor.dtype.as_numpy_dtype) for tensor in fed],
            [tensor.shape.rank for tensor in fed],
        )
        if len(self._routes) < _MOST_ROUTES:
            self._routes[key] = route
        return route

    def _find(self, name: str) -> Any:
        try:
            return self._session.graph.get_tensor_by_name(name)
        except (KeyError, ValueError) as error:  # a signature may name a tensor that does not exist
            raise InvalidArgumentError(
                f"Tensor {name}, specified in either feed_devices or fetch_devices was not "
                "found in the Graph"
            ) from error


def _array(output: Any) -> np.ndarray:
    """Returns an output as an array.

    A single string arrives as `bytes`, whose trailing zeros numpy would drop.
    """
    return np.array(output, dtype=object) if isinstance(output, bytes) else np.asarray(output)


def _operations(graph_def: Any) -> set[str]:
    """Returns the types of operations in a graph and in its functions."""
    functions = (node for function in graph_def.library.function for node in function.node_def)
    return {node.op for node in (*graph_def.node, *functions)}


def _check_ranks(arrays: list[np.ndarray], ranks: list[int | None]) -> None:
    for array, rank in zip(arrays, ranks, strict=True):
        if rank is not None and array.ndim != rank:
            shape = ",".join(map(str, array.shape))
            raise InvalidArgumentError(f"input must be {rank}-dimensional: [{shape}]")


def _run_options(**options: int) -> Any:
    proto = config_pb2.RunOptions(**options)
    return pywrap_tf_session.TF_NewBufferFromString(proto.SerializeToString())


@functools.cache
def _on_this_thread() -> Any:
    return _run_options(inter_op_thread_pool=-1)
