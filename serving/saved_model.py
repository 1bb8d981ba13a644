"""Loads a SavedModel into a session with little delay for requests to other models.

TensorFlow imports a graph while holding the interpreter lock, so all requests of the process wait.
Therefore nodes that no request can reach are left out, as are functions that only those call, and
functions are added one by one after the nodes that call them: otherwise the shapes of each call are
inferred through its whole function, which takes most of the import's time and yields static shapes
that nothing here needs. Figures are in benchmarks/README.md.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.saved_model import loader_impl

# TensorFlow 2 saves only how to initialise; TensorFlow 1 also lists variables and more by name.
_KNOWN = {"saved_model_main_op"}
# Collections and signatures that initialise.
_INITIALISERS = ("saved_model_main_op", "legacy_init_op", "__saved_model_init_op")
_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}
_NAMED = 3  # how many variables a warning names
_log = logging.getLogger(__name__)


def load(session: tf.compat.v1.Session, path: str, tags: Sequence[str]) -> Any:
    """Import the graph with `tags` of the SavedModel at `path`, restore and initialise it.

    Args:
        session: has an empty graph.
        path: the SavedModel's folder.
        tags: exactly the tags of the graph.

    Returns:
        Its MetaGraphDef, without the parts of the graph that were left out.

    Raises:
        OSError: there is no SavedModel.
        RuntimeError: it has no graph with these tags.
        ValueError: the graph cannot be imported.
        tf.errors.OpError: its variables or tables cannot be restored.
    """
    loader = loader_impl.SavedModelLoader(path)
    meta_graph = loader.get_meta_graph_def_from_tags(tags)
    if meta_graph.HasField("object_graph_def") and set(meta_graph.collection_def) <= _KNOWN:
        prune(meta_graph)
    graph_def = meta_graph.graph_def
    apart: list[graph_pb2.GraphDef] = []
    if not {function.signature.name for function in graph_def.library.function} & {
        node.op for node in graph_def.node
    }:
        apart = _functions(graph_def)
        graph_def.ClearField("library")
    saver, _ = loader.load_graph(session.graph, tags)
    with session.graph.as_default():
        for graph in apart:
            tf.import_graph_def(graph, name="")
    loader.restore_variables(session, saver)
    loader.run_init_ops(session, tags)
    _warn_of_unset(session, unset(meta_graph), path)
    for graph in apart:
        graph_def.library.MergeFrom(graph.library)
    return meta_graph


def unset(meta_graph: Any) -> list[str]:
    """Returns the names of variables that signatures may read and nothing seems to set.

    Neither restoring nor initialising reaches them; a signature may still set them itself.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    signatures = dict(meta_graph.signature_def)
    setting = [meta_graph.saver_def.restore_op_name]
    for key in _INITIALISERS:
        if key in meta_graph.collection_def:
            setting += meta_graph.collection_def[key].node_list.value
        if key in signatures:
            setting += (tensor.name for tensor in signatures[key].outputs.values())
    reading = [
        name
        for key, signature in signatures.items()
        if key not in _INITIALISERS
        for tensor in signature.outputs.values()
        for name in _tensors(tensor)
    ]
    read = _reached(nodes, reading, _sources) - _reached(nodes, setting, _sources)
    return sorted(name for name in read if nodes[name].op in _VARIABLES)


def _warn_of_unset(session: tf.compat.v1.Session, names: Sequence[str], path: str) -> None:
    """Warn of those of the variables `names` that have no value in `session`."""
    with session.graph.as_default():
        variables = [session.graph.get_tensor_by_name(f"{name}:0") for name in names]
        are_set = [
            tf.raw_ops.VarIsInitializedOp(resource=variable)
            if variable.dtype == tf.resource
            else tf.raw_ops.IsVariableInitialized(ref=variable)
            for variable in variables
        ]
    found = session.run(are_set) if are_set else []
    missing = [name for name, is_set in zip(names, found, strict=True) if not is_set]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        _log.warning(
            "%s: %d variable(s) that its signatures read are not restored (%s%s): requests that "
            "read them fail with `Could not find variable`. Export the model again; a Keras 3 "
            "model by model.export or ExportArchive, not by tf.saved_model.save.",
            *(path, len(missing), ", ".join(missing[:_NAMED]), more),
        )


