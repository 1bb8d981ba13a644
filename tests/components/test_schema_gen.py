"""What is inferred from which records, and curated schemas taken over."""

import math

import numpy as np
import pytest
from etils.epath import Path
from tensorflow_metadata.proto.v0 import schema_pb2

from millrace.components.artifacts import RawFiles, Statistics
from millrace.components.errors import DataError
from millrace.components.files import columns
from millrace.components.schema.text import read
from millrace.components.schema_gen import import_schema, schema_gen
from millrace.components.statistics.dataset import fold
from millrace.components.statistics.proto import Detail, to_proto
from millrace.serving.example import encode


@pytest.fixture
def infer(tmp_path):
    """The schema of the given records by split."""

    def run(options=None, rank_buckets=1000, **splits):
        statistics = Statistics(Path(tmp_path) / "statistics")
        for split, records in splits.items():
            message = to_proto(
                split,
                fold(columns.batches(map(encode, records), "f"), "f"),
                Detail(rank_buckets=rank_buckets),
            )
            statistics.split_path(split).mkdir(parents=True)
            statistics.file(split).write_bytes(message.SerializeToString())
        out = Path(tmp_path) / "out"
        out.mkdir()
        schema = read(schema_gen(statistics, out, **(options or {})).file)
        return schema, {feature.name: feature for feature in schema.feature}

    return run


def image(label, **more):
    return {"image/class/label": label, "image/class/text": f"class {label}", **more}


def test_types_are_those_of_the_records(infer):
    record = {"i": 1, "f": 0.5, "s": "text", "image/encoded": b"\xff\xd8"}
    _, features = infer(train=[record])
    assert {name: feature.type for name, feature in features.items()} == {
        "i": schema_pb2.INT,
        "f": schema_pb2.FLOAT,
        "s": schema_pb2.BYTES,
        "image/encoded": schema_pb2.BYTES,
    }
    assert features["image/encoded"].WhichOneof("domain_info") == "image_domain"


def test_a_feature_of_every_record_is_required_and_of_fixed_shape(infer):
    _, features = infer(train=[{"a": [1, 2]}, {"a": [3, 4]}])
    assert (features["a"].presence.min_fraction, features["a"].presence.min_count) == (1.0, 1)
    assert [dim.size for dim in features["a"].shape.dim] == [2]


def test_a_feature_of_some_records_is_not_required_in_all(infer):
    _, features = infer(train=[{"a": 1, "b": 1}, {"b": 2}])
    assert not features["a"].presence.HasField("min_fraction")
    assert features["a"].presence.min_count == 1
    assert (features["a"].value_count.min, features["a"].value_count.max) == (1, 1)


def test_lengths_that_vary_set_no_maximum(infer):
    _, features = infer(train=[{"a": [1, 2]}, {"a": 3}])
    assert not features["a"].HasField("shape")
    assert features["a"].value_count.min == 1
    assert not features["a"].value_count.HasField("max")


@pytest.mark.parametrize("options", [{}, {"disallow_nan": False}])
def test_nan_is_an_anomaly_unless_it_stands_for_a_missing_cell(infer, options):
    _, features = infer(options, train=[{"a": 0.5}])
    domain = features["a"].float_domain
    assert (domain.disallow_nan, domain.disallow_inf) == (not options, True)


def test_the_length_of_a_whole_series_is_none_that_others_must_have(infer):
    _, features = infer({"infer_feature_shape": False}, train=[{"a": [1, 2], "b": "x"}] * 2)
    assert not features["a"].HasField("shape")
    assert features["a"].value_count.min == 1
    assert not features["a"].value_count.HasField("max")
    assert [dim.size for dim in features["b"].shape.dim] == [1]


def test_empty_lists_set_no_lengths(infer):
    _, features = infer(train=[{"a": np.array([], np.float32)}, {"a": 1.0}])
    assert features["a"].WhichOneof("shape_type") is None


def test_classes_become_a_domain(infer):
    schema, features = infer(train=[image(label) for label in (2, 0, 1)])
    assert features["image/class/text"].domain == "image/class/text"
    [domain] = schema.string_domain
    assert (domain.name, list(domain.value)) == (
        "image/class/text",
        ["class 0", "class 1", "class 2"],
    )


def test_labels_become_an_integer_domain(infer):
    _, features = infer(train=[image(label) for label in range(7)])
    domain = features["image/class/label"].int_domain
    assert (domain.min, domain.max, domain.is_categorical) == (0, 6, True)


def test_labels_too_large_for_doubles_get_no_domain(infer):
    _, features = infer(train=[{"label": 2**53 + 1}])
    assert features["label"].WhichOneof("domain_info") is None


def test_other_integers_get_no_domain(infer):
    _, features = infer(train=[{"image/width": 28}, {"image/width": 30}])
    assert features["image/width"].WhichOneof("domain_info") is None


def test_text_that_hardly_repeats_is_not_a_category(infer):
    _, features = infer(train=[{"name": f"{n}.png", "format": "png"} for n in range(6)])
    assert features["name"].WhichOneof("domain_info") is None
    assert features["format"].domain == "format"


