"""Numpy arrays to and from `tensorflow.TensorProto`, and nothing else.

Imports numpy and the generated messages, never TensorFlow, so a client stays light.
Layout: tensorflow/core/framework/tensor.proto; the rule that a shorter list repeats its last
value is `Tensor::FromProto`'s in tensorflow/core/framework/tensor.cc.
"""

import math
import sys
from collections.abc import Sequence

import numpy as np

from serving import packed
from serving.errors import WireError
from serving.protos import tensor_pb2

_NOT_IN_NUMPY = ("bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4")
_IS_LITTLE = sys.byteorder == "little"
_FEW = 64  # values, up to which a list of Python's numbers is faster than the packed bytes
ArrayLike = np.ndarray | Sequence["ArrayLike"] | bytes | str | bool | int | float

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
_BY_NAME = {
    dtype: (tensor_pb2.DataType.Value(kind), field) for kind, (dtype, field) in _TYPES.items()
}
_BY_NUMBER = {
    tensor_pb2.DataType.Value(kind): (dtype, field) for kind, (dtype, field) in _TYPES.items()
}
_BY_DTYPE = {  # those of numpy's own: an array's dtype has its name only after some formatting
    np.dtype(name): kind for name, kind in _BY_NAME.items() if name not in _NOT_IN_NUMPY
}
# Fields of fixed width go through `packed`, in the element type of the wire.
_PACKED = {
    "float_val": "<f4",
    "double_val": "<f8",
    "scomplex_val": "<f4",
    "dcomplex_val": "<f8",
}
_MOST_REPEATED = 2**28  # bytes: a message of twenty must not take the memory of the machine


def as_array(value: ArrayLike, *, name: str) -> np.ndarray:
    """`value` as an array, with the types that TensorFlow gives to Python's own values.

    In a list, a `float` becomes float32, an `int` int32, or int64 where one does not fit; text
    and bytes become an object array of `bytes`, trailing zero bytes kept. An array keeps its
    dtype.

    Raises:
        WireError: `value` is ragged or holds what no tensor can hold.
    """
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return _texts(array, name) if array.dtype.kind in "OSU" else array
    if _holds_text(value):
        return _texts(np.array(value, dtype=object), name)
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise _refusal(name, f"a ragged list ({error})") from error
    if array.dtype.kind in "OSU":
        return _texts(array, name)
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        return narrow if np.array_equal(narrow, array) else array
    return array


def to_proto(array: ArrayLike, *, name: str, typed: bool = False) -> tensor_pb2.TensorProto:
    """Encode `array` so that TensorFlow reads it back unchanged.

    Args:
        array: any shape, `[]` included. Strings are `bytes` (or `str`, as UTF-8) in an object
            array or a list; lists are read as `as_array` says.
        name: the model input this is for; only used in the error.
        typed: put numbers into their type's own field (`float_val`, …), as a model server's
            answers have them, instead of `tensor_content`.

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
    proto: tensor_pb2.TensorProto, array: ArrayLike, *, name: str, typed: bool = False
) -> None:
    """Encode `array` into the empty `proto`, as `to_proto` does, without a copy of the message."""
    values = as_array(array, name=name)
    kind = _BY_DTYPE.get(values.dtype) or _BY_NAME.get(values.dtype.name)
    if kind is None:
        raise _refusal(name, f"{values.dtype} values")
    number, field = kind
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    proto.dtype = number  # type: ignore[assignment]
    shape = proto.tensor_shape
    shape.SetInParent()
    for size in values.shape:
        shape.dim.add(size=size)
    if typed or field == "string_val":
        _write_field(proto, field, values)
    else:
        proto.tensor_content = _little(values).tobytes()


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Decode `proto`.

    Returns:
        An array of the tensor's own shape and dtype, read-only where it shares the message's
        bytes; DT_STRING gives an object array of `bytes`. Fewer values than elements repeat
        the last one, none at all stand for zeros, as in TensorFlow; up to 256 MiB of them.

    Raises:
        WireError: the type has no numpy counterpart, the shape is not fully known, or the
            content does not fill it.
    """
    kind = _BY_NUMBER.get(proto.dtype)
    if kind is None:
        raise _unreadable(f"data type {proto.dtype}", "a type that numpy knows")
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


