"""Every kind of anomaly: found where it is, not found where it is not."""

import json
import logging
import math

import numpy as np
import pytest
from etils.epath import Path
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from millrace.components.artifacts import Schema, Statistics
from millrace.components.example_validator import example_validator
from millrace.components.files import columns
from millrace.components.schema.infer import SchemaRules, infer
from millrace.components.schema.text import write
from millrace.components.statistics.dataset import fold
from millrace.components.statistics.proto import Detail, to_proto
from millrace.components.statistics.reading import histogram_of, read
from millrace.components.validation.distances import histogram_divergence
from millrace.serving.example import encode

RULES = SchemaRules(
    fixed_shapes=True,
    disallow_nan=True,
    max_categories=1000,
    categorical=("text",),
    labels=("label",),
    min_examples=None,
    drift_linf=None,
    drift_js=None,
    skew_linf=None,
    skew_js=None,
)


@pytest.fixture
def describe(tmp_path):
    def run(name="now", /, **splits):
        statistics = Statistics(Path(tmp_path) / name)
        for split, records in splits.items():
            message = to_proto(
                split, fold(columns.batches(map(encode, records), "f"), "f"), Detail()
            )
            statistics.split_path(split).mkdir(parents=True)
            statistics.file(split).write_bytes(message.SerializeToString())
        return statistics

    return run


@pytest.fixture
def validate(tmp_path):
    """Hold statistics against a schema, given as text or inferred from good records."""

    def run(statistics, schema, previous=None, training=None):
        if isinstance(schema, str):
            schema = text_format.Parse(schema, schema_pb2.Schema())
        artifact = Schema(Path(tmp_path) / "schema")
        artifact.path.mkdir()
        write(schema, artifact.file)
        out = Path(tmp_path) / "out"
        out.mkdir()
        return example_validator(statistics, artifact, previous, out, training=training)

    return run


@pytest.fixture
def inferred(describe):
    def run(records, **rules):
        good = describe("good", train=records)
        return infer([read(good, "train")], SchemaRules(**{**vars(RULES), **rules}))

    return run


def kinds(anomalies):
    return [(each["split"], each["feature"], each["kind"]) for each in anomalies.found]


def diff_of(anomalies, split="train"):
    return anomalies_pb2.Anomalies.FromString(anomalies.file(split).read_bytes())


GOOD = [{"label": n % 3, "text": f"class {n % 3}", "x": n / 4} for n in range(12)]


def test_the_records_a_schema_was_inferred_from_have_no_anomaly(describe, validate, inferred):
    anomalies = validate(describe(train=GOOD, eval=GOOD[:3]), inferred(GOOD))
    assert anomalies.found == []
    assert anomalies.splits == ["train", "eval"]
    assert not diff_of(anomalies).anomaly_info
    assert {feature.name for feature in diff_of(anomalies, "eval").baseline.feature} == set(GOOD[0])


def test_a_new_class_is_found_with_its_share(describe, validate, inferred):
    bad = [*GOOD, {"label": 3, "text": "zebra", "x": 1.0}]
    anomalies = validate(describe(train=GOOD, eval=bad), inferred(GOOD))
    assert kinds(anomalies) == [
        ("eval", "label", "INT_TYPE_BIG_INT"),
        ("eval", "text", "ENUM_TYPE_UNEXPECTED_STRING_VALUES"),
    ]
    assert anomalies.found[1]["description"] == (
        "7.69% of the values are not in the schema: 'zebra' (1, 7.69%)."
    )
    assert anomalies.found[0]["description"] == "Expected at most 2. Received: values up to 3."
    assert diff_of(anomalies, "eval").anomaly_info["label"].short_description == (
        "Out-of-range values"
    )


def test_a_few_new_values_pass_where_the_schema_lets_them(describe, validate, inferred):
    schema = inferred(GOOD)
    [text] = [feature for feature in schema.feature if feature.name == "text"]
    text.distribution_constraints.min_domain_mass = 0.9
    bad = [*GOOD, {"label": 1, "text": "zebra", "x": 1.0}]
    assert validate(describe(train=bad), schema).found == []


