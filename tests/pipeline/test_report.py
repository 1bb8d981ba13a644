"""A run told to programs and to a terminal."""

import json

import pytest
from etils.epath import Path

from millrace.components.artifacts import Anomalies, Evaluation, InferenceResult, PushedModel
from millrace.pipeline import report
from millrace.pipeline.results import RunResult, StepResult
from millrace.pipeline.root import Root
from millrace.serving import remote


def test_the_json_has_the_steps_the_metrics_and_the_verdict(toy):
    result = toy.run()
    told = report.result_json(result, "toy")
    assert (told["run"], told["recipe"], told["status"]) == (result.run, "toy", "done")
    assert [step["step"] for step in told["steps"]] == [
        "read",
        "count",
        "validate",
        "train",
        "judge",
    ]
    assert told["metrics"] == {"accuracy": 0.5}
    assert told["blessed"] is True
    assert (told["baseline"], told["reasons"]) == (None, ["told so"])
    assert told["pushed"] is None


def beside_a_baseline(folder):
    """A run whose model is worse than the last blessed one."""
    figures = {"accuracy": 0.786, "loss": 0.5}
    found = {"metrics": figures, "baseline": {"metrics": {"accuracy": 1.0}}}
    (folder / "metrics.json").write_text(json.dumps(found))
    evaluation = Evaluation(Path(folder)).write_verdict(
        blessed=False, reasons=["was 1.000, now 0.786"]
    )
    return RunResult("r", "done", (), {"evaluator": evaluation})


def test_the_last_blessed_models_figures_are_told_beside(toy, tmp_path):
    result = beside_a_baseline(tmp_path)
    lines = list(report.closing_lines(toy.root, result, ""))
    assert "metrics accuracy 0.786 (was 1)  loss 0.5" in lines
    assert "verdict not blessed: was 1.000, now 0.786" in lines
    told = report.result_json(result, "toy")
    assert told["metrics"] == {"accuracy": 0.786, "loss": 0.5}
    assert (told["baseline"], told["reasons"]) == ({"accuracy": 1.0}, ["was 1.000, now 0.786"])


COLUMNS = {"age": 0.31, "b": 0.2, "c": 0.1, "d": 0.05, "e": 0.01, "f": 0.001}
WORDS = [
    {"word": word, "push": push} for word, push in zip("abcd", (0.1, 0.4, 0.2, 0.3), strict=True)
]


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (
            {"metric": "loss", "columns": [{"name": n, "worse": w} for n, w in COLUMNS.items()]},
            "age +0.31, b +0.2, c +0.1, d +0.05, e +0.01 (loss where its values are shuffled)",
        ),
        ({"metric": "mae", "columns": [{"name": "noise", "worse": -0.1}]}, ""),
        (
            {"classes": {"ham": WORDS, "none": [], "spam": WORDS[:1], "x": WORDS, "y": WORDS}},
            "ham: b, d, c; spam: a; x: b, d, c",
        ),
        ({"pictures": []}, ""),
    ],
)
def test_what_the_model_goes_by_is_told_in_a_line(toy, tmp_path, why, told):
    result = beside_a_baseline(tmp_path)
    [evaluation] = result.artifacts.values()
    assert report.goes_by(evaluation) == ""
    (tmp_path / "why.json").write_text(json.dumps(why))
    assert report.goes_by(evaluation) == told
    lines = list(report.closing_lines(toy.root, result, ""))
    assert [line for line in lines if line.startswith("goes by")] == (
        [f"goes by {told}"] if told else []
    )


@pytest.mark.parametrize(
    ("default", "option"), [("root", ""), ("other", " --root '{root}'"), (None, " --root '{root}'")]
)
def test_what_to_run_next_names_the_root_where_the_command_would_look_elsewhere(
    tmp_path, monkeypatch, default, option
):
    folder = tmp_path / "a root"
    version = folder / "serving" / "toy" / "1"
    version.mkdir(parents=True)
    monkeypatch.delenv("MILLRACE_ROOT", raising=False)
    if default:
        monkeypatch.setenv("MILLRACE_ROOT", str(folder if default == "root" else tmp_path))
    pushed = PushedModel(Path(tmp_path)).write_push(
        model="toy", version=1, folder=str(version), reason="pushed"
    )
    result = RunResult("r", "done", (), {"pusher": pushed})
    there = option.format(root=folder)
    assert list(report.closing_lines(Root(folder), result, ""))[-2:] == [
        f"next    millrace predict toy --sample 5{there}",
        f"        millrace serve{there}, millrace explain latest{there}, millrace --help",
    ]


