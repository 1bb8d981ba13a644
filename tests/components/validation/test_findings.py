"""Findings as tensorflow-metadata's message."""

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.validation.findings import (
    WHOLE_DATASET,
    Anomaly,
    AnomalyInfo,
    Distance,
    serialized_path,
    to_anomalies,
)

WRONG = Anomaly("a", "UNEXPECTED_DATA_TYPE", "Wrong", "It is wrong.")
NEW = Anomaly("a", "SCHEMA_NEW_COLUMN", "New", "It is new.", AnomalyInfo.WARNING)


def test_the_findings_of_a_feature_are_joined_under_the_gravest():
    message = to_anomalies(schema_pb2.Schema(), [WRONG, NEW], [], data_missing=False)
    info = message.anomaly_info["a"]
    assert info.severity == AnomalyInfo.ERROR
    assert info.short_description == "Multiple errors"
    assert info.description == "It is wrong. It is new."
    assert [reason.description for reason in info.reason] == ["It is wrong.", "It is new."]


def test_a_single_finding_gives_its_own_words():
    message = to_anomalies(schema_pb2.Schema(), [NEW], [], data_missing=False)
    info = message.anomaly_info["a"]
    assert (info.short_description, info.severity) == ("New", AnomalyInfo.WARNING)


def test_findings_of_the_whole_split_lie_apart():
    finding = Anomaly(WHOLE_DATASET, "NO_DATA_IN_SPAN", "No data", "None.")
    message = to_anomalies(schema_pb2.Schema(), [finding], [], data_missing=True)
    assert message.dataset_anomaly_info.description == "None."
    assert not message.anomaly_info
    assert message.data_missing


def test_distances_of_a_feature_lie_together():
    distances = [
        Distance("a", "drift", "L_INFTY", 0.1, 0.2),
        Distance("a", "skew", "L_INFTY", 0.3, 0.2),
    ]
    [info] = to_anomalies(schema_pb2.Schema(), [], distances, data_missing=False).drift_skew_info
    assert [measured.value for measured in info.drift_measurements] == [0.1]
    assert [measured.value for measured in info.skew_measurements] == [0.3]


@pytest.mark.parametrize(
    ("name", "path"),
    [("image/encoded", "image/encoded"), ("a.b", "'a.b'"), ("it's", "'it''s'"), ("(x)", "(x)")],
)
def test_a_name_with_dots_or_quotes_is_quoted_in_its_key(name, path):
    assert serialized_path(name) == path