def test_a_class_too_few_is_not_an_anomaly(describe, validate, inferred):
    only = [record for record in GOOD if record["label"] == 1]
    assert validate(describe(train=only), inferred(GOOD)).found == []


def test_a_missing_column_is_found(describe, validate, inferred):
    bad = [{"label": 1, "x": 1.0}]
    anomalies = validate(describe(train=bad), inferred(GOOD))
    assert kinds(anomalies) == [("train", "text", "SCHEMA_MISSING_COLUMN")]
    info = diff_of(anomalies).anomaly_info["text"]
    assert (info.short_description, info.severity) == ("Column dropped", info.ERROR)
    assert list(info.path.step) == ["text"]


def test_an_optional_or_deprecated_column_may_be_missing(describe, validate):
    schema = """
      feature { name: "optional" type: INT }
      feature { name: "old" type: INT presence { min_count: 1 } lifecycle_stage: DEPRECATED }
      feature { name: "a" type: INT }"""
    assert validate(describe(train=[{"a": 1}]), schema).found == []


def test_a_new_column_is_a_warning(describe, validate, inferred):
    anomalies = validate(describe(train=[{**GOOD[0], "new.one": 1}]), inferred(GOOD))
    assert kinds(anomalies) == [("train", "new.one", "SCHEMA_NEW_COLUMN")]
    info = diff_of(anomalies).anomaly_info["'new.one'"]
    assert info.severity == info.WARNING
    assert info.reason[0].type == info.SCHEMA_NEW_COLUMN


def test_a_wrong_type_is_found_and_nothing_else_of_it(describe, validate, inferred):
    bad = [{"label": "two", "text": "class 1", "x": 1.0}]
    anomalies = validate(describe(train=bad), inferred(GOOD))
    assert kinds(anomalies) == [("train", "label", "UNEXPECTED_DATA_TYPE")]
    assert anomalies.found[0]["description"] == "Expected INT. Received: STRING."


def test_a_feature_missing_in_some_records_is_found(describe, validate, inferred):
    bad = [*GOOD, {"label": 1, "text": "class 1"}]
    anomalies = validate(describe(train=bad), inferred(GOOD))
    assert kinds(anomalies) == [("train", "x", "FEATURE_TYPE_LOW_FRACTION_PRESENT")]
    assert anomalies.found[0]["description"] == (
        "Missing in 1 of 13 records: present in 92.3077%, expected at least 100.0000%."
    )


def test_a_feature_in_too_few_records_is_found(describe, validate):
    schema = 'feature { name: "a" type: INT presence { min_count: 3 } }'
    anomalies = validate(describe(train=[{"a": 1}, {"a": 1}]), schema)
    assert kinds(anomalies) == [("train", "a", "FEATURE_TYPE_LOW_NUMBER_PRESENT")]


def test_another_shape_is_found(describe, validate, inferred):
    anomalies = validate(describe(train=[{"x": [1.0, 2.0]}]), inferred([{"x": 1.0}]))
    assert kinds(anomalies) == [("train", "x", "INVALID_FEATURE_SHAPE")]
    assert anomalies.found[0]["description"] == (
        "Expected 1 values in every record (shape [1]). Received: 2."
    )


def test_numbers_of_values_out_of_bounds_are_found(describe, validate):
    schema = """
      feature { name: "few" type: FLOAT value_count { min: 2 } }
      feature { name: "many" type: INT value_count { min: 1 max: 2 } }"""
    records = [{"few": 1.0, "many": [1, 2, 3]}]
    assert kinds(validate(describe(train=records), schema)) == [
        ("train", "few", "FEATURE_TYPE_LOW_NUMBER_VALUES"),
        ("train", "many", "FEATURE_TYPE_HIGH_NUMBER_VALUES"),
    ]


def test_numbers_of_distinct_values_out_of_bounds_are_found(describe, validate):
    schema = """
      feature { name: "a" type: BYTES unique_constraints { min: 2 max: 9 } }
      feature { name: "b" type: BYTES unique_constraints { min: 1 max: 1 } }
      feature { name: "c" type: INT unique_constraints { min: 1 max: 1 } }"""
    records = [{"a": "x", "b": "y", "c": 1}, {"a": "x", "b": "z", "c": 2}]
    assert kinds(validate(describe(train=records), schema)) == [
        ("train", "a", "FEATURE_TYPE_LOW_UNIQUE"),
        ("train", "b", "FEATURE_TYPE_HIGH_UNIQUE"),
        ("train", "c", "FEATURE_TYPE_NO_UNIQUE"),
    ]


