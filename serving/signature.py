"""The signatures of a SavedModel, without TensorFlow."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from millrace.serving import dtypes, wire
from millrace.serving.protos import signature_pb2, tensor_pb2

DEFAULT = "serving_default"
PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """One input or output of a signature.

    `name` is the tensor's name in the graph, `dtype` TensorFlow's name of the type (`float32`,
    `string`). `shape` has None for an unknown size, and is None if the rank is unknown.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """One way to call a model: inputs and outputs by alias, sorted.

    `defaults` has the values of inputs that a request may leave out, `proto` is the message.
    """

    name: str
    method_name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    defaults: Mapping[str, np.ndarray]
    proto: signature_pb2.SignatureDef


def from_proto(name: str, proto: signature_pb2.SignatureDef) -> Signature:
    """Returns the signature `name`."""
    return Signature(
        name=name,
        method_name=proto.method_name,
        inputs={alias: _tensor(proto.inputs[alias]) for alias in sorted(proto.inputs)},
        outputs={alias: _tensor(proto.outputs[alias]) for alias in sorted(proto.outputs)},
        defaults={alias: wire.to_array(proto.defaults[alias]) for alias in sorted(proto.defaults)},
        proto=proto,
    )


def _tensor(info: signature_pb2.TensorInfo) -> TensorInfo:
    return TensorInfo(info.name, dtypes.type_name(info.dtype), _shape(info.tensor_shape))


def _shape(proto: tensor_pb2.TensorShapeProto) -> tuple[int | None, ...] | None:
    if proto.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in proto.dim)
