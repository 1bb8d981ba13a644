"""Runs beside one another."""

import json

import pytest
from etils.epath import Path
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.artifacts import Evaluation, Examples, Statistics, TrainedModel
from millrace.pipeline.dag import Dag, Source
from tests.pipeline import toys

CELL = "Split-test/data_tfrecord-00000-of-00001.gz, record {}"


def fit(examples: Examples, out: Path, *, epochs: int = 2) -> TrainedModel:
    """Write a history in which the loss is one over the epoch."""
    rows = [f"{epoch},{1 / epoch},{2 / epoch}" for epoch in range(1, epochs + 1)]
    (out / "history.csv").write_text("\n".join(["epoch,loss,val_loss", *rows, ""]))
    return TrainedModel(out)


def tell(examples: Examples, out: Path, *, high: float = 1.0) -> Statistics:
    """Write that numbers lie between 0 and `high`."""
    listed = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = listed.datasets.add(num_examples=4)
    feature = dataset.features.add(name="x", type=1)
    feature.num_stats.common_stats.tot_num_values = 4
    histogram = feature.num_stats.histograms.add()
    histogram.buckets.add(low_value=0, high_value=high, sample_count=4)
    statistics = Statistics(out)
    statistics.split_path("train").mkdir()
    statistics.file("train").write_bytes(listed.SerializeToString())
    return statistics