def test_floats_out_of_range_and_not_finite_are_found(describe, validate):
    schema = """
      feature { name: "a" type: FLOAT float_domain { min: 0 max: 1 } }
      feature { name: "b" type: FLOAT float_domain { disallow_nan: true disallow_inf: true } }"""
    records = [{"a": -0.5, "b": math.nan}, {"a": 1.5, "b": math.inf}, {"a": 1.0, "b": 2.0}]
    anomalies = validate(describe(train=records), schema)
    assert kinds(anomalies) == [
        ("train", "a", "FLOAT_TYPE_SMALL_FLOAT"),
        ("train", "a", "FLOAT_TYPE_BIG_FLOAT"),
        ("train", "b", "FLOAT_TYPE_HAS_NAN"),
        ("train", "b", "FLOAT_TYPE_HAS_INF"),
    ]
    info = diff_of(anomalies).anomaly_info["a"]
    assert info.short_description == "Multiple errors"
    assert [reason.type for reason in info.reason] == [
        info.FLOAT_TYPE_SMALL_FLOAT,
        info.FLOAT_TYPE_BIG_FLOAT,
    ]
    assert anomalies.found[2]["description"] == "1 of 3 values are NaN."


def test_large_integers_are_written_out(describe, validate):
    schema = 'feature { name: "a" type: INT int_domain { min: 1234567 } }'
    [found] = validate(describe(train=[{"a": 1234566}]), schema).found
    assert found["description"] == "Expected at least 1234567. Received: values down to 1234566."


def test_the_largest_integer_is_within_its_own_domain(describe, validate):
    schema = f'feature {{ name: "a" type: INT int_domain {{ max: {2**63 - 1} }} }}'
    assert validate(describe(train=[{"a": 2**63 - 1}]), schema).found == []


def test_a_domain_far_from_zero_is_not_compared_with_no_values(describe, validate):
    schema = """
      feature { name: "a" type: FLOAT float_domain { min: 5 } }
      feature { name: "b" type: INT int_domain { min: 5 } }"""
    records = [{"a": np.array([], np.float32), "b": np.array([], np.int64)}]
    assert validate(describe(train=records), schema).found == []


def test_text_that_is_not_utf_8_is_found(describe, validate, inferred):
    bad = [*GOOD, {"label": 1, "text": b"class \xa3", "x": 1.0}]
    assert kinds(validate(describe(train=bad), inferred(GOOD))) == [
        ("train", "text", "ENUM_TYPE_INVALID_UTF8")
    ]


def test_values_that_are_no_boolean_are_found(describe, validate):
    schema = """
      feature { name: "i" type: INT bool_domain {} }
      feature { name: "s" type: BYTES bool_domain { true_value: "yes" false_value: "no" } }"""
    records = [{"i": -1, "s": "maybe"}, {"i": 2, "s": "yes"}]
    assert kinds(validate(describe(train=records), schema)) == [
        ("train", "i", "BOOL_TYPE_SMALL_INT"),
        ("train", "i", "BOOL_TYPE_BIG_INT"),
        ("train", "s", "BOOL_TYPE_UNEXPECTED_STRING"),
    ]


def test_an_image_too_large_is_found(describe, validate):
    schema = 'feature { name: "a" type: BYTES image_domain { max_image_byte_size: 3 } }'
    anomalies = validate(describe(train=[{"a": b"\xff\xd8\xff\xe0"}]), schema)
    assert kinds(anomalies) == [("train", "a", "MAX_IMAGE_BYTE_SIZE_EXCEEDED")]


