"""A schema inferred from statistics, by the rules of TensorFlow Data Validation.

A feature present in every record is required; lengths that are all equal make a fixed shape;
text with few values makes a string domain. Where the rules differ: text is categorical only
if its values repeat (two records a value or more), so that file names of a small set are not
taken for classes; a label's range makes an integer domain; a float feature without NaN or
infinity must stay so, unless NaN stands for a missing cell.
"""

import dataclasses
from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.errors import DataError
from millrace.components.statistics.reading import (
    DatasetStats,
    FeatureStats,
    common_of,
    name_of,
    text_counts,
)

IMAGE_SUFFIX = "image/encoded"
_EXACT_INTEGERS = 2**53
_TYPES = {
    FeatureStats.INT: schema_pb2.INT,
    FeatureStats.FLOAT: schema_pb2.FLOAT,
    FeatureStats.STRING: schema_pb2.BYTES,
    FeatureStats.BYTES: schema_pb2.BYTES,
}
_BOOLEANS = ({"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"})


@dataclasses.dataclass(frozen=True)
class SchemaRules:
    """What the statistics alone do not say."""

    fixed_shapes: bool
    disallow_nan: bool
    max_categories: int
    categorical: Sequence[str]
    labels: Sequence[str]
    min_examples: int | None
    drift_linf: float | None
    drift_js: float | None
    skew_linf: float | None
    skew_js: float | None


def infer(datasets: Sequence[DatasetStats], rules: SchemaRules) -> schema_pb2.Schema:
    """The schema that every one of `datasets` satisfies, features in the order of their names.

    Raises:
        DataError: a feature is of different types in two of them.
    """
    schema = schema_pb2.Schema()
    examples = sum(dataset.num_examples for dataset in datasets)
    seen: dict[str, list[FeatureStats]] = {}
    for dataset in datasets:
        for stats in dataset.features:
            seen.setdefault(name_of(stats), []).append(stats)
    for name in sorted(seen):
        _add_feature(schema, name, seen[name], examples, rules)
    if rules.min_examples is not None:
        schema.dataset_constraints.min_examples_count = rules.min_examples
    return schema


def _add_feature(
    schema: schema_pb2.Schema,
    name: str,
    stats: list[FeatureStats],
    examples: int,
    rules: SchemaRules,
) -> None:
    types = {item.type for item in stats}
    if len({_TYPES[kind] for kind in types}) > 1:
        names = ", ".join(sorted(FeatureStats.Type.Name(kind) for kind in types))
        raise DataError(
            f"Feature {name!r}: expected one type in all splits. Received: {names}. "
            "Write the records again with one type, or infer from `train` alone."
        )
    feature = schema.feature.add(name=name, type=_TYPES[stats[0].type])
    _set_presence(feature, stats, examples, rules)
    if types == {FeatureStats.STRING}:
        _set_text_domain(schema, feature, stats, rules)
    elif types == {FeatureStats.INT} and name in rules.labels:
        _set_label_domain(feature, stats)
    elif types == {FeatureStats.FLOAT}:
        _set_float_domain(feature, stats, rules)
    elif FeatureStats.BYTES in types and name.endswith(IMAGE_SUFFIX):
        feature.image_domain.SetInParent()
    set_thresholds(feature, "drift", linf=rules.drift_linf, js=rules.drift_js)
    set_thresholds(feature, "skew", linf=rules.skew_linf, js=rules.skew_js)


def _set_presence(
    feature: schema_pb2.Feature, stats: list[FeatureStats], examples: int, rules: SchemaRules
) -> None:
    commons = [common_of(item) for item in stats]
    present = sum(common.num_non_missing for common in commons)
    fewest = min(common.min_num_values for common in commons)
    most = max(common.max_num_values for common in commons)
    feature.presence.min_count = 1
    if present == examples:
        feature.presence.min_fraction = 1.0
    fixed = fewest == most and (rules.fixed_shapes or fewest == 1)
    if fixed and fewest > 0 and present == examples:
        feature.shape.dim.add(size=fewest)
    elif fewest > 0:
        feature.value_count.min = fewest if fixed else 1
        if fixed:
            feature.value_count.max = most


def _set_text_domain(
    schema: schema_pb2.Schema,
    feature: schema_pb2.Feature,
    stats: list[FeatureStats],
    rules: SchemaRules,
) -> None:
    complete = all(
        len(item.string_stats.rank_histogram.buckets) == item.string_stats.unique
        and not item.string_stats.invalid_utf8_count
        for item in stats
    )
    values = sorted({value for item in stats for value in text_counts(item)})
    total = sum(common_of(item).tot_num_values for item in stats)
    repeats = feature.name in rules.categorical or 2 * len(values) <= total
    if not (complete and repeats and 0 < len(values) <= rules.max_categories):
        return
    if set(values) in _BOOLEANS:
        feature.bool_domain.false_value, feature.bool_domain.true_value = values
        return
    feature.domain = feature.name
    schema.string_domain.add(name=feature.name, value=values)


def _set_label_domain(feature: schema_pb2.Feature, stats: list[FeatureStats]) -> None:
    numbers = [item.num_stats for item in stats if common_of(item).tot_num_values]
    ends = [end for item in numbers for end in (item.min, item.max)]
    # Statistics hold doubles: beyond 2**53 they no longer name an integer.
    if ends and max(map(abs, ends)) < _EXACT_INTEGERS:
        feature.int_domain.min = int(min(ends))
        feature.int_domain.max = int(max(ends))
        feature.int_domain.is_categorical = True


def _set_float_domain(
    feature: schema_pb2.Feature, stats: list[FeatureStats], rules: SchemaRules
) -> None:
    numbers = [item.num_stats for item in stats]
    histograms = [histogram for item in numbers for histogram in item.histograms]
    if rules.disallow_nan and not any(histogram.num_nan for histogram in histograms):
        feature.float_domain.disallow_nan = True
    if all(abs(end) < float("inf") for item in numbers for end in (item.min, item.max)):
        feature.float_domain.disallow_inf = True


def set_thresholds(
    feature: schema_pb2.Feature, comparator: str, *, linf: float | None, js: float | None
) -> None:
    """The limit fit for the feature: L-infinity for categories, divergence for numbers.

    Args:
        feature: gets it.
        comparator: `drift` or `skew`.
        linf: how far categories may be; None sets no limit.
        js: the same of numbers.
    """
    limits = f"{comparator}_comparator"
    if feature.domain or feature.HasField("bool_domain"):
        if linf is not None:
            getattr(feature, limits).infinity_norm.threshold = linf
    elif feature.type in (schema_pb2.INT, schema_pb2.FLOAT) and js is not None:
        getattr(feature, limits).jensen_shannon_divergence.threshold = js
