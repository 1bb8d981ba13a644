"""All that is wrong with one split, as anomalies and as tensorflow-metadata's message."""

import dataclasses

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from millrace.components.statistics.reading import DatasetStats
from millrace.components.validation.checks import check
from millrace.components.validation.comparison import DRIFT, SKEW, compare, compare_sizes
from millrace.components.validation.findings import Anomaly, Distance, to_anomalies


@dataclasses.dataclass(frozen=True)
class Controls:
    """What a split is compared with: the same split of the previous run, and train."""

    previous: DatasetStats | None
    train: DatasetStats | None


def validate(
    dataset: DatasetStats, schema: schema_pb2.Schema, controls: Controls
) -> tuple[list[Anomaly], list[Distance], anomalies_pb2.Anomalies]:
    """Check `dataset` against `schema` and `controls`; those without records are left out.

    Returns:
        What is wrong, all distances measured, and both as one message.
    """
    findings = check(dataset, schema)
    distances: list[Distance] = []
    if dataset.num_examples:
        if controls.previous is not None:
            findings += compare_sizes(dataset, controls.previous, schema)
        for control, comparator in ((controls.previous, DRIFT), (controls.train, SKEW)):
            if control is not None and control.num_examples:
                high, measured = compare(dataset, control, schema, comparator)
                findings += high
                distances += measured
    message = to_anomalies(schema, findings, distances, data_missing=not dataset.num_examples)
    return findings, distances, message
