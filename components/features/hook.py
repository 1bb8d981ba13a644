"""A user's preprocessing function, run inside ours: once for training and for serving.

`features.image` and `features.text` call `apply` on what they decoded, `features.table` and
`features.series_hook` call `columns`, so the function is traced into the graph that `transform`
runs and into the one that `export` writes. What it is given, and may return:

    image   uint8 [height, width, channels] of one picture, upright, before it is resized; may
            return any height and width
    text    string [batch], before it is standardised and split into tokens
    table   columns by name, string or float32 [batch] each, missing cells "" or NaN, before they
            are scaled or looked up; may return other columns made from these
    series  columns by name, float32 [batch, lookback] each, of windows in the data's own units:
            targets, covariates, columns known ahead and the calendar's; what it returns replaces
            the covariates. The targets stay as they are, since a forecast is in their units
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import tensorflow as tf

from millrace.components.errors import DataError, OptionError
from millrace.components.features import hook_spec
from millrace.components.features.hook_spec import PLACE, Hook
from millrace.components.user_code import references

Value = TypeVar("Value", tf.Tensor, dict[str, tf.Tensor])

OF_TABLES = (tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.float32))

_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


def apply(hook: Hook | None, value: Value, wanted: Any) -> Value:
    """What the function of `hook` returns for `value`; without a hook, `value` itself.

    Args:
        hook: the function, and its code when the analysis was made.
        value: a tensor, or tensors by name.
        wanted: `tf.TensorSpec` of the answer, or one by name.

    Raises:
        DataError: the function's code has changed since the analysis.
        OptionError: it cannot be found, cannot be traced into a graph, needs Python to run, or
            returns something other than `wanted`.
    """
    if hook is None:
        return value
    _check_code(hook)
    answer = _traced(hook.function)(value)
    _check_answer(hook.function, answer, wanted)
    return answer


def columns(
    hook: Hook | None,
    given: dict[str, tf.Tensor],
    wanted: Sequence[tf.TensorSpec] = OF_TABLES,
) -> dict[str, tf.Tensor]:
    """The columns that the function of `hook` makes from `given`; see `apply`.

    Args:
        hook: the function, and its code when the analysis was made.
        given: columns by name.
        wanted: what each column of the answer may be.

    Raises:
        DataError: as `apply`.
        OptionError: as `apply`; the answer must be one or more columns by name.
    """
    if hook is None:
        return given
    _check_code(hook)
    answer = _traced(hook.function)(given)
    is_made = isinstance(answer, Mapping) and answer
    if not is_made or not all(_is_column(each, wanted) for each in answer.values()):
        raise OptionError(
            f"{PLACE}: expected {hook.function} to return columns by name, "
            f"{' or '.join(map(_described, wanted))}. "
            f"Received: {_described(answer)}. Return such columns in a dict."
        )
    return dict(answer)


def _is_column(answer: Any, wanted: Sequence[tf.TensorSpec]) -> bool:
    return any(_fits(answer, spec) and answer.shape.rank == spec.shape.rank for spec in wanted)


@functools.cache
def _traced(reference: str) -> Callable[[Any], Any]:
    """The function as a graph, as the server runs it, for every caller."""
    graph = tf.function(references.load(reference, PLACE))

    def call(value: Any) -> Any:
        specs = tf.nest.map_structure(_spec, value)
        try:
            concrete = graph.get_concrete_function(specs)
        except OptionError:
            raise
        except Exception as error:
            raise OptionError(
                f"{PLACE}: expected a function that TensorFlow can trace with {_described(specs)}. "
                f"Received: {reference}, which fails with {_last_line(error)}. Use TensorFlow "
                "operations in it."
            ) from error
        if python := _python_ops(concrete):
            raise OptionError(
                f"{PLACE}: expected operations that a model server can run. Received: {reference} "
                f"with {', '.join(sorted(python))}, which call back into Python. Write it in "
                "TensorFlow operations, without py_function and numpy_function."
            )
        return graph(value)

    return call


def _last_line(error: Exception) -> str:
    """What `error` says last, behind its kind; AutoGraph puts frames and the kind before that."""
    kind = f"{type(error).__name__}: "
    lines = str(error).strip().splitlines() or [""]
    return kind + lines[-1].strip().removeprefix(kind)


def _spec(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _python_ops(concrete: Any) -> set[str]:
    graph = concrete.graph.as_graph_def()
    nodes = [*graph.node, *(node for body in graph.library.function for node in body.node_def)]
    return {node.op for node in nodes} & _PYTHON_OPS


def _check_code(hook: Hook) -> None:
    if hook_spec.digest(hook.function) != hook.code:
        _check_found(hook.function)
        raise DataError(
            f"{hook.function}: expected the code that the analysis was made with. Received: "
            "other code, so training and serving would differ. Run `analyze` and the steps after "
            "it again; if a Beam worker reports this, give it the same code as this machine has."
        )


def _check_found(reference: str) -> None:
    """Refuse a function that this process cannot import: it has no code to compare."""
    try:
        references.load(reference, PLACE)
    except OptionError as error:
        raise OptionError(
            f"{error} Beam's workers need it too: ship it to remote ones with "
            "`-- --setup_file=./setup.py` or `-- --extra_package=FILE.tar.gz`, or put its folder "
            "on the PYTHONPATH of each."
        ) from error


def _check_answer(reference: str, answer: Any, wanted: Any) -> None:
    if _fits(answer, wanted):
        return
    raise OptionError(
        f"{PLACE}: expected {reference} to return {_described(wanted)}. "
        f"Received: {_described(answer)}. Return what it is given, in the same form."
    )


def _fits(answer: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return (
            isinstance(answer, Mapping)
            and answer.keys() == wanted.keys()
            and all(_fits(answer[name], spec) for name, spec in wanted.items())
        )
    is_tensor = isinstance(answer, tf.Tensor)
    return (
        is_tensor and answer.dtype == wanted.dtype and answer.shape.is_compatible_with(wanted.shape)
    )


def _described(value: Any) -> str:
    """Dtype and shape of a tensor or a spec, or of several by name; else the type."""
    if isinstance(value, Mapping):
        return (
            ", ".join(f"{name}: {_described(one)}" for name, one in sorted(value.items())) or "{}"
        )
    if not isinstance(value, tf.Tensor | tf.TensorSpec):
        return f"a {type(value).__name__}"
    shape = "unknown" if value.shape.rank is None else list(value.shape)
    return f"{value.dtype.name} {shape}".replace("None", "…")