def prune(meta_graph: Any) -> None:
    """Remove what neither signatures nor restoring need, e.g. the nodes and function that save.

    A function is removed only if a removed node calls it and nothing that is left mentions it.
    """
    graph_def = meta_graph.graph_def
    nodes = {node.name: node for node in graph_def.node}
    kept = _reached(nodes, _roots(meta_graph), _needed)
    left, called = graph_pb2.GraphDef(), set()
    for node in graph_def.node:
        if node.name in kept:
            left.node.add().CopyFrom(node)
        else:
            called |= {one.func.name for one in node.attr.values() if one.HasField("func")}
    graph_def.ClearField("node")
    graph_def.MergeFrom(left)
    functions = graph_def.library.function
    texts = {one.signature.name: one.SerializeToString() for one in functions}
    texts[""] = left.SerializeToString()
    for index in reversed(range(len(functions))):
        name = functions[index].signature.name
        if name in called and not any(
            name.encode() in texts[other] for other in texts.keys() - {name}
        ):
            del functions[index], texts[name]


def _reached(
    nodes: Mapping[str, Any], roots: Iterable[str], needed: Callable[[Any], Iterator[str]]
) -> set[str]:
    """Returns the nodes of the tensors `roots`, and all that they need, transitively."""
    waiting = [_node(name) for name in roots]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in reached:
            reached.add(name)
            waiting.extend(needed(nodes[name]))
    return reached


def _sources(node: Any) -> Iterator[str]:
    """Returns the nodes that `node` has as inputs or control inputs."""
    return map(_node, node.input)


def _needed(node: Any) -> Iterator[str]:
    """Yield the nodes without which a graph with `node` cannot be imported."""
    yield from _sources(node)
    yield from _colocated(node)


def _roots(meta_graph: Any) -> Iterator[str]:
    """Yield the names of everything that is fed, fetched or run by name."""
    saver = meta_graph.saver_def
    yield from (saver.filename_tensor_name, saver.restore_op_name)
    for collection in meta_graph.collection_def.values():
        yield from collection.node_list.value
    yield from (asset.tensor_info.name for asset in meta_graph.asset_file_def)
    for signature in meta_graph.signature_def.values():
        for tensor in (*signature.inputs.values(), *signature.outputs.values()):
            yield from _tensors(tensor)


def _tensors(info: Any) -> Iterator[str]:
    """Yield the names in a TensorInfo; some are empty."""
    sparse = info.coo_sparse
    yield from (info.name, sparse.values_tensor_name, sparse.indices_tensor_name)
    yield sparse.dense_shape_tensor_name
    yield from (part.name for part in info.composite_tensor.components)


def _colocated(node: Any) -> Iterator[str]:
    """Returns the nodes that `node` is colocated with."""
    places = node.attr["_class"].list.s if "_class" in node.attr else ()
    return (place.decode().removeprefix("loc:@") for place in places)


def _node(name: str) -> str:
    """Returns the name of the node of a tensor or control input."""
    return name.removeprefix("^").partition(":")[0]


def _functions(graph_def: Any) -> list[graph_pb2.GraphDef]:
    """Returns graphs of one function each, so that the lock is held briefly, and of gradients."""
    found = []
    for function in graph_def.library.function:
        found.append(graph_pb2.GraphDef(versions=graph_def.versions))
        found[-1].library.function.add().CopyFrom(function)
    if graph_def.library.gradient:
        found.append(graph_pb2.GraphDef(versions=graph_def.versions))
        found[-1].library.gradient.extend(graph_def.library.gradient)
    return found
