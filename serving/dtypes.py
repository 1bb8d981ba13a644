"""TensorFlow's data types: names, numbers, numpy dtypes, and their fields in a TensorProto.

Layout: tensorflow/core/framework/types.proto, and the `*_val` fields of tensor.proto.
"""

import numpy as np

from millrace.serving.errors import WireError
from millrace.serving.protos import tensor_pb2

_NOT_IN_NUMPY = ("bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4")

# DataType -> the name of the numpy dtype, and the field of TensorProto that holds its values.
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
BY_DTYPE = {  # numpy's own types only; a lookup by dtype is faster than by name
    np.dtype(name): kind for name, kind in BY_NAME.items() if name not in _NOT_IN_NUMPY
}


def data_type(dtype: np.dtype) -> str:
    """Returns the name of the DataType of `dtype`, e.g. `DT_FLOAT`."""
    return tensor_pb2.DataType.Name(BY_NAME[dtype.name][0])


def type_name(number: int) -> str:
    """Returns TensorFlow's Python name of the DataType `number`, e.g. `float32` or `string`."""
    if number in BY_NUMBER:
        name = BY_NUMBER[number][0]
        return "string" if name == "object" else name
    known = number in tensor_pb2.DataType.values()
    return tensor_pb2.DataType.Name(number).removeprefix("DT_").lower() if known else str(number)


def numpy_dtype(name: str) -> np.dtype:
    """Returns the numpy dtype of TensorFlow's type `name`, e.g. `bfloat16`."""
    if name in _NOT_IN_NUMPY:
        try:
            import ml_dtypes  # slow to import, and only needed for types that numpy lacks
        except ModuleNotFoundError:
            raise WireError(
                f"Tensor of {name}: expected the package ml_dtypes, which adds that type to numpy. "
                "Received: no such package. Install it: pip install ml_dtypes."
            ) from None
        return np.dtype(getattr(ml_dtypes, name))
    return np.dtype(name)