def test_numbers_of_records_out_of_bounds_are_found(describe, validate):
    schema = """
      feature { name: "a" type: INT }
      dataset_constraints { min_examples_count: 2 max_examples_count: 2 }"""
    splits = {"train": [{"a": 1}] * 2, "eval": [{"a": 1}], "test": [{"a": 1}] * 3}
    anomalies = validate(describe(**splits), schema)
    assert kinds(anomalies) == [
        ("eval", "", "DATASET_LOW_NUM_EXAMPLES"),
        ("test", "", "DATASET_HIGH_NUM_EXAMPLES"),
    ]
    assert diff_of(anomalies, "eval").dataset_anomaly_info.short_description == (
        "Low num examples in dataset."
    )


def test_a_split_without_records_is_one_anomaly(describe, validate, inferred):
    anomalies = validate(describe(train=GOOD, eval=[]), inferred(GOOD, skew_linf=0.1))
    assert kinds(anomalies) == [("eval", "", "NO_DATA_IN_SPAN")]
    assert diff_of(anomalies, "eval").data_missing
    assert not diff_of(anomalies).data_missing


def test_drift_of_classes_is_measured_and_found_above_its_threshold(describe, validate, inferred):
    now = [record for record in GOOD if record["label"] != 2]
    schema = inferred(GOOD, drift_linf=0.1)
    anomalies = validate(describe(train=now), schema, describe("before", train=GOOD))
    assert kinds(anomalies) == [("train", "text", "COMPARATOR_L_INFTY_HIGH")]
    assert anomalies.found[0]["description"] == (
        "The L-infinity distance from the previous run is 0.333333, above 0.1; "
        "the share of 'class 2' differs most."
    )
    [info] = diff_of(anomalies).drift_skew_info
    [measured] = info.drift_measurements
    assert (list(info.path.step), measured.type) == (["text"], measured.L_INFTY)
    assert (measured.value, measured.threshold) == (pytest.approx(1 / 3), 0.1)


def test_a_distance_equal_to_its_threshold_is_allowed(describe, validate, inferred):
    now = [{"text": "class 0"}] * 3 + [{"text": "class 1"}]
    before = [{"text": "class 0"}, {"text": "class 1"}]
    schema = inferred(before, drift_linf=0.25)
    anomalies = validate(describe(train=now), schema, describe("before", train=before))
    assert anomalies.found == []
    assert diff_of(anomalies).drift_skew_info[0].drift_measurements[0].value == 0.25


def test_drift_of_numbers_is_found(describe, validate, inferred):
    moved = [{**record, "x": record["x"] + 100} for record in GOOD]
    schema = inferred(GOOD, drift_js=0.3)
    anomalies = validate(describe(train=moved), schema, describe("before", train=GOOD))
    assert kinds(anomalies) == [("train", "x", "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH")]
    assert "is 1, above 0.3" in anomalies.found[0]["description"]


def test_the_same_records_again_do_not_drift(describe, validate, inferred):
    schema = inferred(GOOD, drift_js=0.0, drift_linf=0.0, skew_js=0.0, skew_linf=0.0)
    both = {"train": GOOD, "eval": GOOD}
    assert validate(describe(**both), schema, describe("before", **both)).found == []


def test_without_earlier_statistics_no_drift_is_measured(describe, validate, inferred):
    schema = inferred(GOOD, drift_linf=0.0)
    assert not diff_of(validate(describe(train=GOOD), schema)).drift_skew_info


def test_a_split_that_is_new_has_nothing_to_drift_from(describe, validate, inferred):
    schema = inferred(GOOD, drift_linf=0.0)
    before = describe("before", train=GOOD, eval=[])
    splits = {"train": GOOD, "eval": GOOD, "test": GOOD}
    assert validate(describe(**splits), schema, before).found == []


def test_a_feature_without_earlier_values_is_found(describe, validate, inferred):
    before = describe("before", train=[{"label": 1}])
    anomalies = validate(describe(train=GOOD), inferred(GOOD, drift_linf=0.5), before)
    assert kinds(anomalies) == [("train", "text", "COMPARATOR_CONTROL_DATA_MISSING")]


