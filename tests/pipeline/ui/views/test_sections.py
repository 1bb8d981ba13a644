"""What the page of an artifact shows of what is in it, by its type."""

import io
import json

import pytest
from PIL import Image

from millrace.components.artifacts import (
    Analysis,
    Anomalies,
    Evaluation,
    Hyperparameters,
    InfraBlessing,
    LearningRate,
    Model,
    Plots,
    Rejected,
    Schema,
    Statistics,
    TrainedModel,
)
from millrace.components.features import spec as specs
from millrace.components.features.text_spec import TextSpec
from millrace.components.files import columns
from millrace.components.statistics.dataset import fold
from millrace.components.statistics.proto import Detail, to_proto
from millrace.serving.example import encode


def png(colour):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def content(pages, number, query=""):
    shown = pages.json(f"artifacts/{number}{query}")
    assert shown["problem"] == ""
    return shown["content"]


def test_records_of_a_table_stand_in_rows_from_where_they_are_asked_for(shelf, pages):
    number = shelf.examples(train=[{"price": float(n), "town": "Cork"} for n in range(30)], test=[])
    shown = content(pages, number)
    assert (shown["kind"], shown["split"], shown["columns"]) == (
        "table",
        "train",
        ["price", "town"],
    )
    assert [record["place"] for record in shown["records"]] == [f"0-{n}" for n in range(12)]
    assert shown["records"][3]["cells"]["price"] == {"kind": "plain", "text": "3"}
    assert shown["next"] == "0-12"
    last = content(pages, number, "?split=train&start=0-24")
    assert ([record["place"] for record in last["records"]][-1], last["next"]) == ("0-29", "")
    assert content(pages, number, "?split=test")["records"] == []
    assert "<td>Cork</td>" in pages.get(f"artifacts/{number}")


def test_records_are_chosen_by_the_value_of_a_feature(shelf, pages):
    rows = [{"size": n % 3, "town": f"t{n}"} for n in range(9)]
    number = shelf.examples(train=rows)
    shown = content(pages, number, "?feature=size&value=2")
    assert [record["place"] for record in shown["records"]] == ["0-2", "0-5", "0-8"]
    assert content(pages, number, "?feature=town&value=t")["records"] == []
    assert "None of the 9 records" in pages.get(f"artifacts/{number}?feature=town&value=t")


def test_pictures_are_small_with_their_class_below(shelf, pages):
    number = shelf.examples(
        train=[{"image/encoded": png("red"), "image/class/text": "<ant>", "image/class/label": 0}]
    )
    (record,) = content(pages, number)["records"]
    assert record["caption"] == "<ant>"
    assert record["cells"]["image/encoded"]["data"].startswith("data:image/png;base64,")
    page = pages.get(f"artifacts/{number}")
    assert "<span>&lt;ant&gt;</span>" in page
    assert "<ant>" not in page


def test_texts_have_their_tokens_where_the_analysis_is_at_hand(shelf, pages):
    number = shelf.examples(train=[{"text": "An Ant, unseen", "text/class/text": "a"}])
    (record,) = content(pages, number)["records"]
    assert record["cells"]["text"]["tokens"] == []
    spec = TextSpec(("a", "b"), ("ant", "an"), 4)
    made = shelf.add(Analysis, "analyze", lambda a: specs.write(spec, a.file), examples=number)
    (record,) = content(pages, number)["records"]
    assert record["cells"]["text"]["tokens"] == [
        {"text": "an", "known": True},
        {"text": "ant", "known": True},
        {"text": "unseen", "known": False},
    ]
    assert 'class="unknown"' in pages.get(f"artifacts/{number}")
    assert ["vocabulary", "2: ant, an"] in content(pages, made)["facts"]


def test_series_are_lines_over_their_time(shelf, pages):
    rows = [{"y": [float(n) for n in range(20)], "time": [0, 86400], "series": "a"}]
    (record,) = content(pages, shelf.examples(train=rows))["records"]
    assert record["cells"]["y"]["count"] == 20
    assert record["cells"]["time"] == {"kind": "plain", "text": "1970-01-01 to 1970-01-02"}


