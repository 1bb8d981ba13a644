"""TensorFlow's data types: their names and numbers, numpy's counterparts, and where values lie.

Layout: tensorflow/core/framework/types.proto, and the `*_val` fields of tensor.proto.
"""

import numpy as np

from millrace.serving.errors import WireError
from millrace.serving.protos import tensor_pb2

_NOT_IN_NUMPY = ("bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4")

# DataType -> the name of numpy's dtype, and the field of TensorProto for single values.
_TYPES = {
    "DT_FLOAT": ("float32", "float_val"),
    "DT_DOUBLE": ("float64", "double_val"),
    "DT_INT32": ("int32", "int_val"),
    "DT_UINT8": ("uint8", "int_val"),
    "DT_INT16": ("int16", "int_val"),
    "DT_INT8": ("int8", "int_val"),
    "DT_STRING": ("object", "string_val"),
    "DT_COMPLEX64": ("complex64", "scomplex_val"),
    "DT_INT64": ("int64", "int64_val"),
    "DT_BOOL": ("bool", "bool_val"),
    "DT_BFLOAT16": ("bfloat16", "half_val"),
    "DT_UINT16": ("uint16", "int_val"),
    "DT_COMPLEX128": ("complex128", "dcomplex_val"),
    "DT_HALF": ("float16", "half_val"),
    "DT_UINT32": ("uint32", "uint32_val"),
    "DT_UINT64": ("uint64", "uint64_val"),
    "DT_FLOAT8_E5M2": ("float8_e5m2", "float8_val"),
    "DT_FLOAT8_E4M3FN": ("float8_e4m3fn", "float8_val"),
    "DT_INT4": ("int4", "int_val"),
    "DT_UINT4": ("uint4", "int_val"),
}
BY_NAME = {
    dtype: (tensor_pb2.DataType.Value(kind), field) for kind, (dtype, field) in _TYPES.items()
}
BY_NUMBER = {
    tensor_pb2.DataType.Value(kind): (dtype, field) for kind, (dtype, field) in _TYPES.items()
}
BY_DTYPE = {  # those of numpy's own: an array's dtype has its name only after some formatting
    np.dtype(name): kind for name, kind in BY_NAME.items() if name not in _NOT_IN_NUMPY
}


def data_type(dtype: np.dtype) -> str:
    """The name of the DataType of `dtype`, such as `DT_FLOAT`."""
    return tensor_pb2.DataType.Name(BY_NAME[dtype.name][0])


def type_name(number: int) -> str:
    """TensorFlow's Python name for the DataType `number`, such as `float32` or `string`."""
    if number in BY_NUMBER:
        name = BY_NUMBER[number][0]
        return "string" if name == "object" else name
    known = number in tensor_pb2.DataType.values()
    return tensor_pb2.DataType.Name(number).removeprefix("DT_").lower() if known else str(number)


def numpy_dtype(name: str) -> np.dtype:
    """The dtype that TensorFlow's type `name` (such as `bfloat16`) has in numpy."""
    if name in _NOT_IN_NUMPY:
        try:
            import ml_dtypes  # registers the types that numpy lacks; only their users wait for it
        except ModuleNotFoundError:
            raise WireError(
                f"Tensor of {name}: expected the package ml_dtypes, which has that type for numpy. "
                "Received: none. Install it: pip install ml_dtypes."
            ) from None
        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)