def data_type(dtype: np.dtype) -> str:
    """The name of the DataType of `dtype`, such as `DT_FLOAT`."""
    return tensor_pb2.DataType.Name(_BY_NAME[dtype.name][0])


def type_name(number: int) -> str:
    """TensorFlow's Python name for the DataType `number`, such as `float32` or `string`."""
    if number in _BY_NUMBER:
        name = _BY_NUMBER[number][0]
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


def _little(values: np.ndarray) -> np.ndarray:
    """`values`, in this machine's byte order, in the wire's."""
    return values if _IS_LITTLE else values.astype(values.dtype.newbyteorder("<"))


def _holds_text(value: object) -> bool:
    while isinstance(value, Sequence) and not isinstance(value, bytes | str) and len(value) > 0:
        value = value[0]
    return isinstance(value, bytes | str) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "OSU"
    )


def _texts(array: np.ndarray, name: str) -> np.ndarray:
    """`array` with each element as `bytes`."""
    texts = np.empty(array.shape, object)
    for index, item in enumerate(array.ravel().tolist()):
        if not isinstance(item, bytes | str):
            raise _refusal(name, f"an array with {type(item).__name__} where text belongs")
        texts.flat[index] = item.encode() if isinstance(item, str) else item
    return texts


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
    """The values in `field`, flat, in `dtype`."""
    if field == "float_val" and len(proto.float_val) <= _FEW:
        return np.array(proto.float_val, np.float32)
    if field in _PACKED:
        number = proto.DESCRIPTOR.fields_by_name[field].number
        return packed.values(proto, number, _PACKED[field]).view(numpy_dtype(dtype))
    if field == "float8_val":
        return np.frombuffer(proto.float8_val, numpy_dtype(dtype))
    values = getattr(proto, field)
    if field == "half_val":
        return np.array(values[:], np.uint16).view(numpy_dtype(dtype))
    if field == "string_val":
        return np.fromiter(values, object, len(values))
    if field == "int_val":
        return np.array(values[:], np.int32).astype(numpy_dtype(dtype))
    return np.array(values[:], numpy_dtype(dtype))


def _stretch(values: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """`values` `[n]` as `shape`: cut, or its last value repeated; zeros where there is none."""
    size = math.prod(shape)
    if len(values) == size:
        return values.reshape(shape)
    if len(values) > size:
        return values[:size].reshape(shape)
    if size * numpy_dtype(dtype).itemsize > _MOST_REPEATED:
        raise _unreadable(f"{len(values)} values for shape {list(shape)}", "values that fill it")
    zero = b"" if dtype == "object" else np.zeros((), numpy_dtype(dtype))
    full = np.full(size, values[-1] if len(values) else zero, numpy_dtype(dtype))
    full[: len(values)] = values
    return full.reshape(shape)


def _from_content(content: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    size = math.prod(shape)
    if dtype == "object":
        return _strings(content, size).reshape(shape)
    element = numpy_dtype(dtype)
    if not _IS_LITTLE:
        element = element.newbyteorder("<")
    if len(content) != size * element.itemsize:
        raise _unreadable(
            f"{len(content)} bytes", f"{size * element.itemsize} bytes for {dtype} {list(shape)}"
        )
    return np.frombuffer(content, element).reshape(shape)


def _strings(content: bytes, size: int) -> np.ndarray:
    """`size` strings from their lengths as varints, then their bytes (EncodeStringList)."""
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


def _refusal(name: str, received: str) -> WireError:
    known = ", ".join(dtype for dtype in _BY_NAME if dtype != "object")
    return WireError(
        f"Input {name!r}: expected bytes, text or one of {known}. Received: {received}. "
        "Convert it first, e.g. `array.astype('float32')`."
    )


def _unreadable(received: str, expected: str) -> WireError:
    return WireError(
        f"Tensor: expected {expected}. Received: {received}. "
        "Check how the sender made the TensorProto."
    )
