"""Schema and anomalies in words, and what to do about each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.artifacts import Anomalies, Schema
from millrace.components.schema import text as schemas

_NAMES = 20  # of a list of values
_TIMES = " \N{MULTIPLICATION SIGN} "
_FLAGS = {
    "is_categorical": "stands for a category",
    "disallow_nan": "no NaN",
    "disallow_inf": "not infinite",
}
_TYPES = {
    schema_pb2.INT: "whole number",
    schema_pb2.FLOAT: "number",
    schema_pb2.BYTES: "text or bytes",
}
_WIDEN = "If that is right, widen the feature in the schema; else correct the data."
_DRIFTED = (
    "Compare the two histograms. If the world has changed, train on the new data and raise the "
    "threshold; else find what went wrong in the source."
)
_FIXES = {  # by kind
    "SCHEMA_NEW_COLUMN": "Add the feature to the schema if it belongs there, or drop the column.",
    "SCHEMA_MISSING_COLUMN": "Bring the column back, or let the schema do without it.",
    "COMPARATOR_L_INFTY_HIGH": _DRIFTED,
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH": _DRIFTED,
    "COMPARATOR_LOW_NUM_EXAMPLES": "Find out where the records have gone, or lower the threshold.",
    "COMPARATOR_HIGH_NUM_EXAMPLES": "Look for repeated records, or raise the threshold.",
    "COMPARATOR_CONTROL_DATA_MISSING": "The feature was not in the data compared with.",
    "DATASET_LOW_NUM_EXAMPLES": "Give the split more records, or lower min_examples_count.",
    "DATASET_HIGH_NUM_EXAMPLES": "Look for repeated records, or raise max_examples_count.",
    "NO_DATA_IN_SPAN": "Give the split some records, or leave it out.",
    "UNEXPECTED_DATA_TYPE": "Correct the column, or change its type in the schema.",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": "Fill the missing values, or lower min_fraction.",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": "Fill the missing values, or lower min_count.",
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES": "Correct these values, or add them to the domain.",
    "FLOAT_TYPE_HAS_NAN": "Leave such cells empty, or allow NaN in the schema.",
    "FLOAT_TYPE_HAS_INF": "Correct such cells, or allow infinity in the schema.",
    "MAX_IMAGE_BYTE_SIZE_EXCEEDED": "Make these pictures smaller, or raise the limit.",
}


def schema(artifact: Schema) -> dict[str, Any]:
    """What a page shows of a schema.

    Raises:
        DataError: its file is damaged.
    """
    found = schemas.read(artifact.file)
    domains = {domain.name: domain for domain in found.string_domain}
    return {
        "features": [
            {
                "name": feature.name,
                "type": _TYPES.get(feature.type, "anything"),
                "says": list(_said(feature, domains)),
            }
            for feature in found.feature
        ]
    }


def _said(feature: schema_pb2.Feature, domains: Mapping[str, Any]) -> Iterator[str]:
    """What a feature has to be, in words."""
    yield _presence(feature.presence)
    yield from _lengths(feature)
    domain = feature.WhichOneof("domain_info")
    if domain == "domain":
        known = domains.get(feature.domain)
        yield _one_of(known.value) if known else f"of the domain {feature.domain}"
    elif domain in ("int_domain", "float_domain"):
        yield from _range(getattr(feature, domain))
    elif domain == "string_domain":
        yield _one_of(feature.string_domain.value)
    elif domain is not None:
        yield f"of {domain.removesuffix('_domain').replace('_', ' ')} values"
    yield from _compared(feature)


def _presence(presence: schema_pb2.FeaturePresence) -> str:
    if presence.min_fraction >= 1:
        return "in every record"
    if presence.min_fraction > 0:
        return f"in {presence.min_fraction:.4g} of the records at least"
    if presence.min_count > 0:
        return f"in {presence.min_count:,} records at least"
    return "may be missing"


def _lengths(feature: schema_pb2.Feature) -> Iterator[str]:
    match feature.WhichOneof("shape_type"):
        case "shape":
            sizes = [str(dim.size) for dim in feature.shape.dim]
            yield "one value" if set(sizes) <= {"1"} else f"{_TIMES.join(sizes)} values"
        case "value_count":
            least, most = feature.value_count.min, feature.value_count.max
            yield f"{least} to {most} values" if most else f"{least} values or more"


def _one_of(values: Sequence[str]) -> str:
    more = f" and {len(values) - _NAMES:,} more" if len(values) > _NAMES else ""
    return f"one of {', '.join(map(repr, values[:_NAMES]))}{more}"


def _range(domain: Any) -> Iterator[str]:
    """What an int_domain or a float_domain says."""
    low, high = domain.HasField("min"), domain.HasField("max")
    if low and high:
        yield f"from {domain.min:.6g} to {domain.max:.6g}"
    elif low:
        yield f"{domain.min:.6g} or more"
    elif high:
        yield f"{domain.max:.6g} or less"
    for name, said in _FLAGS.items():
        if getattr(domain, name, False):
            yield said


def _compared(feature: schema_pb2.Feature) -> Iterator[str]:
    for name in ("drift", "skew"):
        comparator = getattr(feature, f"{name}_comparator")
        for kind in ("infinity_norm", "jensen_shannon_divergence"):
            if comparator.HasField(kind):
                most = getattr(comparator, kind).threshold
                yield f"{name} of {most:.3g} at most ({kind.replace('_', ' ')})"


def anomalies(artifact: Anomalies) -> dict[str, Any]:
    """What a page shows of what validation found.

    Raises:
        DataError: its file is damaged.
    """
    return {
        "found": [
            {**{name: each[name] for name in ("split", "feature", "kind", "description")}}
            | {"fix": fix(each["kind"])}
            for each in artifact.found
        ],
        "distances": [
            {
                **{
                    name: each[name]
                    for name in ("split", "feature", "comparator", "kind", "value", "threshold")
                },
                "is_over": each["value"] > each["threshold"],
            }
            for each in artifact.distances
        ],
    }


def fix(kind: str) -> str:
    """What to do about an anomaly of this kind."""
    return _FIXES.get(kind, _WIDEN)
