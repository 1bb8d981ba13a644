"""A served graph in a form that two equal exports share; no TensorFlow.

Exports of one model differ in the order of nodes, functions and variables, in the numbers at the
ends of functions' names, and in the code that saves and restores. Here a function is named by
what it does, a variable by its node and its content; every other name, attribute and constant
counts. Two graphs that differ in any other way are taken for different, even where they are not.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto import attr_value_pb2, meta_graph_pb2, node_def_pb2

from millrace.components.errors import DataError

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_WRITES = ("AssignVariableOp", "LookupTableImportV2")
_PASSIVE = ("Const", "Identity", "NoOp", "RestoreV2")
# The number of a gradient's function, and of the tensor that an argument was made for.
_NUMBERED = ("_gradient_op_type", "_user_specified_name")


def canonical(meta_graph: bytes, tensors: Mapping[str, str]) -> str:
    """SHA-256 of what a serialised MetaGraphDef does, in hexadecimal.

    Args:
        meta_graph: of TensorFlow 2, with restoring as a function.
        tensors: digests of the checkpoint's tensors, by their names.

    Raises:
        DataError: its restoring is of another form, or functions call one another in a circle.
    """
    graph = meta_graph_pb2.MetaGraphDef.FromString(meta_graph)
    library = _Library(graph.graph_def)
    apart = _of_saving(graph)
    files = {_node(asset.tensor_info.name) for asset in graph.asset_file_def}
    nodes = [
        _without_path(library.node(node)) if node.name in files else library.node(node)
        for node in graph.graph_def.node
        if node.name not in apart
    ]
    said = {
        "nodes": sorted(node.SerializeToString(deterministic=True).hex() for node in nodes),
        "restored": _restored(graph, library, tensors),
        "rest": _rest(graph).hex(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _of_saving(graph: Any) -> set[str]:
    """The nodes that save and restore, and the constants that only these read."""
    saver = graph.saver_def
    apart = {_node(saver.save_tensor_name), _node(saver.restore_op_name)}
    sources: dict[bool, set[str]] = {True: set(), False: _named(graph)}
    for node in graph.graph_def.node:
        sources[node.name in apart] |= {_node(source) for source in node.input}
    constants = {node.name for node in graph.graph_def.node if node.op == "Const"}
    return apart | (sources[True] - sources[False]) & constants


def _named(graph: Any) -> set[str]:
    """The nodes that are fed, fetched or run by name."""
    tensors = [
        tensor
        for signature in graph.signature_def.values()
        for tensor in (*signature.inputs.values(), *signature.outputs.values())
    ]
    found = {name for each in graph.collection_def.values() for name in each.node_list.value}
    while tensors:
        tensor = tensors.pop()
        tensors.extend(tensor.composite_tensor.components)
        sparse = tensor.coo_sparse
        found |= {tensor.name, sparse.values_tensor_name, sparse.indices_tensor_name}
        found.add(sparse.dense_shape_tensor_name)
    return {_node(name) for name in found}


def _rest(graph: Any) -> bytes:
    """Signatures, assets, tags, versions: all but what is compared elsewhere.

    The object graph is for training on in Python; no server reads it.
    """
    rest = meta_graph_pb2.MetaGraphDef()
    rest.CopyFrom(graph)
    for field in ("node", "library"):
        rest.graph_def.ClearField(field)
    rest.meta_info_def.ClearField("function_aliases")
    for field in ("object_graph_def", "saver_def"):
        rest.ClearField(field)
    gradients = meta_graph_pb2.MetaGraphDef()
    gradients.graph_def.library.gradient.extend(graph.graph_def.library.gradient)
    rest.MergeFrom(gradients)
    return bytes(rest.SerializeToString(deterministic=True))


class _Library:
    """The functions of a graph, by their names in it, and the names that resources share."""

    def __init__(self, graph: Any) -> None:
        functions = graph.library.function
        self.functions = {function.signature.name: function for function in functions}
        self._shared = _shared_names(graph)
        self._named = functools.cache(self._digest)
        self._open: set[str] = set()

    def node(self, node: Any) -> Any:
        """A copy of `node` in which functions are named by what they do."""
        copy = node_def_pb2.NodeDef()
        copy.CopyFrom(node)
        copy.op = self._name(node.op)
        if "shared_name" in copy.attr:
            name = bytes(copy.attr["shared_name"].s)
            copy.attr["shared_name"].s = self._shared.get(name, name)
        _sort_controls(copy)
        self._attributes(copy.attr)
        return copy

    def _name(self, name: str) -> str:
        return self._named(name) if name in self.functions else name

    def _attributes(self, attributes: Any) -> None:
        """Rename the functions in a map of AttrValues, in place."""
        for name in _NUMBERED:
            attributes.pop(name, None)
        for value in attributes.values():
            for function in (*([value.func] if value.HasField("func") else []), *value.list.func):
                function.name = self._name(function.name)
                self._attributes(function.attr)

    def _digest(self, name: str) -> str:
        """What the function does: its content, by whatever names."""
        if name in self._open:
            raise DataError(f"function {name}: expected one that does not call itself.")
        self._open.add(name)
        function = type(self.functions[name])()
        function.CopyFrom(self.functions[name])
        names = _places(function)
        nodes = [self._inside(node, names) for node in function.node_def]
        function.ClearField("node_def")
        function.node_def.extend(sorted(nodes, key=lambda node: node.name))
        for attributes in (function.attr, *(each.attr for each in function.arg_attr.values())):
            self._attributes(attributes)
        _rename(function, names)
        self._open.remove(name)
        return hashlib.sha256(function.SerializeToString(deterministic=True)).hexdigest()

    def _inside(self, node: Any, names: Mapping[str, str]) -> Any:
        """`self.node` of one in a function whose nodes and arguments get `names`."""
        copy = self.node(node)
        copy.name = names.get(copy.name, copy.name)
        copy.input[:] = [_renamed(source, names) for source in copy.input]
        copy.ClearField("experimental_debug_info")
        _sort_controls(copy)
        return copy


def _places(function: Any) -> dict[str, str]:
    """Names for the arguments of a function and for its nodes, by their places in it.

    Nodes are numbered from the outputs inwards. One that no output needs keeps its own, and so
    does a resource, which may be known by it. `#` and `%` begin no name of TensorFlow's.
    """
    arguments = enumerate(function.signature.input_arg)
    names = {argument.name: f"%{place}" for place, argument in arguments}
    nodes = {node.name: node for node in function.node_def}
    ends = (function.control_ret, function.ret)
    waiting = [each[key] for each in ends for key in sorted(each, reverse=True)]
    met: dict[str, None] = {}
    while waiting:
        name = _node(waiting.pop())
        if name in nodes and name not in met:
            met[name] = None
            waiting += reversed(nodes[name].input)
    numbered = (name for name in met if "shared_name" not in nodes[name].attr)
    return names | {name: f"#{number}" for number, name in enumerate(numbered)}


def _rename(function: Any, names: Mapping[str, str]) -> None:
    """Give the arguments and outputs of `function` their `names`, in place, and itself none."""
    function.signature.name = ""
    for argument in function.signature.input_arg:
        argument.name = names[argument.name]
    for key in function.ret:
        function.ret[key] = _renamed(function.ret[key], names)
    last = sorted(_renamed(each, names) for each in function.control_ret.values())
    function.ClearField("control_ret")
    function.control_ret.update({name: name for name in last})
    function.signature.control_output[:] = last


def _shared_names(graph: Any) -> dict[bytes, bytes]:
    """For names that resources share, others: made of the nodes of the graph that bear them.

    Those of tables are numbers, or hold the path of a file.
    """
    bearers: dict[bytes, list[str]] = {}
    for node in graph.node:
        name = bytes(node.attr["shared_name"].s) if "shared_name" in node.attr else b""
        if name:
            bearers.setdefault(name, []).append(node.name)
    return {name: f"of {sorted(nodes)}".encode() for name, nodes in bearers.items()}


def _restored(graph: Any, library: _Library, tensors: Mapping[str, str]) -> dict[str, list[str]]:
    """What restoring writes to each resource: the operation, then digests of what it writes."""
    nodes = {node.name: node for node in graph.graph_def.node}
    call = nodes.get(_node(graph.saver_def.restore_op_name))
    if call is None and not tensors:
        return {}
    if call is None or call.op not in _CALLS or call.attr["f"].func.name not in library.functions:
        raise DataError("expected restoring as a function, as TensorFlow 2 writes it.")
    function = library.functions[call.attr["f"].func.name]
    inside = {node.name: node for node in function.node_def}
    given = dict(
        zip((argument.name for argument in function.signature.input_arg), call.input, strict=False)
    )
    found: dict[str, list[str]] = {}
    for node in function.node_def:
        if node.op in _WRITES:
            resource, *values = (each for each in node.input if not each.startswith("^"))
            written = [_value(each, inside, tensors) for each in values]
            if resource not in given or given[resource] in found:
                raise DataError(f"{node.name}: expected one writing of each resource.")
            found[given[resource]] = [node.op, *written]
        elif node.op not in _PASSIVE:
            raise DataError(f"{node.name}: expected restoring without {node.op}.")
    return found


def _value(source: str, inside: Mapping[str, Any], tensors: Mapping[str, str]) -> str:
    """The digest of the tensor that comes from `source`, an output of RestoreV2."""
    node = inside.get(source.partition(":")[0])
    while node is not None and node.op == "Identity":
        source = node.input[0]
        node = inside.get(source.partition(":")[0])
    if node is None or node.op != "RestoreV2":
        raise DataError(f"{source}: expected what is written to come from the checkpoint.")
    names, slices = (_texts(inside.get(each.partition(":")[0])) for each in node.input[1:3])
    place = int(source.rpartition(":")[2])
    if slices[place]:
        raise DataError(f"{source}: expected whole tensors.")
    return tensors[names[place].decode()]


def _texts(node: Any) -> list[bytes]:
    if node is None or node.op != "Const":
        raise DataError("expected the names of tensors as a constant.")
    return list(node.attr["value"].tensor.string_val)


def _node(tensor: str) -> str:
    """The node of a tensor or a control input."""
    return tensor.removeprefix("^").partition(":")[0]


def _renamed(source: str, names: Mapping[str, str]) -> str:
    """The input `source` of a node, `^node`, `node:output:0` or `argument`, by other names."""
    control = "^" if source.startswith("^") else ""
    name, colon, output = source.removeprefix("^").partition(":")
    return f"{control}{names.get(name, name)}{colon}{output}"


def _sort_controls(node: Any) -> None:
    """Put control inputs, whose order says nothing, in the order of their names."""
    data = [each for each in node.input if not each.startswith("^")]
    node.input[:] = [*data, *sorted(each for each in node.input if each.startswith("^"))]


def _without_path(node: Any) -> Any:
    """An asset's node without its value: the loader gives it the asset's path."""
    node.attr["value"].CopyFrom(attr_value_pb2.AttrValue())
    return node
