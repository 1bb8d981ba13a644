"""One split's statistics against others: drift from the previous run, skew against train.

The thresholds are the schema's: `drift_comparator`, `skew_comparator`, and
`dataset_constraints.num_examples_drift_comparator`.
"""

import logging
from collections.abc import Iterator
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from millrace.components.statistics.reading import (
    DatasetStats,
    FeatureStats,
    common_of,
    histogram_of,
    name_of,
    text_counts,
)
from millrace.components.validation.checks import out_of_use
from millrace.components.validation.distances import (
    histogram_divergence,
    l_infinity,
    text_divergence,
)
from millrace.components.validation.findings import WHOLE_DATASET, Anomaly, Distance

logger = logging.getLogger(__name__)

DRIFT = "drift"
SKEW = "skew"
_CONTROL = {DRIFT: "the previous run", SKEW: "train"}

Histogram: TypeAlias = statistics_pb2.Histogram
Compared: TypeAlias = Anomaly | Distance


def compare(
    dataset: DatasetStats, control: DatasetStats, schema: schema_pb2.Schema, comparator: str
) -> tuple[list[Anomaly], list[Distance]]:
    """Measure every feature that the schema sets a threshold for.

    Args:
        dataset: what is judged.
        control: what it is compared with.
        schema: holds the thresholds; a distance equal to its threshold is allowed.
        comparator: DRIFT or SKEW.

    Returns:
        The distances over their thresholds, and all distances measured.
    """
    found: list[Compared] = []
    here = {name_of(stats): stats for stats in dataset.features}
    there = {name_of(stats): stats for stats in control.features}
    for feature in schema.feature:
        if out_of_use(feature) or not feature.HasField(f"{comparator}_comparator"):
            continue
        thresholds = getattr(feature, f"{comparator}_comparator")
        name = feature.name
        found += _compare_feature(name, here.get(name), there.get(name), thresholds, comparator)
    findings = [item for item in found if isinstance(item, Anomaly)]
    return findings, [item for item in found if isinstance(item, Distance)]


def compare_sizes(
    dataset: DatasetStats, control: DatasetStats, schema: schema_pb2.Schema
) -> Iterator[Anomaly]:
    """Hold the number of records, relative to the previous run's, against the schema."""
    limits = schema.dataset_constraints.num_examples_drift_comparator
    if not dataset.num_examples or not control.num_examples:
        return
    ratio = dataset.num_examples / control.num_examples
    received = f"{dataset.num_examples} records after {control.num_examples}: {ratio:.6g} times"
    if limits.HasField("min_fraction_threshold") and ratio < limits.min_fraction_threshold:
        yield Anomaly(
            WHOLE_DATASET,
            "COMPARATOR_LOW_NUM_EXAMPLES",
            "Low num examples in current dataset versus the previous span.",
            f"{received}, below {limits.min_fraction_threshold:.6g}.",
        )
    if limits.HasField("max_fraction_threshold") and ratio > limits.max_fraction_threshold:
        yield Anomaly(
            WHOLE_DATASET,
            "COMPARATOR_HIGH_NUM_EXAMPLES",
            "High num examples in current dataset versus the previous span.",
            f"{received}, above {limits.max_fraction_threshold:.6g}.",
        )


def _compare_feature(
    name: str,
    here: FeatureStats | None,
    there: FeatureStats | None,
    thresholds: schema_pb2.FeatureComparator,
    comparator: str,
) -> Iterator[Compared]:
    if here is None or not common_of(here).tot_num_values:
        return  # the check against the schema reports it where it is required
    if there is None or not common_of(there).tot_num_values:
        control = _CONTROL[comparator]
        yield Anomaly(
            name,
            "COMPARATOR_CONTROL_DATA_MISSING",
            f"{control} data missing",
            f"There are no values of {control} to compare with.",
        )
        return
    if thresholds.infinity_norm.HasField("threshold"):
        yield from _compare_shares(name, here, there, thresholds, comparator)
    if thresholds.jensen_shannon_divergence.HasField("threshold"):
        yield from _compare_shapes(name, here, there, thresholds, comparator)


def _compare_shares(
    name: str,
    here: FeatureStats,
    there: FeatureStats,
    thresholds: schema_pb2.FeatureComparator,
    comparator: str,
) -> Iterator[Compared]:
    counts, others = text_counts(here), text_counts(there)
    if not counts or not others:
        _cannot(name, "infinity_norm", "text with frequent values")
        return
    distance, value = l_infinity(counts, others)
    threshold = thresholds.infinity_norm.threshold
    yield Distance(name, comparator, "L_INFTY", distance, threshold)
    if distance > threshold:
        control = _CONTROL[comparator]
        yield Anomaly(
            name,
            "COMPARATOR_L_INFTY_HIGH",
            f"High Linfty distance from {control}",
            f"The L-infinity distance from {control} is {distance:.6g}, above {threshold:.6g}; "
            f"the share of {value!r} differs most.",
        )


def _compare_shapes(
    name: str,
    here: FeatureStats,
    there: FeatureStats,
    thresholds: schema_pb2.FeatureComparator,
    comparator: str,
) -> Iterator[Compared]:
    limit = thresholds.jensen_shannon_divergence
    distance = divergence(here, there, limit.source.type)
    if distance is None:
        _cannot(name, "jensen_shannon_divergence", "numbers or text with frequent values")
        return
    kind = "JENSEN_SHANNON_DIVERGENCE"
    yield Distance(name, comparator, kind, distance, limit.threshold)
    if distance > limit.threshold:
        control = _CONTROL[comparator]
        yield Anomaly(
            name,
            f"COMPARATOR_{kind}_HIGH",
            f"High approximate Jensen-Shannon divergence from {control}",
            f"The approximate Jensen-Shannon divergence from {control} is {distance:.6g}, "
            f"above {limit.threshold:.6g}.",
        )


def divergence(here: FeatureStats, there: FeatureStats, source: int = 0) -> float | None:
    """How far two features are apart by Jensen-Shannon divergence, 0 to 1; None if not measured.

    From the histograms of type `source` (STANDARD unless QUANTILES is named), or from counts.
    """
    quantiles = source == schema_pb2.HistogramSelection.QUANTILES
    kind = Histogram.QUANTILES if quantiles else Histogram.STANDARD
    ours, theirs = histogram_of(here, kind), histogram_of(there, kind)
    if ours is not None and theirs is not None:
        return histogram_divergence(ours, theirs)
    counts, others = text_counts(here), text_counts(there)
    return text_divergence(counts, others) if counts and others else None


def _cannot(name: str, threshold: str, wanted: str) -> None:
    logger.warning("%s: no %s is measured: it needs %s on both sides", name, threshold, wanted)
