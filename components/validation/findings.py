"""What validation finds, and its form as tensorflow-metadata's `Anomalies`."""

import dataclasses
import re
from collections.abc import Iterable
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

AnomalyInfo: TypeAlias = anomalies_pb2.AnomalyInfo
Measurement: TypeAlias = anomalies_pb2.DriftSkewInfo.Measurement

WHOLE_DATASET = ""
_PLAIN_STEP = re.compile(r"\([^()]*\)|[^().']+")


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """One thing wrong.

    `feature` is `WHOLE_DATASET` for what concerns no single feature; `kind` is a name of
    `AnomalyInfo.Type`, and `short` the few words that TensorFlow Data Validation has for it.
    """

    feature: str
    kind: str
    short: str
    description: str
    severity: int = AnomalyInfo.ERROR


@dataclasses.dataclass(frozen=True)
class Distance:
    """One measured distance of a feature, by L_INFTY or JENSEN_SHANNON_DIVERGENCE, 0 to 1."""

    feature: str
    comparator: str  # drift (from the previous run) or skew (from train)
    kind: str
    value: float
    threshold: float


def to_anomalies(
    schema: schema_pb2.Schema,
    findings: Iterable[Anomaly],
    distances: Iterable[Distance],
    *,
    data_missing: bool,
) -> anomalies_pb2.Anomalies:
    """The message of one split: anomalies by feature, and the schema that they violate.

    The description of a feature with several findings joins theirs.
    """
    message = anomalies_pb2.Anomalies(
        baseline=schema,
        anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH,
        data_missing=data_missing,
    )
    for finding in findings:
        if finding.feature == WHOLE_DATASET:
            _add(message.dataset_anomaly_info, finding)
        else:
            info = message.anomaly_info[serialized_path(finding.feature)]
            info.path.step[:] = [finding.feature]
            _add(info, finding)
    infos: dict[str, anomalies_pb2.DriftSkewInfo] = {}
    for distance in distances:
        if distance.feature not in infos:
            infos[distance.feature] = message.drift_skew_info.add()
            infos[distance.feature].path.step.append(distance.feature)
        getattr(infos[distance.feature], f"{distance.comparator}_measurements").add(
            type=Measurement.Type.Value(distance.kind),
            value=distance.value,
            threshold=distance.threshold,
        )
    return message


def serialized_path(feature: str) -> str:
    """The feature's key in `anomaly_info`: quoted where it holds `.`, `'` or brackets."""
    if _PLAIN_STEP.fullmatch(feature):
        return feature
    escaped = feature.replace("'", "''")
    return f"'{escaped}'"


def _add(info: AnomalyInfo, finding: Anomaly) -> None:
    info.reason.add(
        type=AnomalyInfo.Type.Value(finding.kind),
        short_description=finding.short,
        description=finding.description,
    )
    info.severity = max(info.severity, finding.severity)
    info.short_description = "Multiple errors" if len(info.reason) > 1 else finding.short
    info.description = " ".join(reason.description for reason in info.reason)
