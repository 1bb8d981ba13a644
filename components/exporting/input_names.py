"""Inputs of signatures whose names TensorFlow cannot trace: `Temp (C)`, `Côte`, `class`.

`tf.function` takes identifiers only. Such a signature is traced with the names that TensorFlow
itself would make of the original ones, and gets those back in the SavedModel, where servers read
them.
"""

import keyword
import re
from collections.abc import Mapping, Sequence

import tensorflow as tf
from etils.epath import Path
from tensorflow.core.protobuf import saved_model_pb2

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TAKEN = {"self", *keyword.kwlist}
_FILE = "saved_model.pb"


def traceable(names: Sequence[str]) -> list[str]:
    """A distinct identifier for each of `names`; the names themselves if all are identifiers."""
    found = [_identifier(name) for name in names]
    if len(set(found)) < len(found) or not all(map(_PLAIN.fullmatch, found)):
        return [f"input_{place}" for place in range(len(names))]
    return found


def _identifier(name: str) -> str:
    """As `tensorflow.core.function.polymorphism.function_type.sanitize_arg_name` has it."""
    swapped = "".join(letter if letter.isalnum() else "_" for letter in name)
    return swapped if swapped[:1].isalpha() and swapped not in _TAKEN else f"arg_{swapped}"


def named(specs: Sequence[tf.TensorSpec]) -> list[tf.TensorSpec]:
    """`specs` under traceable names."""
    names = traceable([spec.name for spec in specs])
    pairs = zip(specs, names, strict=True)
    return [tf.TensorSpec(spec.shape, spec.dtype, name=name) for spec, name in pairs]


def restore(folder: Path, signatures: Mapping[str, Sequence[tf.TensorSpec]]) -> None:
    """Give the inputs of `signatures` in the SavedModel `folder` the names of their specs."""
    model = saved_model_pb2.SavedModel.FromString((folder / _FILE).read_bytes())
    for graph in model.meta_graphs:
        for name, specs in signatures.items():
            inputs = graph.signature_def[name].inputs
            owns = [spec.name for spec in specs]
            tensors = [inputs[plain].SerializeToString() for plain in traceable(owns)]
            inputs.clear()
            for own, tensor in zip(owns, tensors, strict=True):
                inputs[own].ParseFromString(tensor)
    (folder / _FILE).write_bytes(model.SerializeToString(deterministic=True))
