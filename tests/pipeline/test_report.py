"""A run told to programs and to a terminal."""

from pipeline import report


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
    assert told["pushed"] is None


def test_a_failure_closes_with_its_cause_log_and_the_command_that_resumes_it(toy):
    result = toy.run("train.fail=data")
    lines = list(report.closing_lines(toy.root, result, "millrace run toy"))
    assert "train failed: train: expected text. Received: none. Add some." in lines
    assert f"log     {toy.root.log(result.run, 'train')}" in lines
    assert "resume  millrace run toy" in lines


def test_anomalies_that_stopped_the_run_are_listed(toy):
    toy.run()
    (toy.data / "b.txt").write_text("d")
    result = toy.run(fail_on_anomaly=True)
    lines = list(report.closing_lines(toy.root, result, ""))
    assert "anomaly train text: count" in lines


def test_a_recorded_run_is_told_with_its_artifacts(toy):
    result = toy.run()
    with toy.store.session() as session:
        told = report.run_json(toy.store.find_run(session, result.run))
    assert told["steps"][0]["artifact"].startswith("Examples #")
    assert told["steps"][0]["properties"] == {"train": 3, "rejected": 0}
    assert told["command"] == "millrace run toy"
