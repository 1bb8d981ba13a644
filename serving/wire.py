"""Converts numpy arrays to and from `tensorflow.TensorProto`.

It imports numpy and the generated messages, never TensorFlow, to keep clients light.
Layout: tensorflow/core/framework/tensor.proto; the rule that a shorter list repeats its last
value is `Tensor::FromProto`'s in tensorflow/core/framework/tensor.cc.
"""

import math
import sys

import numpy as np

from millrace.serving import dtypes, packed, values
from millrace.serving.errors import WireError
from millrace.serving.protos import tensor_pb2

_IS_LITTLE = sys.byteorder == "little"
_FEW = 64  # values, up to which a list of Python numbers is faster than packed bytes
# Fields of fixed-width values are copied by `packed`, with the element type on the wire.
_PACKED = {
    "float_val": "<f4",
    "double_val": "<f8",
    "scomplex_val": "<f4",
    "dcomplex_val": "<f8",
}
_MOST_REPEATED = 2**28  # bytes: a message of 20 bytes must not exhaust the memory


def to_proto(array: values.ArrayLike, *, name: str, typed: bool = False) -> tensor_pb2.TensorProto:
    """Encode `array` so that TensorFlow decodes it unchanged.

    Args:
        array: any shape, `[]` included. Strings are `bytes` (or `str`, as UTF-8) in an object
            array or a list; lists are converted by `values.as_array`.
        name: the input of the model, for the error.
        typed: put numbers into the field of their type (`float_val`, …), as a model server
            does, instead of `tensor_content`.

    Returns:
        Numbers row-major and little-endian in `tensor_content`; strings one by one in
        `string_val`, which TensorFlow requires of DT_STRING.

    Raises:
        WireError: TensorFlow has no type for `array`'s dtype.
    """
    proto = tensor_pb2.TensorProto()
    fill(proto, array, name=name, typed=typed)
    return proto


def fill(
    proto: tensor_pb2.TensorProto, array: values.ArrayLike, *, name: str, typed: bool = False
) -> None:
    """Encode `array` into the empty `proto`; like `to_proto`, without copying the message."""
    filled = values.as_array(array, name=name)
    kind = dtypes.BY_DTYPE.get(filled.dtype) or dtypes.BY_NAME.get(filled.dtype.name)
    if kind is None:
        raise values.refusal(name, f"{filled.dtype} values")
    number, field = kind
    if not filled.dtype.isnative:
        filled = filled.astype(filled.dtype.newbyteorder("="))
    proto.dtype = number  # type: ignore[assignment]
    shape = proto.tensor_shape
    shape.SetInParent()
    for size in filled.shape:
        shape.dim.add(size=size)
    if typed or field == "string_val":
        _write_field(proto, field, filled)
    else:
        proto.tensor_content = _little(filled).tobytes()


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Decode `proto`.

    Returns:
        An array of the tensor's shape and dtype, read-only if it shares the message's bytes;
        an object array of `bytes` for DT_STRING. If there are fewer values than elements, the
        last one is repeated, and no values mean zeros, as in TensorFlow; up to 256 MiB.

    Raises:
        WireError: the type has no numpy counterpart, the shape is not fully known, or the
            content does not match it.
    """
    kind = dtypes.BY_NUMBER.get(proto.dtype)
    if kind is None:
        raise _unreadable(f"data type {proto.dtype}", "a type that numpy has")
    dtype, field = kind
    shape = tuple([dim.size for dim in proto.tensor_shape.dim])
    if proto.tensor_shape.unknown_rank or (shape and min(shape) < 0):
        raise _unreadable(f"shape {list(shape)}", "a fully known shape")
    try:
        if content := proto.tensor_content:
            return _from_content(content, dtype, shape)
        return _stretch(_read_field(proto, field, dtype), shape, dtype)
    except (MemoryError, OverflowError, ValueError) as error:
        raise _unreadable(f"shape {list(shape)}", "a shape that fits in memory") from error


def _little(values: np.ndarray) -> np.ndarray:
    """Returns `values`, which are in this machine's byte order, in little-endian."""
    return values if _IS_LITTLE else values.astype(values.dtype.newbyteorder("<"))