def test_a_record_has_a_page_with_all_of_it(shelf, pages):
    long = "word " * 200
    number = shelf.examples(train=[{"text": "first"}, {"text": long}])
    shown = pages.json(f"artifacts/{number}/records/train/0-1")
    assert shown["cells"]["text"]["text"] == long
    assert shown["pages"]["previous"] == f"/mill/artifacts/{number}/records/train/0-0"
    assert pages.ask("GET", f"/mill/artifacts/{number}/records/train/0-2")[0] == 404
    assert pages.ask("GET", f"/mill/artifacts/{number}/records/train/x")[0] == 404
    assert "first" in pages.get(f"artifacts/{number}/records/train/0-0")


def test_what_was_rejected_is_counted_by_its_reason(shelf, pages):
    rejected = [Rejected(f"{n}.png", "empty") for n in range(5)] + [
        Rejected("x.png", "no <picture>")
    ]
    (found,) = content(pages, shelf.examples(rejected=rejected, train=[{"x": 1.0}]))["set_aside"]
    assert (found["title"], found["count"]) == ("Rejected", 6)
    assert [(each["reason"], each["count"]) for each in found["reasons"]] == [
        ("empty", 5),
        ("no <picture>", 1),
    ]
    assert [each["source"] for each in found["reasons"][0]["first"]] == ["0.png", "1.png", "2.png"]


@pytest.fixture
def statistics(shelf):
    def write(artifact):
        for split, rows in {
            "train": [{"price": float(n), "town": "Cork"} for n in range(4)],
            "test": [{"price": 9.0, "town": "Cork"}, {"town": "Derry"}],
        }.items():
            artifact.split_path(split).mkdir()
            records = [encode(row) for row in rows]
            message = to_proto(split, fold(columns.batches(records, "f"), "f"), Detail())
            artifact.file(split).write_bytes(message.SerializeToString())

    return shelf.add(Statistics, "count", write)


def test_statistics_have_the_splits_of_a_feature_side_by_side(statistics, pages):
    price, town = content(pages, statistics)["features"]
    assert [(each["name"], each["count"], each["missing"]) for each in price["splits"]] == [
        ("train", 4, 0),
        ("test", 1, 1),
    ]
    assert price["splits"][1]["missing_share"] == 0.5
    assert [
        sum(bucket[2] for bucket in price["histograms"][name]) for name in ("train", "test")
    ] == [
        4,
        1,
    ]
    assert town["frequent"] == {
        "names": ["Cork", "Derry"],
        "series": [{"name": "train", "y": [4, 0]}, {"name": "test", "y": [1, 1]}],
    }
    page = pages.get(f"artifacts/{statistics}")
    assert "50.0 %" in page
    assert page.count("<svg") == 2
    assert "Not validated" in page


def test_many_features_are_shown_some_at_a_time(statistics, pages, monkeypatch):
    monkeypatch.setattr("millrace.pipeline.ui.contents.statistics.FEATURES", 1)
    first = content(pages, statistics)
    assert ([each["name"] for each in first["features"]], first["next"]) == (["price"], 1)
    last = pages.json(f"artifacts/{statistics}?start=1")["content"]
    assert ([each["name"] for each in last["features"]], last["next"]) == (["town"], None)


def test_what_has_drifted_comes_first_and_is_said_with_what_to_do(shelf, statistics, pages):
    kind = "COMPARATOR_L_INFTY_HIGH"
    found = [{"split": "test", "feature": "town", "kind": kind, "description": "It is <off>."}]
    distance = {"split": "test", "feature": "town", "comparator": "skew", "kind": "L_INFTY"}
    distances = [{**distance, "value": 0.5, "threshold": 0.1}]
    number = shelf.add(
        Anomalies, "check", lambda a: a.write(found, distances), statistics=statistics
    )
    features = content(pages, statistics)["features"]
    assert [(each["name"], len(each["marks"])) for each in features] == [("town", 1), ("price", 0)]
    assert "test: It is &lt;off&gt;." in pages.get(f"artifacts/{statistics}")
    shown = content(pages, number)
    assert shown["found"][0]["fix"].startswith("Compare the two histograms.")
    assert shown["distances"][0]["is_over"] is True
    assert "0.5, too far" in pages.get(f"artifacts/{number}")


