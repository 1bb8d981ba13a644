"""What a training schema says of requests: the part they have to satisfy, and their types."""

from collections.abc import Collection
from typing import Literal

from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.schema.infer import set_thresholds

_KINDS: dict[int, Literal["bytes", "int64", "float32"]] = {
    schema_pb2.BYTES: "bytes",
    schema_pb2.INT: "int64",
    schema_pb2.FLOAT: "float32",
}


def for_requests(
    schema: schema_pb2.Schema,
    taken: Collection[str],
    *,
    linf: float | None,
    js: float | None,
) -> schema_pb2.Schema:
    """`schema` for requests: without the features that requests lack, labels among them.

    Args:
        schema: of the training data; its own thresholds for skew stay.
        taken: features that a request may hold.
        linf: how far categories may be from training, where the schema does not say.
        js: the same of numbers.
    """
    found = schema_pb2.Schema()
    found.CopyFrom(schema)
    found.ClearField("dataset_constraints")  # on how much data there is to train with
    found.ClearField("feature")
    for feature in schema.feature:
        if feature.name in taken:
            kept = found.feature.add()
            kept.CopyFrom(feature)
            kept.ClearField("drift_comparator")
            if not kept.HasField("skew_comparator"):
                set_thresholds(kept, "skew", linf=linf, js=js)
    return found


def kinds(schema: schema_pb2.Schema) -> dict[str, Literal["bytes", "int64", "float32"]]:
    """The type of each feature that has one, by name, as `tf.train.Example` calls it."""
    return {one.name: _KINDS[one.type] for one in schema.feature if one.type in _KINDS}
