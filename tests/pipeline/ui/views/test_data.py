"""The page of the data of all models."""

from millrace.pipeline.dag import Dag
from millrace.pipeline.ui.views import data
from tests.pipeline import toys


def test_of_each_model_the_newest_data_of_each_step_are_listed(toy, pages):
    toy.run()
    (toy.data / "a.txt").write_text("abcd")
    second = toy.run("read.upper=true")
    (model,) = pages.json("data")["models"]
    assert model["name"] == "toy"
    assert [(each["type"], each["step"]) for each in model["artifacts"]] == [
        ("Examples", "read"),
        ("Statistics", "count"),
        ("Anomalies", "validate"),
    ]
    assert model["artifacts"][0]["properties"] == {"train": 4, "rejected": 0}
    page = pages.json(model["artifacts"][0]["page"].removeprefix("/mill/"))
    assert page["run"] == second.run
    assert model["artifacts"][2]["properties"] == {"anomalies": 1}
    assert '<b class="wrong">1</b>' in pages.get("data")


def test_data_older_than_the_newest_runs_of_other_kinds_is_listed_too(toy, pages, monkeypatch):
    monkeypatch.setattr(data, "_RUNS", 1)
    toy.run()
    dag = Dag("toy")
    dag.step(toys.saved)
    toy.carry_out(dag)
    (model,) = pages.json("data")["models"]
    assert [each["step"] for each in model["artifacts"]] == ["read", "count", "validate"]


def test_without_data_the_page_says_so(toy, pages):
    assert "No data yet" in pages.get("data")