def test_a_schema_is_said_in_words(shelf, pages):
    text = """
    feature {
      name: "town" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } }
      string_domain { value: "Cork" value: "Derry" }
      skew_comparator { infinity_norm { threshold: 0.1 } }
    }
    feature {
      name: "price" type: FLOAT value_count { min: 1 max: 3 } float_domain { min: 0 max: 9 }
    }
    """
    number = shelf.add(Schema, "infer", lambda a: a.file.write_text(text))
    town, price = content(pages, number)["features"]
    assert town["says"] == [
        "in every record",
        "one value",
        "one of 'Cork', 'Derry'",
        "skew of 0.1 at most (infinity norm)",
    ]
    assert price["says"] == ["may be missing", "1 to 3 values", "from 0 to 9"]


def test_training_has_its_curves_its_candidates_and_its_layers(shelf, pages):
    layers = [
        {"name": "image", "type": "InputLayer", "output_shape": [None, 8, 8], "parameters": 0},
        {"name": "scores", "type": "Dense", "output_shape": [None, 2], "parameters": 10},
    ]

    def write(artifact):
        artifact.history_file.write_text(
            "epoch,accuracy,loss,val_accuracy,val_loss\n1,0.5,2,0.5,3\n2,0.6,1,0.7,2\n3,0.7,0.5,0.6,4\n"
        )
        (artifact.path / "candidates.csv").write_text(
            "name,score,share,epochs,parameters,settings,error\nbad,,0,,,,too <large>\n"
            "small,0.5,0,1,9,a=1,\nlarge,0.25,1,2,99,a=2,\n"
        )
        described = {"name": "cnn", "layers": layers, "parameters": 10, "trainable_parameters": 10}
        (artifact.path / "model.json").write_text(json.dumps(described))

    number = shelf.add(TrainedModel, "train", write)
    shown = content(pages, number)
    assert [curve["name"] for curve in shown["history"]["curves"]] == ["loss", "accuracy"]
    assert [line["name"] for line in shown["history"]["curves"][0]["series"]] == [
        "training",
        "validation",
    ]
    assert shown["history"]["best"] == 2
    assert [each["name"] for each in shown["candidates"]] == ["large", "small", "bad"]
    assert [(each["shape"], each["share"]) for each in shown["layers"]] == [
        ("8 \N{MULTIPLICATION SIGN} 8", 0.0),
        ("2", 1.0),
    ]
    page = pages.get(f"artifacts/{number}")
    assert "too &lt;large&gt;" in page
    assert page.count("<svg") == 2


def test_a_model_says_what_it_takes_and_how_it_was_judged(shelf, pages):
    signature = {
        "method_name": "tensorflow/serving/predict",
        "inputs": {"x": {"dtype": "float32", "shape": [None, 3]}},
        "outputs": {"scores": {"dtype": "float32", "shape": [None, None]}},
    }
    described = {
        "kind": "table",
        "task": "classification",
        "classes": ["a", "<b>"],
        "parameters": 12,
        "signatures": {"serving_default": signature},
    }

    def write(artifact):
        (artifact.path / "model.json").write_text(json.dumps(described))

    model = shelf.add(Model, "export", write)
    judged = shelf.add(Evaluation, "judge", evaluation(), model=model)
    shown = content(pages, model)
    assert shown["signatures"][0]["inputs"] == [{"name": "x", "type": "float32", "shape": "3"}]
    assert shown["signatures"][0]["outputs"][0]["shape"] == "any"
    assert shown["evaluation"]["number"] == judged
    assert shown["figures"] == {"blessed": True, "accuracy": 0.75}
    assert "&lt;b&gt;" in pages.get(f"artifacts/{model}")


def evaluation(**files):
    """A function that writes an evaluation with some files beside its figures."""
    metrics = {
        "split": "test",
        "count": 4,
        "metrics": {"accuracy": 0.75},
        "intervals": {"accuracy": [0.3, 0.95]},
        "baseline": {"metrics": {"accuracy": 0.5}},
        "splits": {
            "test": {"count": 4, "metrics": {"accuracy": 0.75}},
            "eval": {"count": 2, "metrics": {"accuracy": 1.0}},
        },
    }

    def write(artifact):
        for name, text in {"metrics.json": json.dumps(metrics), **files}.items():
            (artifact.path / name).write_text(text)
        artifact.write_verdict(blessed=True, reasons=["better than <naive>"])

    return write