def judge(
    examples: Examples,
    model: TrainedModel,
    out: Path,
    *,
    wrong: tuple[int, ...] = (),
    listed: int = 9,
) -> Evaluation:
    """Say that these of ten rows were answered wrongly; list some of them."""
    accuracy = 1 - len(wrong) / 10
    metrics = {
        "split": "test",
        "count": 10,
        "metrics": {"accuracy": accuracy},
        "intervals": {"accuracy": [accuracy - 0.1, accuracy + 0.1]},
    }
    rows = [
        {
            "split": "test",
            "filename": f"<{number}>.png",
            "position": CELL.format(number),
            "truth": "ant",
            "answer": "bee",
            "score": 0.75,
        }
        for number in wrong[:listed]
    ]
    (out / "metrics.json").write_text(json.dumps(metrics))
    (out / "mistakes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cells = [[0, 1, len(wrong)]]
    (out / "confusion.json").write_text(json.dumps({"classes": ["ant", "bee"], "cells": cells}))
    return Evaluation(out).write_verdict(blessed=True, reasons=[])


@pytest.fixture
def run(toy):
    """A run that comes to an evaluation, set as told."""

    def run(*settings):
        dag = Dag("compared")
        examples = dag.step(toys.read, source=Source(str(toy.data)))
        dag.step(tell, examples=examples)
        model = dag.step(fit, examples=examples)
        dag.step(judge, examples=examples, model=model)
        dag.configure(settings)
        return toy.carry_out(dag).run

    return run


@pytest.fixture
def compare(pages):
    return lambda *runs: pages.json("compare?" + "&".join(f"run={run}" for run in runs))


def test_only_the_options_that_differ_are_told(run, compare):
    shown = compare(run(), run("fit.epochs=3"))
    assert shown["options"] == {
        "rows": [{"option": "fit.epochs", "values": ["2", "3"]}],
        "steps": [],
    }
    assert [each["letter"] for each in shown["runs"]] == ["A", "B"]
    assert shown["code"] == {"modules": [], "count": 0, "versions": [], "commits": []}


def test_steps_that_only_one_has_are_told(toy, run, compare):
    shown = compare(toy.run().run, run())
    assert {"step": "train", "runs": ["A"]} in shown["options"]["steps"]
    assert {"step": "fit", "runs": ["B"]} in shown["options"]["steps"]


def test_figures_stand_side_by_side_with_their_intervals_and_the_change(run, compare):
    shown = compare(run("judge.wrong=1,2"), run("judge.wrong=1"))["figures"]
    (accuracy,) = shown["rows"]
    assert [each["value"] for each in accuracy["values"]] == [0.8, 0.9]
    assert accuracy["values"][0]["interval"] == [pytest.approx(0.7), pytest.approx(0.9)]
    assert accuracy["change"] == pytest.approx(0.1)
    assert shown["same_rows"] is True
    assert shown["judged"] == ["10 rows of test", "10 rows of test"]


def test_data_that_changed_between_them_is_said(toy, run, compare):
    first = run()
    (toy.data / "a.txt").write_text("other")
    shown = compare(first, run())
    assert shown["data"]["is_same"] is False
    assert shown["figures"]["same_rows"] is False
    assert "different records" in shown["rows"]["problem"]


def test_learning_curves_lie_over_one_another(run, compare):
    (loss,) = compare(run(), run("fit.epochs=3"))["curves"]
    assert loss["metric"] == "loss"
    assert loss["lines"] == [
        {"name": "A, validation", "x": [1, 2], "y": [2, 1]},
        {"name": "B, validation", "x": [1, 2, 3], "y": [2, 1, 2 / 3]},
    ]


def test_rows_that_one_has_right_and_the_other_wrong_are_listed_and_linked(run, compare, pages):
    runs = run("judge.wrong=1,2,3"), run("judge.wrong=3,4")
    shown = compare(*runs)["rows"]
    first, second = shown["sides"]
    assert (first["right"], first["wrong"], first["count"], first["is_whole"]) == (
        "A",
        "B",
        1,
        True,
    )
    assert [row["filename"] for row in first["rows"]] == ["<4>.png"]
    assert first["rows"][0]["page"].endswith("/records/test/0-4")
    assert [row["filename"] for row in second["rows"]] == ["<1>.png", "<2>.png"]
    assert shown["both"] == 1
    text = pages.get(f"compare?run={runs[0]}&run={runs[1]}")
    assert "&lt;4&gt;.png" in text
    assert "<4>" not in text


def test_a_list_that_is_not_whole_says_what_would_make_it_so(run, compare, pages):
    runs = run("judge.wrong=1,2,3", "judge.listed=2"), run("judge.wrong=4")
    first = compare(*runs)["rows"]["sides"][0]
    assert (first["is_whole"], first["listed"], first["mistakes"]) == (False, 2, 3)
    assert "evaluator.mistakes=3" in pages.get(f"compare?run={runs[0]}&run={runs[1]}")


def test_confusion_matrices_stand_side_by_side(run, compare):
    shown = compare(run("judge.wrong=1"), run("judge.wrong=1,2"))["confusions"]
    assert [(each["letter"], each["cells"]) for each in shown] == [
        ("A", [[0, 1, 1]]),
        ("B", [[0, 1, 2]]),
    ]


def test_drift_is_told_by_feature(run, compare):
    same = compare(run(), run("fit.epochs=3"))["drift"]
    assert same["problem"] == "The statistics of both are the same."
    drift = compare(run(), run("tell.high=2"))["drift"]
    (x,) = drift["rows"]
    # Of A all lies in the lower half, of B a half: JSD of (1, 0) and (1/2, 1/2).
    assert (x["feature"], x["distance"]) == ("x", pytest.approx(0.3112781))
    assert x["histograms"] == {"A": [[0, 1, 4]], "B": [[0, 2, 4]]}


def test_files_that_are_gone_or_damaged_leave_the_rest_to_be_seen(toy, run, compare):
    runs = run(), run("judge.wrong=1", "fit.epochs=3")
    for file in toy.root.path.glob("artifacts/*/*/*.*"):
        file.write_text("{")
    for file in toy.root.path.glob("artifacts/tell/*/*/*"):
        file.unlink()
    shown = compare(*runs)
    assert shown["curves"] == shown["confusions"] == []
    assert shown["rows"]["problem"] == "One of them has no evaluation that can be read."
    assert [each["value"] for each in shown["figures"]["rows"][0]["values"]] == [1.0, 0.9]


@pytest.mark.parametrize(
    "query",
    ["", "?run=latest", "?run=latest&run=latest", "?" + "&".join(f"run={n}" for n in range(7))],
)
def test_too_few_and_too_many_runs_are_refused_with_the_fix(run, pages, query):
    run()
    status, _, text = pages.ask("GET", f"/mill/compare{query}")
    assert status == 404
    assert "Tick them in the list of runs" in text
