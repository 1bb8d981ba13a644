"""One split's statistics against a schema: what is missing, new, of another type or shape.

Deprecated features, and those not required, may be absent. Values are `validation.domains`'
business.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.statistics.reading import DatasetStats, FeatureStats, common_of, name_of
from millrace.components.validation.domains import check_domain
from millrace.components.validation.findings import WHOLE_DATASET, Anomaly, AnomalyInfo

Feature: TypeAlias = schema_pb2.Feature
_TYPES = {
    FeatureStats.INT: schema_pb2.INT,
    FeatureStats.FLOAT: schema_pb2.FLOAT,
    FeatureStats.STRING: schema_pb2.BYTES,
    FeatureStats.BYTES: schema_pb2.BYTES,
    FeatureStats.STRUCT: schema_pb2.STRUCT,
}
_OUT_OF_USE = {
    schema_pb2.PLANNED,
    schema_pb2.ALPHA,
    schema_pb2.DEPRECATED,
    schema_pb2.DEBUG_ONLY,
    schema_pb2.DISABLED,
}


def check(dataset: DatasetStats, schema: schema_pb2.Schema) -> list[Anomaly]:
    """Everything in `dataset` that `schema` does not allow, by feature in the schema's order.

    Without records nothing but that can be said.
    """
    if not dataset.num_examples:
        description = "The split holds no records."
        return [Anomaly(WHOLE_DATASET, "NO_DATA_IN_SPAN", "No data", description)]
    findings = list(_check_size(dataset, schema.dataset_constraints))
    seen = {name_of(stats): stats for stats in dataset.features}
    known = [feature for feature in schema.feature if not out_of_use(feature)]
    for feature in known:
        findings += _check_feature(feature, seen.get(feature.name), schema)
    findings += _check_new(seen, {feature.name for feature in schema.feature})
    return findings


def out_of_use(feature: Feature) -> bool:
    """Whether the schema only remembers the feature."""
    return feature.deprecated or feature.lifecycle_stage in _OUT_OF_USE


def _check_size(
    dataset: DatasetStats, constraints: schema_pb2.DatasetConstraints
) -> Iterator[Anomaly]:
    count, fewest, most = (
        dataset.num_examples,
        constraints.min_examples_count,
        constraints.max_examples_count,
    )
    if count < fewest:
        yield Anomaly(
            WHOLE_DATASET,
            "DATASET_LOW_NUM_EXAMPLES",
            "Low num examples in dataset.",
            f"The split has {count} records, fewer than the {fewest} expected.",
        )
    if constraints.HasField("max_examples_count") and count > most:
        yield Anomaly(
            WHOLE_DATASET,
            "DATASET_HIGH_NUM_EXAMPLES",
            "High num examples in dataset.",
            f"The split has {count} records, more than the {most} expected.",
        )


def _check_feature(
    feature: Feature, stats: FeatureStats | None, schema: schema_pb2.Schema
) -> Iterable[Anomaly]:
    presence = feature.presence
    required = presence.min_count > 0 or presence.min_fraction > 0
    if stats is None or not common_of(stats).num_non_missing:
        return [_missing(feature.name)] if required else []
    if feature.type != _TYPES[stats.type]:
        wanted = schema_pb2.FeatureType.Name(feature.type)
        return [
            Anomaly(
                feature.name,
                "UNEXPECTED_DATA_TYPE",
                f"Expected data of type: {wanted} but got {FeatureStats.Type.Name(stats.type)}",
                f"Expected {wanted}. Received: {FeatureStats.Type.Name(stats.type)}.",
            )
        ]
    return itertools.chain(
        _check_presence(feature, stats),
        _check_lengths(feature, stats),
        _check_unique(feature, stats),
        check_domain(feature, stats, schema),
    )


def _missing(name: str) -> Anomaly:
    return Anomaly(name, "SCHEMA_MISSING_COLUMN", "Column dropped", "The feature is in no record.")


def _check_new(seen: Iterable[str], known: set[str]) -> Iterator[Anomaly]:
    for name in seen:
        if name not in known:
            yield Anomaly(
                name,
                "SCHEMA_NEW_COLUMN",
                "New column",
                "The feature is in the data but not in the schema.",
                AnomalyInfo.WARNING,
            )


def _check_presence(feature: Feature, stats: FeatureStats) -> Iterator[Anomaly]:
    common = common_of(stats)
    present, missing = common.num_non_missing, common.num_missing
    fraction = present / (present + missing)
    if present < feature.presence.min_count:
        yield Anomaly(
            feature.name,
            "FEATURE_TYPE_LOW_NUMBER_PRESENT",
            "Column dropped",
            f"Present in {present} records, fewer than the {feature.presence.min_count} expected.",
        )
    if fraction < feature.presence.min_fraction:
        yield Anomaly(
            feature.name,
            "FEATURE_TYPE_LOW_FRACTION_PRESENT",
            "Column dropped",
            f"Missing in {missing} of {present + missing} records: present in {fraction:.4%}, "
            f"expected at least {feature.presence.min_fraction:.4%}.",
        )


def _check_lengths(feature: Feature, stats: FeatureStats) -> Iterator[Anomaly]:
    common = common_of(stats)
    fewest, most = common.min_num_values, common.max_num_values
    shape = [dim.size for dim in feature.shape.dim]
    if feature.HasField("shape"):
        size = 1
        for dim in shape:
            size *= dim
        if not fewest == most == size:
            yield Anomaly(
                feature.name,
                "INVALID_FEATURE_SHAPE",
                "Unexpected number of values",
                f"Expected {size} values in every record (shape {shape}). "
                f"Received: {fewest if fewest == most else f'{fewest} to {most}'}.",
            )
    if fewest < feature.value_count.min:
        yield Anomaly(
            feature.name,
            "FEATURE_TYPE_LOW_NUMBER_VALUES",
            "Missing values",
            f"Some records have {fewest} values, fewer than {feature.value_count.min}.",
        )
    if feature.value_count.HasField("max") and most > feature.value_count.max:
        yield Anomaly(
            feature.name,
            "FEATURE_TYPE_HIGH_NUMBER_VALUES",
            "Superfluous values",
            f"Some records have {most} values, more than {feature.value_count.max}.",
        )


def _check_unique(feature: Feature, stats: FeatureStats) -> Iterator[Anomaly]:
    if not feature.HasField("unique_constraints"):
        return
    limits, source = feature.unique_constraints, stats.WhichOneof("stats")
    if source == "num_stats":
        description = "The schema limits distinct values, which numbers are not counted by."
        yield Anomaly(feature.name, "FEATURE_TYPE_NO_UNIQUE", "No unique values", description)
        return
    unique = getattr(stats, source).unique
    if unique < limits.min:
        description = f"{unique} distinct values, fewer than {limits.min}."
        short = "Low number of unique values"
        yield Anomaly(feature.name, "FEATURE_TYPE_LOW_UNIQUE", short, description)
    if unique > limits.max:
        description = f"{unique} distinct values, more than {limits.max}."
        short = "High number of unique values"
        yield Anomaly(feature.name, "FEATURE_TYPE_HIGH_UNIQUE", short, description)