def test_an_evaluation_has_its_figures_beside_the_last_and_its_slices_with_intervals(shelf, pages):
    part = {"split": "test", "feature": "town", "value": "Cork", "count": 10}
    slices = [{**part, "metrics": {"accuracy": 0.5}}, {**part, "split": "eval", "metrics": {}}]
    number = shelf.add(Evaluation, "judge", evaluation(**{"slices.json": json.dumps(slices)}))
    shown = content(pages, number)
    assert shown["figures"] == [
        {"name": "accuracy", "value": 0.75, "interval": [0.3, 0.95], "was": 0.5, "others": [1.0]}
    ]
    (by_town,) = shown["slices"]
    (cork,) = by_town["rows"]
    # Wilson's interval of 5 of 10
    assert [round(end, 4) for end in cork["intervals"]["accuracy"]] == [0.2366, 0.7634]
    assert "better than &lt;naive&gt;" in pages.get(f"artifacts/{number}")


def test_a_slice_shows_the_interval_that_the_evaluation_gives_it(shelf, pages):
    part = {"split": "test", "feature": "town", "value": "Cork", "count": 10}
    slices = [{**part, "metrics": {"mae": 2.5}, "intervals": {"mae": [1.25, 3.75]}}]
    number = shelf.add(Evaluation, "judge", evaluation(**{"slices.json": json.dumps(slices)}))
    (by_town,) = content(pages, number)["slices"]
    assert (by_town["told"], by_town["rows"][0]["intervals"]) == ("mae", {"mae": [1.25, 3.75]})
    assert "1.2 to 3.8" in pages.get(f"artifacts/{number}")


def test_a_cell_of_the_confusion_matrix_opens_the_rows_behind_it(shelf, pages):
    examples = shelf.examples(test=[{"text": "zero"}, {"text": "one <b>"}])
    confusion = {
        "split": "test",
        "classes": ["a", "b"],
        "by_class": [],
        "cells": [[0, 0, 2], [1, 0, 1]],
    }
    row = {
        "split": "test",
        "filename": "f.txt",
        "position": "Split-test/data_tfrecord-00000-of-00001.gz, record 1",
        "truth": "b",
        "answer": "a",
        "score": 0.9,
        "truth_score": 0.1,
        "loss": 2.3,
    }
    other = {**row, "truth": "a", "position": ""}
    files = {
        "confusion.json": json.dumps(confusion),
        "answers.jsonl": "".join(json.dumps(each) + "\n" for each in (other, row)),
    }
    number = shelf.add(Evaluation, "judge", evaluation(**files), examples=examples)
    shown = content(pages, number)
    page = f"/mill/artifacts/{number}"
    assert shown["confusion"]["links"] == [
        [0, 0, f"{page}?truth=0&answer=0#cell"],
        [1, 0, f"{page}?truth=1&answer=0#cell"],
    ]
    assert shown["confusion"]["pairs"][0]["count"] == 1
    assert shown["cell"] is None
    cell = content(pages, number, "?truth=1&answer=0")["cell"]
    assert (cell["truth"], cell["answer"], cell["count"]) == ("b", "a", 1)
    (listed,) = cell["rows"]
    assert listed["page"] == f"/mill/artifacts/{examples}/records/test/0-1"
    assert listed["cells"]["text"]["text"] == "one <b>"
    assert "one &lt;b&gt;" in pages.get(f"artifacts/{number}?truth=1&answer=0")
    assert content(pages, number, "?truth=7&answer=0")["cell"] is None


def test_a_threshold_of_two_classes_has_its_figures(shelf, pages):
    found = {"classes": ["no", "yes"], "positive": 4, "negative": 6}
    found["rows"] = [[0.0, 4, 6], [0.5, 3, 1], [1.0, 0, 0]]
    write = evaluation(**{"thresholds.json": json.dumps(found)})
    shown = content(pages, shelf.add(Evaluation, "judge", write))["thresholds"]
    assert shown["rows"][1] == {
        "threshold": 0.5,
        "hits": 3,
        "alarms": 1,
        "misses": 1,
        "passes": 5,
        "precision": 0.75,
        "recall": 0.75,
        "f1_score": 0.75,
        "accuracy": 0.8,
    }
    assert (shown["rows"][2]["precision"], shown["rows"][2]["f1_score"]) == (None, 0.0)