def test_a_failure_closes_with_its_cause_log_and_the_command_that_resumes_it(toy):
    result = toy.run("train.fail=data")
    lines = list(report.closing_lines(toy.root, result, "millrace run toy"))
    assert "train failed: train: expected text. Received: none. Add some." in lines
    assert f"log     {toy.root.log(result.run, 'train')}" in lines
    assert "resume  millrace run toy" in lines


def test_after_a_wrong_option_the_same_command_is_no_advice(toy):
    result = toy.run("train.fail=option")
    lines = list(report.closing_lines(toy.root, result, "millrace run toy"))
    assert "train failed: train.fail: expected no. Received: option. Set it." in lines
    assert not any(line.startswith("resume") for line in lines)


def test_after_data_that_an_ingest_refuses_the_same_command_is_no_advice(toy):
    (toy.data / "a.txt").write_text("refused")
    result = toy.run()
    assert [step.can_resume for step in result.steps if step.status == "failed"] == [False]


def test_anomalies_that_stopped_the_run_are_listed(toy):
    toy.run()
    (toy.data / "b.txt").write_text("d")
    result = toy.run(fail_on_anomaly=True)
    lines = list(report.closing_lines(toy.root, result, ""))
    assert "anomaly train text: count" in lines


def test_a_recorded_run_is_told_with_its_artifacts(toy):
    result = toy.run()
    with toy.store.session() as session:
        record = toy.store.find_run(session, result.run)
        statuses = toy.store.step_statuses(session, record, toy.root)
        told = report.run_json(record, toy.store.status(session, record, toy.root), statuses)
    assert told["steps"][0]["artifact"].startswith("Examples #")
    assert told["steps"][0]["properties"] == {"train": 3, "rejected": 0}
    assert told["command"] == "millrace run toy"


def test_a_run_that_compares_closes_with_each_distance_and_what_is_wrong(toy, tmp_path):
    anomalies = Anomalies(Path(tmp_path))
    measured = {"split": "serving", "feature": "town", "comparator": "skew", "kind": "L_INFTY"}
    far = {**measured, "value": 0.51, "threshold": 0.1}
    near = {**measured, "feature": "area", "value": 0.01, "threshold": 0.1}
    wrong = {"split": "serving", "feature": "town", "kind": "X", "description": "Too far."}
    result = RunResult("r", "done", (), {"skew_validator": anomalies})

    def closing():
        return list(report.closing_lines(toy.root, result, ""))[1:-1]

    anomalies.write([wrong], [far, near])
    assert closing() == [
        "skew    serving town: 0.51, OVER 0.1 (L-infinity)",
        "skew    serving area: 0.01, within 0.1 (L-infinity)",
        "anomaly serving town: Too far.",
    ]
    told = report.result_json(result, "skew")
    assert (told["anomalies"], told["distances"]) == ([wrong], [far, near])
    anomalies.write([], [near])
    assert closing()[-1] == "anomaly none; 1 feature could be compared"
    anomalies.write([], [])
    assert closing() == ["anomaly none; 0 features could be compared"]


def test_predictions_in_an_object_store_are_named_where_they_lie(toy):
    predictions = InferenceResult(remote.mirror("s3://b/root/artifacts/infer/1"))
    result = RunResult("r", "done", (), {"infer": predictions})
    lines = list(report.closing_lines(toy.root, result, ""))
    assert "output  s3://b/root/artifacts/infer/1" in lines


def test_a_run_that_failed_later_says_nothing_of_anomalies_there_are_not(toy, tmp_path):
    anomalies = Anomalies(Path(tmp_path))
    anomalies.write([], [])
    failed = StepResult("analyze", "failed", 0.1, error="no column")
    result = RunResult("r", "failed", (failed,), {"example_validator": anomalies})
    lines = list(report.closing_lines(toy.root, result, "millrace run toy"))
    assert lines[1] == "analyze failed: no column"
    assert not [line for line in lines if line.startswith("anomaly")]
