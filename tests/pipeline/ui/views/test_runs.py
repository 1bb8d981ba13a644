"""The page of all runs."""

import json

from millrace.pipeline.records import RunRecord
from millrace.pipeline.ui.views import runs as views


def test_runs_are_listed_the_newest_first(toy, pages):
    first, second = toy.run(), toy.run()
    shown = pages.json("runs")
    assert (shown["count"], [run["id"] for run in shown["runs"]]) == (2, [second.run, first.run])
    assert shown["runs"][0]["recipe"] == "toy"
    assert shown["runs"][0]["status"] == "done"
    assert f'<a href="/mill/runs/{first.run}">' in pages.get("runs")


def test_without_a_run_the_page_says_how_to_begin(toy, pages):
    assert "No run yet" in pages.get("runs")


def test_a_run_is_shown_with_its_verdict_figure_and_interval(toy, pages):
    result = toy.run()
    (evaluation,) = toy.root.path.glob("artifacts/judge/*")
    figures = {"metrics": {"accuracy": 0.5}, "intervals": {"accuracy": [0.4, 0.6]}}
    (evaluation / "metrics.json").write_text(json.dumps(figures))
    (shown,) = pages.json("runs")["runs"]
    assert shown["verdict"] == "blessed"
    assert shown["figure"] == {"name": "accuracy", "value": 0.5, "interval": [0.4, 0.6]}
    assert shown["page"] == f"/mill/runs/{result.run}"
    text = pages.get("runs")
    assert "(0.40 to 0.60)" in text
    assert f'name="run" value="{result.run}"' in text


def test_runs_are_filtered_sorted_and_searched_by_the_address(toy, pages):
    good, bad = toy.run(), toy.run("judge.bless=no", "train.epochs=2")
    toy.store.tag(bad.run, ["look"], note="worse")

    def found(query):
        return [run["id"] for run in pages.json(f"runs?{query}")["runs"]]

    assert found("verdict=not+blessed") == found("tag=look") == found("text=worse") == [bad.run]
    assert found("sort=started") == [good.run, bad.run]
    assert found("sort=nonsense&page=-1") == [bad.run, good.run]
    assert found("recipe=none") == []
    assert "No run fits" in pages.get("runs?recipe=none")


def test_further_runs_are_on_further_pages_whose_addresses_keep_the_filters(
    toy, pages, monkeypatch
):
    monkeypatch.setattr(views, "MOST", 1)
    first, second = toy.run(), toy.run()
    shown = pages.json("runs?model=toy")
    assert ([run["id"] for run in shown["runs"]], shown["pages"]) == ([second.run], 2)
    assert (shown["earlier"], shown["later"]) == ("", "?model=toy&page=2")
    shown = pages.json("runs?model=toy&page=2")
    assert [run["id"] for run in shown["runs"]] == [first.run]
    assert (shown["earlier"], shown["later"]) == ("?model=toy", "")


def test_the_head_of_a_column_turns_the_order_round(toy, pages):
    shown = pages.json("runs?sort=-figure&page=3")["sorts"]
    assert shown["figure"] == {"address": "?sort=figure", "state": "descending"}
    assert shown["seconds"] == {"address": "?sort=-seconds", "state": "none"}
    assert shown["recipe"]["address"] == "?sort=recipe"


def test_the_spans_of_a_pattern_are_named_and_of_plain_data_none():
    def shown(**arguments):
        return views.data_of(RunRecord(arguments=arguments))

    pattern = "/d/{YYYY}-{MM}.csv"
    command = "millrace run tabular --spans=latest:7"
    assert shown(data=pattern, command=command)["spans"] == "latest:7"
    assert shown(data=pattern, command="millrace run")["spans"] == "latest"
    assert shown(data="/d/a.csv", command="")["spans"] == ""
    assert shown(data="/d/a.csv")["data_name"] == "a.csv"


def test_what_a_person_wrote_is_escaped(toy, pages):
    result = toy.run()
    toy.store.tag(result.run, note="<script>alert(1)</script>")
    text = pages.get("runs?text=%3Cscript%3E")
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
