"""The part of a training schema that a model's requests have to satisfy."""

from collections.abc import Collection

from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.schema.infer import set_thresholds


def for_requests(
    schema: schema_pb2.Schema,
    asked: Collection[str],
    *,
    linf: float | None,
    js: float | None,
) -> schema_pb2.Schema:
    """`schema` for requests: without the features that nobody sends, labels among them.

    Args:
        schema: of the training data; its own thresholds for skew stay.
        asked: features that a request may hold.
        linf: how far categories may be from training, where the schema does not say.
        js: the same of numbers.
    """
    found = schema_pb2.Schema()
    found.CopyFrom(schema)
    found.ClearField("dataset_constraints")  # on how much data there is to train with
    found.ClearField("feature")
    for feature in schema.feature:
        if feature.name in asked:
            kept = found.feature.add()
            kept.CopyFrom(feature)
            kept.ClearField("drift_comparator")
            if not kept.HasField("skew_comparator"):
                set_thresholds(kept, "skew", linf=linf, js=js)
    return found
