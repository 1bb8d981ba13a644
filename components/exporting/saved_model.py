"""The signatures of a Keras model, and the SavedModel of them that a model server loads."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from etils.epath import Path
from tensorflow.core.protobuf import saved_model_pb2

from millrace.components.exporting import input_names
from millrace.serving.protos import signature_pb2
from millrace.serving.signature import CLASSIFY, REGRESS, Signature, from_proto

Outputs = dict[str, tf.Tensor]
# A function, and its inputs in order; the names of the specs are those of the signature.
Endpoint = tuple[Callable[..., Outputs], tuple[tf.TensorSpec, ...]]

SERIALISED = tf.TensorSpec([None], tf.string, name="inputs")

_METHODS = {
    "classify": CLASSIFY,
    "regress": REGRESS,
}  # not called by Predict


def at_least_one(rows: tf.Tensor) -> tf.Tensor:
    """`rows` [batch, ...], or one row of zeros if there are none.

    TensorFlow 2.21's fused convolution gets the depth of an empty batch wrong.
    """
    zeros = tf.zeros([1, *rows.shape[1:]], rows.dtype)
    return tf.cond(tf.shape(rows)[0] > 0, lambda: rows, lambda: zeros)


def write(
    endpoints: Mapping[str, Endpoint], folder: Path, model: keras.Model | None = None
) -> list[Signature]:
    """Write `endpoints`, and the variables and tables that they use, to `folder`.

    Args:
        endpoints: by the names of their signatures.
        folder: of the SavedModel.
        model: a network that they call, whose tables are written as well: those of a SavedModel
            within it, which the archive does not find by itself.

    Returns:
        The signatures as a server will read them.
    """
    # The archive tracks the variables and tables of its endpoints. Calling `track` as well would
    # write every weight a second time, under its Keras variable.
    archive = keras.export.ExportArchive()
    for name, (function, signature) in endpoints.items():
        traced = archive.add_endpoint(name, function, input_signature=input_names.named(signature))
        _order_variables(traced.get_concrete_function().graph)
    for table in _tables(model) if model else ():
        archive.track(table)
    with _quiet():
        archive.write_out(str(folder), verbose=False)
        input_names.restore(folder, {name: specs for name, (_, specs) in endpoints.items()})
        _name_methods(folder, [name for name in endpoints if name in _METHODS])
    return _signatures(folder, list(endpoints))


def _tables(model: keras.Model) -> Iterator[Any]:
    for each in tf.train.TrackableView(model).descendants():
        if isinstance(each, tf.saved_model.experimental.TrackableResource):
            yield each


def _order_variables(graph: tf.Graph) -> None:
    """Put the variables of a function in the order in which it uses them first.

    TensorFlow keeps them in a set by their addresses (`watch_variable` and
    `func_graph_from_py_func` in `tensorflow/python/framework/func_graph.py`), Keras writes them in
    that order, and so each process wrote another SavedModel of the same weights.
    """
    used = {id(tensor): place for place, tensor in enumerate(graph.external_captures)}
    graph.variables = sorted(graph.variables, key=lambda each: used.get(id(each.handle), len(used)))


def _signatures(folder: Path, names: Sequence[str]) -> list[Signature]:
    proto = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = proto.meta_graphs[0].signature_def
    return [
        from_proto(name, signature_pb2.SignatureDef.FromString(found[name].SerializeToString()))
        for name in names
    ]


def _name_methods(folder: Path, names: Sequence[str]) -> None:
    """Give the signatures of Classify and Regress the method names that servers insist on.

    `tf.saved_model.save` gives every signature that of Predict.
    """
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    for name in names:
        updater.replace_method_name(name, _METHODS[name])
    if names:
        updater.save()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without TensorFlow's messages about what it wrote and which inner names it changed."""
    loggers = [tf.get_logger(), logging.getLogger("absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
