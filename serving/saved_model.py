"""A SavedModel brought into a session, while requests of other models go on.

TensorFlow imports a graph under the interpreter lock, and every request of the process waits for
it. So what no request can reach is left out of the graph, and the functions are added after the
nodes that call them: otherwise each call's shapes are inferred through the whole of its function,
most of the import's time, for static shapes that nothing here asks for. The figures are in
benchmarks/README.md.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import function_pb2, graph_pb2
from tensorflow.python.saved_model import loader_impl

# What TensorFlow 2 saves: how to initialise. TensorFlow 1 lists variables, and more, by name.
_KNOWN = {"saved_model_main_op"}


def load(session: tf.compat.v1.Session, path: str, tags: Sequence[str]) -> Any:
    """Import the graph with `tags` of the SavedModel at `path`, restore it and initialise it.

    Args:
        session: of an empty graph.
        path: the SavedModel's folder.
        tags: exactly those of the graph.

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
    library = function_pb2.FunctionDefLibrary()
    if not {function.signature.name for function in graph_def.library.function} & {
        node.op for node in graph_def.node
    }:
        library.CopyFrom(graph_def.library)
        graph_def.ClearField("library")
    saver, _ = loader.load_graph(session.graph, tags)
    with session.graph.as_default():
        _add_functions(library, graph_def.versions)
    loader.restore_variables(session, saver)
    loader.run_init_ops(session, tags)
    graph_def.library.MergeFrom(library)
    return meta_graph


def prune(meta_graph: Any) -> None:
    """Leave out the nodes that neither a signature nor restoring needs, such as those of saving."""
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    waiting = [_node(name) for name in _roots(meta_graph)]
    kept: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in kept:
            kept.add(name)
            waiting.extend(_node(source) for source in nodes[name].input)
            waiting.extend(_beside(nodes[name]))
    left = [node for node in meta_graph.graph_def.node if node.name in kept]
    pruned = graph_pb2.GraphDef(node=left)
    meta_graph.graph_def.ClearField("node")
    meta_graph.graph_def.MergeFrom(pruned)


def _roots(meta_graph: Any) -> Iterator[str]:
    """Names of what is fed, fetched or run by name."""
    saver = meta_graph.saver_def
    yield from (saver.filename_tensor_name, saver.restore_op_name)
    for collection in meta_graph.collection_def.values():
        yield from collection.node_list.value
    yield from (asset.tensor_info.name for asset in meta_graph.asset_file_def)
    for signature in meta_graph.signature_def.values():
        for tensor in (*signature.inputs.values(), *signature.outputs.values()):
            sparse = tensor.coo_sparse
            yield from (tensor.name, sparse.values_tensor_name, sparse.indices_tensor_name)
            yield sparse.dense_shape_tensor_name
            yield from (part.name for part in tensor.composite_tensor.components)


def _beside(node: Any) -> Iterator[str]:
    """The nodes that have to be where `node` is."""
    places = node.attr["_class"].list.s if "_class" in node.attr else ()
    return (place.decode().removeprefix("loc:@") for place in places)


def _node(name: str) -> str:
    """The node of a tensor or a control input."""
    return name.removeprefix("^").partition(":")[0]


def _add_functions(library: function_pb2.FunctionDefLibrary, versions: Any) -> None:
    """Add each function of `library` to the default graph by itself: the lock is held briefly."""
    for function in library.function:
        alone = function_pb2.FunctionDefLibrary(function=[function])
        tf.import_graph_def(graph_pb2.GraphDef(library=alone, versions=versions), name="")
    if library.gradient:
        gradients = function_pb2.FunctionDefLibrary(gradient=library.gradient)
        tf.import_graph_def(graph_pb2.GraphDef(library=gradients, versions=versions), name="")