def test_a_forecast_stands_against_what_came_with_its_interval_and_its_baselines(shelf, pages):
    lines = [
        "time,series,fold,target,step,actual,forecast,naive,lower_at_95,upper_at_95",
        "1970-01-02T00:00:00Z,a,0,y,1,3,2.5,2,1,4",
        "1970-01-02T00:00:00Z,a,0,y,2,9,2.5,2,1,4",
        "1970-01-01T00:00:00Z,a,0,y,1,,1.5,1,0,3",
        "1970-01-01T00:00:00Z,b,0,y,1,7,1.5,1,0,3",
    ]
    write = evaluation(**{"forecasts.csv": "\n".join(lines)})
    shown = content(pages, shelf.add(Evaluation, "judge", write))["forecasts"]
    assert shown["times"] == ["1970-01-01", "1970-01-02"]
    assert shown["actual"] == [None, 3.0]
    assert shown["forecasts"] == [
        {"name": "forecast", "y": [1.5, 2.5]},
        {"name": "naive", "y": [1.0, 2.0]},
    ]
    assert shown["intervals"] == [{"level": "95", "low": [0.0, 1.0], "high": [3.0, 4.0]}]


def test_generated_samples_stand_by_prompt_and_temperature(shelf, pages):
    text = (
        "=== split eval, prompt 'a, b', seed 0\n\n--- temperature 0\nA <b>\n\n"
        "--- temperature 0.5\nB\nC\n\n=== split test, prompt 'x', seed 0\n\n--- temperature 1\nD\n"
    )
    number = shelf.add(Evaluation, "judge", evaluation(**{"samples.txt": text}))
    shown = content(pages, number)["samples"]
    assert [(each["prompt"], each["split"]) for each in shown] == [
        ("'a, b'", "eval"),
        ("'x'", "test"),
    ]
    assert shown[0]["texts"] == [
        {"temperature": "0", "text": "A <b>"},
        {"temperature": "0.5", "text": "B\nC"},
    ]
    assert "A &lt;b&gt;" in pages.get(f"artifacts/{number}")


def test_a_rate_has_the_sweep_that_found_it_without_where_it_diverged(shelf, pages):
    def write(artifact):
        (artifact.path / "rate.json").write_text('{"rate": 0.01, "lowest_at": 0.1}')
        (artifact.path / "sweep.csv").write_text("rate,loss\n0.001,2\n0.01,1\n1,nan\n10,900\n")

    shown = content(pages, shelf.add(LearningRate, "sweep", write))
    assert shown["series"] == [
        {"name": "loss", "x": [0.001, 0.01, 1.0, 10.0], "y": [2.0, 1.0, None, None]}
    ]


def test_plots_have_the_captions_that_their_step_gave_them(shelf, pages):
    def write(artifact):
        for name in ("01-one.png", "02-two_maps.png"):
            (artifact.path / name).write_bytes(png("red"))
        artifact.write_captions({"01-one.png": "one: <b>its</b> map"})

    number = shelf.add(Plots, "maps", write)
    captions = [each["caption"] for each in content(pages, number)["pictures"]]
    assert captions == ["one: <b>its</b> map", "Two maps"]
    assert "<b>its</b>" not in pages.get(f"artifacts/{number}")


def test_a_search_and_a_trial_say_how_they_went(shelf, pages):
    best = {"settings": {"units": "8"}, "objective": "val_loss", "value": 0.5, "trial": 2}

    def write(artifact):
        artifact.write_best(best)
        (artifact.path / "trials.csv").write_text("trial,state\n1,failed\n2,complete\n")

    shown = content(pages, shelf.add(Hyperparameters, "search", write))
    assert (shown["settings"], shown["rows"]) == (
        {"units": "8"},
        [["1", "failed"], ["2", "complete"]],
    )
    number = shelf.add(
        InfraBlessing, "try", lambda a: a.write_verdict(blessed=False, reasons=["too <slow>"])
    )
    assert content(pages, number)["is_blessed"] is False
    assert "too &lt;slow&gt;" in pages.get(f"artifacts/{number}")
