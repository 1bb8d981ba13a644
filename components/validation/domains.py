"""The values of one feature against its domain in the schema."""

import math
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.statistics.reading import FeatureStats, common_of, text_counts
from millrace.components.validation.findings import Anomaly

_NAMED = 20  # unexpected values listed one by one
_OUT_OF_RANGE = "Out-of-range values"
_INVALID = "Invalid values"


def check_domain(
    feature: schema_pb2.Feature, stats: FeatureStats, schema: schema_pb2.Schema
) -> Iterator[Anomaly]:
    """What of `stats` lies outside the feature's domain; nothing where it has none."""
    match feature.WhichOneof("domain_info"):
        case "domain":
            values = [d.value for d in schema.string_domain if d.name == feature.domain]
            yield from _check_strings(feature, stats, set(values[0]))
        case "string_domain":
            yield from _check_strings(feature, stats, set(feature.string_domain.value))
        case "bool_domain":
            yield from _check_booleans(feature, stats)
        case "int_domain":
            yield from _check_integers(feature, stats)
        case "float_domain":
            yield from _check_floats(feature, stats)
        case "image_domain":
            yield from _check_image(feature, stats)


def _check_strings(
    feature: schema_pb2.Feature, stats: FeatureStats, allowed: set[str]
) -> Iterator[Anomaly]:
    text = stats.string_stats
    if text.invalid_utf8_count or stats.type == FeatureStats.BYTES:
        description = f"{text.invalid_utf8_count or 'Most'} values are no UTF-8 text."
        yield Anomaly(feature.name, "ENUM_TYPE_INVALID_UTF8", "Invalid UTF8 strings", description)
    counts = text_counts(stats)
    unexpected = {value: count for value, count in counts.items() if value not in allowed}
    total = common_of(stats).tot_num_values
    share = sum(unexpected.values()) / total if total else 0.0
    mass = feature.distribution_constraints
    tolerated = 1 - mass.min_domain_mass if feature.HasField("distribution_constraints") else 0
    if unexpected and share > tolerated:
        listed = ", ".join(
            f"{value!r} ({count:.0f}, {count / total:.2%})"
            for value, count in list(unexpected.items())[:_NAMED]
        )
        more = f" and {len(unexpected) - _NAMED} more" if len(unexpected) > _NAMED else ""
        yield Anomaly(
            feature.name,
            "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            "Unexpected string values",
            f"{share:.2%} of the values are not in the schema: {listed}{more}.",
        )


def _check_booleans(feature: schema_pb2.Feature, stats: FeatureStats) -> Iterator[Anomaly]:
    domain = feature.bool_domain
    if stats.type == FeatureStats.STRING:
        allowed = {domain.true_value, domain.false_value}
        unexpected = sorted(set(text_counts(stats)) - allowed)
        if unexpected:
            yield Anomaly(
                feature.name,
                "BOOL_TYPE_UNEXPECTED_STRING",
                _INVALID,
                f"Expected {' or '.join(map(repr, sorted(allowed)))}. "
                f"Received: {', '.join(map(repr, unexpected[:_NAMED]))}.",
            )
    elif stats.type in (FeatureStats.INT, FeatureStats.FLOAT):
        low, high = stats.num_stats.min, stats.num_stats.max
        if low < 0:
            yield Anomaly(
                feature.name,
                "BOOL_TYPE_SMALL_INT",
                _OUT_OF_RANGE,
                f"Expected 0 or 1. Received: values down to {_shown(low)}.",
            )
        if high > 1:
            yield Anomaly(
                feature.name,
                "BOOL_TYPE_BIG_INT",
                _OUT_OF_RANGE,
                f"Expected 0 or 1. Received: values up to {_shown(high)}.",
            )


def _check_integers(feature: schema_pb2.Feature, stats: FeatureStats) -> Iterator[Anomaly]:
    if stats.type != FeatureStats.INT or not stats.num_stats.histograms[0].buckets:
        return
    yield from _check_range(feature.name, feature.int_domain, stats, "INT_TYPE", "INT")


def _check_floats(feature: schema_pb2.Feature, stats: FeatureStats) -> Iterator[Anomaly]:
    if stats.type != FeatureStats.FLOAT or not stats.num_stats.histograms:
        return
    domain, numbers = feature.float_domain, stats.num_stats
    nan = numbers.histograms[0].num_nan
    total = common_of(stats).tot_num_values
    if domain.disallow_nan and nan:
        description = f"{nan} of {total} values are NaN."
        yield Anomaly(feature.name, "FLOAT_TYPE_HAS_NAN", _INVALID, description)
    if domain.disallow_inf and math.inf in (numbers.max, -numbers.min):
        infinite = sum(
            bucket.sample_count
            for bucket in numbers.histograms[0].buckets
            if math.isinf(bucket.low_value) or math.isinf(bucket.high_value)
        )
        description = f"{infinite:.0f} of {total} values are infinite."
        yield Anomaly(feature.name, "FLOAT_TYPE_HAS_INF", _INVALID, description)
    if numbers.histograms[0].buckets:
        yield from _check_range(feature.name, domain, stats, "FLOAT_TYPE", "FLOAT")


def _check_range(
    name: str,
    domain: schema_pb2.IntDomain | schema_pb2.FloatDomain,
    stats: FeatureStats,
    prefix: str,
    suffix: str,
) -> Iterator[Anomaly]:
    """Hold the smallest and largest value against the domain, as the doubles they are kept in."""
    low, high = stats.num_stats.min, stats.num_stats.max
    if domain.HasField("min") and low < float(domain.min):
        description = (
            f"Expected at least {_shown(domain.min)}. Received: values down to {_shown(low)}."
        )
        yield Anomaly(name, f"{prefix}_SMALL_{suffix}", _OUT_OF_RANGE, description)
    if domain.HasField("max") and high > float(domain.max):
        description = (
            f"Expected at most {_shown(domain.max)}. Received: values up to {_shown(high)}."
        )
        yield Anomaly(name, f"{prefix}_BIG_{suffix}", _OUT_OF_RANGE, description)


def _shown(number: float) -> str:
    """Whole numbers in full, others to six digits."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.6g}"


def _check_image(feature: schema_pb2.Feature, stats: FeatureStats) -> Iterator[Anomaly]:
    limit, largest = feature.image_domain.max_image_byte_size, stats.bytes_stats.max_num_bytes_int
    if feature.image_domain.HasField("max_image_byte_size") and largest > limit:
        yield Anomaly(
            feature.name,
            "MAX_IMAGE_BYTE_SIZE_EXCEEDED",
            "Num bytes exceeds the max byte size",
            f"The largest image has {largest} bytes, more than {limit}.",
        )