def _write_field(proto: tensor_pb2.TensorProto, field: str, values: np.ndarray) -> None:
    if field == "float_val" and values.size <= _FEW:
        proto.float_val.extend(values.ravel().tolist())
    elif field in _PACKED:
        number = proto.DESCRIPTOR.fields_by_name[field].number
        packed.merge(proto, number, np.ascontiguousarray(values).view(_PACKED[field][1:]))
    elif field == "float8_val":
        proto.float8_val = values.tobytes()
    elif field == "half_val":
        proto.half_val.extend(np.ascontiguousarray(values).view(np.uint16).ravel().tolist())
    elif field == "int_val":
        proto.int_val.extend(values.ravel().astype(np.int32).tolist())
    else:
        getattr(proto, field).extend(values.ravel().tolist())


def _read_field(proto: tensor_pb2.TensorProto, field: str, dtype: str) -> np.ndarray:
    """Returns the values in `field`, flat, as `dtype`."""
    if field == "float_val" and len(proto.float_val) <= _FEW:
        return np.array(proto.float_val, np.float32)
    if field in _PACKED:
        number = proto.DESCRIPTOR.fields_by_name[field].number
        return packed.values(proto, number, _PACKED[field]).view(dtypes.numpy_dtype(dtype))
    if field == "float8_val":
        return np.frombuffer(proto.float8_val, dtypes.numpy_dtype(dtype))
    values = getattr(proto, field)
    if field == "half_val":
        return np.array(values[:], np.uint16).view(dtypes.numpy_dtype(dtype))
    if field == "string_val":
        return np.fromiter(values, object, len(values))
    if field == "int_val":
        return np.array(values[:], np.int32).astype(dtypes.numpy_dtype(dtype))
    return np.array(values[:], dtypes.numpy_dtype(dtype))


def _stretch(values: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Returns `values` `[n]` as `shape`: truncated, or filled with the last value or zeros."""
    size = math.prod(shape)
    if len(values) == size:
        return values.reshape(shape)
    if len(values) > size:
        return values[:size].reshape(shape)
    if size * dtypes.numpy_dtype(dtype).itemsize > _MOST_REPEATED:
        raise _unreadable(f"{len(values)} values for shape {list(shape)}", "values that fill it")
    zero = b"" if dtype == "object" else np.zeros((), dtypes.numpy_dtype(dtype))
    full = np.full(size, values[-1] if len(values) else zero, dtypes.numpy_dtype(dtype))
    full[: len(values)] = values
    return full.reshape(shape)


def _from_content(content: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    size = math.prod(shape)
    if dtype == "object":
        return _strings(content, size).reshape(shape)
    element = dtypes.numpy_dtype(dtype)
    if not _IS_LITTLE:
        element = element.newbyteorder("<")
    if len(content) != size * element.itemsize:
        raise _unreadable(
            f"{len(content)} bytes", f"{size * element.itemsize} bytes for {dtype} {list(shape)}"
        )
    return np.frombuffer(content, element).reshape(shape)


def _strings(content: bytes, size: int) -> np.ndarray:
    """Decode `size` strings: their lengths as varints, then their bytes (EncodeStringList)."""
    lengths: list[int] = []
    place = 0
    while len(lengths) < size and place < len(content):
        length, place = packed.read_varint(content, place)
        lengths.append(length)
    if len(lengths) != size or place + sum(lengths) != len(content):
        raise _unreadable(f"{len(content)} bytes", f"{size} strings and their lengths")
    strings = np.empty(size, object)
    for index, length in enumerate(lengths):
        strings[index] = content[place : place + length]
        place += length
    return strings


def _unreadable(received: str, expected: str) -> WireError:
    return WireError(
        f"Tensor: expected {expected}. Received: {received}. "
        "Check how the sender encoded the TensorProto."
    )
