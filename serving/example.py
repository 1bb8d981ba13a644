"""`tf.train.Example` records as mappings from names to numpy arrays, without TensorFlow.

A feature is a flat list of one of three kinds: bytes, float32 or int64. Encoding is
deterministic: features are sorted by name, so equal values give equal bytes.
Layout: tensorflow/core/example/feature.proto.
"""

import reprlib
from collections.abc import Mapping, Sequence

import numpy as np
from google.protobuf.message import DecodeError

from millrace.serving import packed, values
from millrace.serving.errors import WireError
from millrace.serving.protos import example_pb2

Value = bytes | str | int | float | Sequence[bytes | str | int | float] | np.ndarray
Decoded = dict[str, list[bytes] | np.ndarray]

_VALUE_FIELD = 1  # of BytesList, FloatList and Int64List
_INT64_MAX = np.iinfo(np.int64).max


def encode(features: Mapping[str, Value]) -> bytes:
    """Serialise one `tf.train.Example`.

    Args:
        features: by name. `bytes` and `str` (as UTF-8) make a bytes feature; integers and
            booleans int64; other numbers float32. A sequence or an array of any shape makes
            a row-major list. An empty sequence other than an array has no kind: it is written
            as a feature without a value, which TensorFlow reads as missing.

    Raises:
        WireError: a value is of none of these kinds, or too large for its kind.
    """
    return to_example(features).SerializeToString(deterministic=True)


def decode(record: bytes) -> Decoded:
    """Read one serialised `tf.train.Example`.

    Returns:
        By name: a list of bytes, or a read-only array `[values]` of float32 or int64. A
        feature without a value is left out.

    Raises:
        WireError: `record` is not an Example.
    """
    try:
        example = example_pb2.Example.FromString(record)
    except DecodeError as error:
        raise WireError(
            f"Record: expected a serialised tf.train.Example. "
            f"Received: {len(record)} bytes that do not parse ({error}). "
            "Check that the file holds Examples and was read with the right compression."
        ) from error
    return from_example(example)


def to_example(features: Mapping[str, Value]) -> example_pb2.Example:
    """Returns the message that `encode` serialises."""
    example = example_pb2.Example()
    slots = example.features.feature
    for name, value in features.items():
        values.utf8(name, "Feature name")
        _fill(slots[name], name, value)
    return example


def from_example(example: example_pb2.Example) -> Decoded:
    """Returns the values of a message as `decode` does, features sorted by name."""
    slots = example.features.feature
    decoded: Decoded = {}
    for name in sorted(slots):
        value = _read(slots[name])
        if value is not None:
            decoded[name] = value
    return decoded


def _fill(feature: example_pb2.Feature, name: str, value: Value) -> None:
    if isinstance(value, bytes):
        feature.bytes_list.value.append(value)
    elif isinstance(value, str):
        feature.bytes_list.value.append(values.utf8(value, "Feature", name))
    elif isinstance(value, int) and -_INT64_MAX <= value <= _INT64_MAX:
        feature.int64_list.value.append(int(value))  # int() because protobuf refuses a bool
    elif isinstance(value, Sequence) and len(value) > 0 and isinstance(value[0], bytes | str):
        _fill_text(feature, name, value)
    else:
        _fill_array(feature, name, value)


def _fill_text(feature: example_pb2.Feature, name: str, value: Sequence[object]) -> None:
    for item in value:
        if not isinstance(item, bytes | str):
            raise _refusal(name, f"{reprlib.repr(item)} ({type(item).__name__})")
        feature.bytes_list.value.append(
            values.utf8(item, "Feature", name) if isinstance(item, str) else item
        )


def _fill_array(feature: example_pb2.Feature, name: str, value: object) -> None:
    if values.is_masked(value):
        raise _refusal(name, "a masked array with hidden elements")
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise _refusal(name, f"a ragged list ({error})") from error
    if array.size == 0 and not isinstance(value, np.ndarray):
        feature.SetInParent()
    elif array.dtype.kind in "OSU":
        _fill_text(feature, name, array.ravel().tolist())
        feature.bytes_list.SetInParent()
    elif array.dtype.kind in "bi" or (array.dtype.kind == "u" and _fits(array)):
        feature.int64_list.value.extend(array.ravel().tolist())
        feature.int64_list.SetInParent()
    else:
        packed.merge(feature.float_list, _VALUE_FIELD, _float32(array, name))
        feature.float_list.SetInParent()


def _fits(array: np.ndarray) -> bool:
    return array.size == 0 or int(array.max()) <= _INT64_MAX


def _float32(array: np.ndarray, name: str) -> np.ndarray:
    """Returns `array` as float32, in whose range each value must be."""
    if array.dtype.kind in "uc" or array.dtype.names or not np.can_cast(array.dtype, np.complex128):
        raise _refusal(name, f"{array.dtype} values, which fit none of these")
    try:
        with np.errstate(over="raise"):
            return array.astype(np.float32)
    except FloatingPointError as error:
        raise _refusal(name, "a number too large for float32") from error


def _read(feature: example_pb2.Feature) -> list[bytes] | np.ndarray | None:
    match feature.WhichOneof("kind"):
        case "bytes_list":
            return list(feature.bytes_list.value)
        case "float_list":
            return packed.values(feature.float_list, _VALUE_FIELD, "<f4")
        case "int64_list":
            numbers = np.array(feature.int64_list.value[:], np.int64)
            numbers.flags.writeable = False
            return numbers
        case _:
            return None


def _refusal(name: str, received: str) -> WireError:
    return WireError(
        f"Feature {name!r}: expected bytes, text, int64 or float32 numbers, or a list or array "
        f"of one of these. Received: {received}. Convert it first."
    )
