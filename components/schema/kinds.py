"""The types that a schema gives to features, as `tf.train.Example` names them."""

from typing import Literal

from tensorflow_metadata.proto.v0 import schema_pb2

_KINDS: dict[int, Literal["bytes", "int64", "float32"]] = {
    schema_pb2.BYTES: "bytes",
    schema_pb2.INT: "int64",
    schema_pb2.FLOAT: "float32",
}


def kinds(schema: schema_pb2.Schema) -> dict[str, Literal["bytes", "int64", "float32"]]:
    """The kind of each feature that has one, by name."""
    return {one.name: _KINDS[one.type] for one in schema.feature if one.type in _KINDS}