def test_skew_holds_a_split_against_train(describe, validate, inferred):
    only = [record for record in GOOD if record["label"] == 0]
    anomalies = validate(describe(train=GOOD, eval=only), inferred(GOOD, skew_linf=0.5))
    assert kinds(anomalies) == [("eval", "text", "COMPARATOR_L_INFTY_HIGH")]
    assert diff_of(anomalies, "eval").drift_skew_info[0].skew_measurements[0].value == (
        pytest.approx(2 / 3)
    )
    assert not diff_of(anomalies, "train").drift_skew_info


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("min_fraction_threshold: 0.9", "COMPARATOR_LOW_NUM_EXAMPLES"),
        ("max_fraction_threshold: 0.4", "COMPARATOR_HIGH_NUM_EXAMPLES"),
    ],
)
def test_numbers_of_records_far_from_the_last_run_are_found(describe, validate, field, kind):
    schema = f"""
      feature {{ name: "a" type: INT }}
      dataset_constraints {{ num_examples_drift_comparator {{ {field} }} }}"""
    before = describe("before", train=[{"a": 1}] * 2)
    anomalies = validate(describe(train=[{"a": 1}]), schema, before)
    assert kinds(anomalies) == [("train", "", kind)]
    assert anomalies.found[0]["description"].startswith("1 records after 2: 0.5 times, ")


def test_quantiles_are_compared_where_the_schema_says_so(describe, validate):
    schema = """
      feature { name: "a" type: FLOAT drift_comparator { jensen_shannon_divergence {
        threshold: 0 source { type: QUANTILES } } } }"""
    now = describe(train=[{"a": float(n)} for n in range(20)])
    before = describe("before", train=[{"a": float(n**2)} for n in range(20)])
    [info] = diff_of(validate(now, schema, before)).drift_skew_info
    histograms = [
        histogram_of(read(each, "train").features[0], statistics_pb2.Histogram.QUANTILES)
        for each in (now, before)
    ]
    assert info.drift_measurements[0].value == histogram_divergence(*histograms)


def test_a_threshold_that_cannot_be_measured_is_said(describe, validate, caplog):
    schema = """
      feature { name: "a" type: INT drift_comparator { infinity_norm { threshold: 0.1 } } }"""
    now, before = describe(train=[{"a": 1}]), describe("before", train=[{"a": 1}])
    assert validate(now, schema, before).found == []
    assert "a: no infinity_norm is measured: it needs text" in caplog.text


def test_every_anomaly_is_one_line_of_the_log(describe, validate, inferred, caplog):
    caplog.set_level(logging.WARNING)
    validate(describe(train=[{"label": 1, "text": "class 0"}], eval=[]), inferred(GOOD))
    assert [record.message for record in caplog.records] == [
        "train: x: Column dropped. The feature is in no record.",
        "eval: all records: No data. The split holds no records.",
    ]


def test_the_summary_is_json_for_people(describe, validate, inferred):
    bad = [{"label": 1, "text": "猫", "x": 1.0}]
    anomalies = validate(describe(train=bad), inferred(GOOD))
    text = (anomalies.path / "anomalies.json").read_text()
    assert "猫" in text
    assert json.loads(text) == anomalies.found
    assert set(anomalies.found[0]) == {"split", "feature", "kind", "description"}


def test_what_a_model_was_given_is_compared_with_what_it_was_trained_on(describe, validate):
    training = describe("training", train=[{"town": "Cork"}] * 3 + [{"town": "Sligo"}])
    requests = describe("requests", serving=[{"town": "Cork"}] + [{"town": "Sligo"}] * 3)
    schema = """
        feature { name: "town" type: BYTES skew_comparator { infinity_norm { threshold: 0.25 } } }
    """
    anomalies = validate(requests, schema, training=training)
    assert kinds(anomalies) == [("serving", "town", "COMPARATOR_L_INFTY_HIGH")]
    assert anomalies.distances == [
        {
            "split": "serving",
            "feature": "town",
            "comparator": "skew",
            "kind": "L_INFTY",
            "value": 0.5,
            "threshold": 0.25,
        }
    ]


def test_without_distances_measured_none_are_reported(describe, validate):
    schema = 'feature { name: "town" type: BYTES }'
    requests = describe("requests", serving=[{"town": "Cork"}])
    assert validate(requests, schema, training=requests).distances == []