def test_text_of_too_many_values_is_not_a_category(infer):
    records = [image(n % 5) for n in range(20)]
    _, features = infer({"max_categories": 4}, train=records)
    assert features["image/class/text"].WhichOneof("domain_info") is None


def test_text_whose_values_are_not_all_listed_is_not_a_category(infer):
    records = [image(n % 5) for n in range(20)]
    _, features = infer(train=records, rank_buckets=4)
    assert features["image/class/text"].WhichOneof("domain_info") is None


def test_true_and_false_become_a_boolean(infer):
    _, features = infer(train=[{"flag": flag} for flag in ("true", "false", "true", "true")])
    domain = features["flag"].bool_domain
    assert (domain.true_value, domain.false_value) == ("true", "false")


def test_floats_without_nan_must_stay_so(infer):
    _, features = infer(train=[{"a": 1.0, "b": math.nan, "c": math.inf}])
    found = {
        name: (features[name].float_domain.disallow_nan, features[name].float_domain.disallow_inf)
        for name in "abc"
    }
    assert found == {"a": (True, True), "b": (False, True), "c": (True, False)}


def test_thresholds_are_left_unset(infer):
    _, features = infer(train=[image(0), image(1)])
    assert not any(
        feature.HasField("drift_comparator") or feature.HasField("skew_comparator")
        for feature in features.values()
    )


def test_thresholds_go_to_the_features_they_fit(infer):
    options = {"drift_linf": 0.1, "drift_js": 0.2, "skew_linf": 0.3, "skew_js": 0.4}
    _, features = infer(options, train=[image(0, raw=b"\xff"), image(1, raw=b"\xfe")])
    text, label = features["image/class/text"], features["image/class/label"]
    assert text.drift_comparator.infinity_norm.threshold == 0.1
    assert text.skew_comparator.infinity_norm.threshold == 0.3
    assert label.drift_comparator.jensen_shannon_divergence.threshold == 0.2
    assert label.skew_comparator.jensen_shannon_divergence.threshold == 0.4
    assert not features["raw"].HasField("drift_comparator")


def test_the_least_number_of_records_is_a_constraint(infer):
    schema, _ = infer({"min_examples": 5}, train=[image(0)])
    assert schema.dataset_constraints.min_examples_count == 5


def test_only_train_is_looked_at(infer):
    schema, _ = infer(train=[image(0)], eval=[image(1, new=1)])
    assert list(schema.string_domain[0].value) == ["class 0"]
    assert "new" not in {feature.name for feature in schema.feature}


def test_all_splits_together_may_be_looked_at(infer):
    schema, features = infer({"splits": "all"}, train=[image(0)], eval=[image(4, new=1)])
    assert list(schema.string_domain[0].value) == ["class 0", "class 4"]
    assert features["image/class/label"].int_domain.max == 4
    assert not features["new"].presence.HasField("min_fraction")


def test_different_types_in_two_splits_are_refused(infer):
    with pytest.raises(
        DataError, match=r"Feature 'a': expected one type in all splits.*FLOAT, INT"
    ):
        infer({"splits": "all"}, train=[{"a": 1}], eval=[{"a": 1.5}])


def test_no_records_to_infer_from_are_refused(infer):
    with pytest.raises(
        DataError,
        match=r"expected records in train .*Received: splits eval, .*set `schema_gen.splits=all`",
    ):
        infer(eval=[image(0)])


def test_a_curated_schema_keeps_its_comments(tmp_path):
    text = '# by hand\nfeature { name: "a" type: INT }\n'
    (tmp_path / "schema.pbtxt").write_text(text)
    for source, out in ((tmp_path, "one"), (tmp_path / "schema.pbtxt", "two")):
        (tmp_path / out).mkdir()
        schema = import_schema(RawFiles(source), Path(tmp_path) / out)
        assert schema.file.read_text() == text


def test_what_of_a_curated_schema_is_not_checked_is_said(tmp_path, caplog):
    (tmp_path / "schema.pbtxt").write_text(
        'default_environment: "TRAINING"\n'
        'feature { name: "a" type: INT not_in_environment: "SERVING" }'
    )
    (tmp_path / "out").mkdir()
    import_schema(RawFiles(tmp_path), Path(tmp_path) / "out")
    assert [record.args[1] for record in caplog.records] == [
        "default_environment",
        "not_in_environment of 'a'",
    ]


def test_a_curated_schema_with_an_error_is_refused_with_its_line(tmp_path):
    (tmp_path / "mine.pbtxt").write_text('feature {\n  name: "a"\n  type: INTEGER\n}\n')
    with pytest.raises(DataError, match=r"mine\.pbtxt:3: .*INTEGER"):
        import_schema(RawFiles(tmp_path / "mine.pbtxt"), Path(tmp_path))


def test_a_folder_without_a_schema_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"schema\.pbtxt: expected a schema\.pbtxt"):
        import_schema(RawFiles(tmp_path), Path(tmp_path))
