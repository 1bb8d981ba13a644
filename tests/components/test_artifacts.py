"""The names inside each artifact's folder, and the small files they keep."""

import json

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import (
    Analysis,
    Anomalies,
    Evaluation,
    Examples,
    InfraBlessing,
    Model,
    PushedModel,
    RawFiles,
    Rejected,
    Schema,
    SetAside,
    Statistics,
    TrainedModel,
)


def relative(artifact, path) -> str:
    return str(path.relative_to(artifact.path))


def test_an_artifact_is_its_path_and_its_class(tmp_path):
    raw = RawFiles(str(tmp_path))
    assert raw == RawFiles(Path(tmp_path))
    assert (raw.type_name, raw.properties(), raw.is_intact()) == ("RawFiles", {}, True)
    assert not RawFiles(tmp_path / "gone").is_intact()


def test_files_have_the_names_that_tfx_gives_them(tmp_path):
    examples, statistics = Examples(tmp_path), Statistics(tmp_path)
    assert (
        relative(examples, examples.shard("eval", 2, 10))
        == "Split-eval/data_tfrecord-00002-of-00010.gz"
    )
    assert relative(statistics, statistics.file("train")) == "Split-train/FeatureStats.pb"
    anomalies, schema = Anomalies(tmp_path), Schema(tmp_path)
    assert relative(anomalies, anomalies.file("eval")) == "Split-eval/SchemaDiff.pb"
    assert relative(schema, schema.file) == "schema.pbtxt"
    model, trained = Model(tmp_path), TrainedModel(tmp_path)
    assert relative(model, model.saved_model) == "Format-Serving"
    for one in (model, trained):
        assert relative(one, one.keras_file) == "Format-Keras/model.keras"
    assert relative(trained, trained.history_file) == "history.csv"
    assert Analysis(tmp_path).file.name == "analysis.json"


def test_splits_come_train_first_and_their_files_in_shard_order(tmp_path):
    for name in ("test", "extra", "eval", "train"):
        (tmp_path / f"Split-{name}").mkdir()
    examples = Examples(tmp_path)
    assert examples.splits == ["train", "eval", "test", "extra"]
    for index in (1, 0):
        examples.shard("test", index, 2).touch()
    assert examples.files("test") == [examples.shard("test", index, 2) for index in (0, 1)]
    assert examples.files("train") == []


@given(rejected=st.lists(st.builds(Rejected, st.text(), st.text(), st.text())))
def test_what_was_rejected_reads_back_as_it_was_written(tmp_path_factory, rejected):
    examples = Examples(tmp_path_factory.mktemp("examples"))
    examples.write_summary({"train": 8, "eval": 2}, rejected, {"found": 10})
    assert list(examples.rejected()) == rejected
    assert examples.counts == {"train": 8, "eval": 2}
    assert examples.properties() == {"train": 8, "eval": 2, "rejected": len(rejected)}
    assert examples.summary["notes"] == {"found": 10}


@given(
    some=st.lists(st.builds(Rejected, st.sampled_from("ab"), st.sampled_from("cd"), st.text())),
    others=st.lists(st.builds(Rejected, st.sampled_from("ab"), st.sampled_from("cd"), st.text())),
)
def test_what_is_set_aside_keeps_its_order_and_lines(some, others):
    found = SetAside.of(some)
    found.extend(SetAside.of(others))
    every = [*some, *others]
    assert list(found) == every
    assert len(found) == len(every)
    assert list(found.json_lines()) == [json.dumps(vars(item)) + "\n" for item in every]
    assert list(found.because("c")) == [item for item in every if item.reason == "c"]


def test_rows_of_one_source_and_reason_are_one_run_and_the_first_go_by_number():
    found = SetAside.of([Rejected("b", "no label", f"line {n}") for n in (12, 7, 100)])
    found.append(Rejected("a", "empty", "line 9"))
    assert [len(run[2]) for run in found.runs] == [3, 1]
    assert [item.position for item in found.first(3)] == ["line 9", "line 7", "line 12"]


@pytest.mark.parametrize(
    ("kind", "blessed", "marker"),
    [
        (Evaluation, True, "BLESSED"),
        (Evaluation, False, "NOT_BLESSED"),
        (InfraBlessing, True, "INFRA_BLESSED"),
        (InfraBlessing, False, "INFRA_NOT_BLESSED"),
    ],
)
def test_a_verdict_is_an_empty_marker_and_its_reasons(tmp_path, kind, blessed, marker):
    verdict = kind(tmp_path).write_verdict(blessed, ["because"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [marker, "reasons.json"]
    assert (tmp_path / marker).read_bytes() == b""
    assert (verdict.blessed, verdict.reasons) == (blessed, ["because"])


def test_an_evaluation_shows_its_verdict_and_metrics(tmp_path):
    (tmp_path / "metrics.json").write_text('{"metrics": {"accuracy": 0.5}}')
    evaluation = Evaluation(tmp_path).write_verdict(blessed=True, reasons=[])
    assert evaluation.properties() == {"blessed": True, "accuracy": 0.5}


def test_anomalies_are_counted(tmp_path):
    one = {"split": "eval", "feature": "x", "kind": "DRIFT", "description": "far"}
    Anomalies(tmp_path).write([one, one], [])
    assert Anomalies(tmp_path).properties() == {"anomalies": 2}


@pytest.fixture
def pushed(tmp_path):
    record, version = tmp_path / "record", tmp_path / "serving" / "m" / "17"
    record.mkdir()
    version.mkdir(parents=True)
    return PushedModel(record).write_push(model="m", version=17, folder=str(version), reason="")


def test_a_push_is_intact_while_its_version_lies_in_the_serving_root(pushed):
    assert pushed.properties() == {"model": "m", "version": 17}
    assert pushed.is_intact()
    assert pushed.version_path is not None
    pushed.version_path.rmdir()
    assert pushed.version_path is None
    assert not pushed.is_intact()


def test_a_push_is_no_longer_intact_once_a_newer_version_is_served(pushed):
    (pushed.version_path.parent / "9").mkdir()
    (pushed.version_path.parent / "notes").mkdir()
    assert pushed.is_intact()
    (pushed.version_path.parent / "18").mkdir()
    assert not pushed.is_intact()


def test_a_version_withdrawn_by_a_rollback_still_counts_as_pushed(pushed):
    version = pushed.version_path
    withdrawn = version.parent / ".withdrawn" / version.name
    withdrawn.parent.mkdir()
    assert pushed.outcome == str(version)
    version.rename(withdrawn)
    assert pushed.version_path is None
    assert pushed.is_intact()
    assert pushed.outcome == "version 17 was withdrawn; --force pusher pushes it again"


def test_a_push_that_was_held_back_is_intact_with_its_reason(tmp_path):
    held = PushedModel(tmp_path).write_push(model="m", version=0, folder="", reason="not blessed")
    assert held.is_intact()
    assert held.version_path is None
    assert held.outcome == "not blessed"
    assert not PushedModel(tmp_path / "gone").is_intact()
