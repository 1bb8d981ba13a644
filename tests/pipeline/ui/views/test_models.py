"""The registry: models, their versions; a rollback, a push and labels by buttons."""

import json

import pytest

from millrace.pipeline import registry, starting
from tests.pipeline.test_pushed import _push


def test_models_are_listed_with_what_is_served_of_each(toy, pages):
    result = _push(toy, 1795982205)
    (toy.root.serving / "other" / "3").mkdir(parents=True)
    other, known = pages.json("models")["models"]
    assert (other["name"], other["served"]["run"], other["served"]["pushed"]) == (
        "other",
        None,
        None,
    )
    assert (known["name"], known["served"]["run"]) == ("toy", result.run)
    assert known["served"]["pushed"] == "2026-11-29T19:56:45"
    assert known["served"]["metrics"] == [{"name": "accuracy", "value": 0.5, "interval": None}]
    text = pages.get("models")
    assert '<a href="/mill/models/toy">toy</a>' in text
    assert "29 Nov 2026, 19:56 UTC" in text


def test_without_a_model_the_page_says_how_one_comes_there(toy, pages):
    assert "No model has been pushed yet" in pages.get("models")


def test_versions_have_their_verdict_and_lead_to_their_run_and_lineage(toy, pages):
    result = _push(toy, 1)
    (one,) = pages.json("models/toy")["versions"]
    assert (one["blessed"], one["reasons"]) == (True, ["told so"])
    assert one["run_page"] == f"/mill/runs/{result.run}"
    assert f'<a href="{one["lineage"]}">lineage</a>' in pages.get("models/toy")
    assert "There is no version to go back to" in pages.get("models/toy")


def test_a_damaged_verdict_is_said_on_the_page(toy, pages):
    result = _push(toy, 1)
    (result.artifacts["judge"].path / "metrics.json").write_text("[")
    (one,) = pages.json("models/toy")["versions"]
    assert "metrics.json" in one["damage"]
    assert "cannot be read" in pages.get("models/toy")


def test_a_rollback_withdraws_the_newest_version_and_says_so(toy, pages):
    for version in (1, 2):
        _push(toy, version, f"train.epochs={version}")
    status, headers, _ = pages.post("models/toy/rollback", page="models/toy", version=2)
    assert status == 303
    assert headers["Location"] == "/mill/models/toy?withdrawn=2&serving=1"
    folder = toy.root.serving / "toy"
    assert (folder / ".withdrawn" / "2").is_dir()
    assert not (folder / "2").exists()
    text = pages.get("models/toy?withdrawn=2&serving=1")
    assert "Version 2 was withdrawn. Servers now take version 1." in text


@pytest.mark.parametrize("version", [1, "", "x"])
def test_a_rollback_of_what_is_not_the_newest_any_more_is_refused(toy, pages, version):
    for number in (1, 2):
        _push(toy, number, f"train.epochs={number}")
    status, _, text = pages.post("models/toy/rollback", page="models/toy", version=version)
    assert status == 404
    assert "It has changed meanwhile: look again" in text
    assert (toy.root.serving / "toy" / "2").exists()


def test_a_rollback_without_the_forms_secret_or_of_another_site_is_refused(toy, pages):
    for number in (1, 2):
        _push(toy, number, f"train.epochs={number}")
    address = "/mill/models/toy/rollback"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert pages.ask("POST", address, "version=2", Origin=pages.origin, **kind)[0] == 403
    assert pages.ask("POST", address, "version=2", Origin="http://evil.example", **kind)[0] == 403
    assert (toy.root.serving / "toy" / "2").exists()


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e%2froot"])
def test_a_model_that_is_not_there_has_no_page(toy, pages, name):
    assert pages.ask("GET", f"/mill/models/{name}")[0] == 404


def test_a_rollback_is_not_told_of_by_numbers_that_are_none(toy, pages):
    _push(toy, 1)
    assert pages.json("models/toy?withdrawn=<b>&serving=1")["done"] is None


def test_a_version_is_pushed_again_by_a_run_whose_page_is_shown(toy, pages, monkeypatch):
    started = []

    def start(store, root, words):
        started.append(words)
        return "r9"

    monkeypatch.setattr(starting, "start", start)
    for version in (1, 2):
        _push(toy, version, f"train.epochs={version}")
    assert pages.json("models/toy")["can_be_pushed"] == [1]
    assert '<select name="version"><option>1</option></select>' in pages.get("models/toy")
    status, headers, _ = pages.post("models/toy/push", page="models/toy", version=1)
    assert (status, headers["Location"]) == (303, "/mill/runs/r9")
    assert started == [["push", "toy", "1", "--root", toy.root.name]]


@pytest.mark.parametrize("version", ["", "3", "--help", "latest"])
def test_only_versions_of_the_model_are_pushed_by_the_button(toy, pages, version):
    _push(toy, 1)
    status, _, text = pages.post("models/toy/push", page="models/toy", version=version)
    assert (status, "expected one of its versions. Received: " in text) == (404, True)


def test_a_version_that_was_not_blessed_is_not_offered(toy, pages):
    _push(toy, 1, "judge.bless=false")
    _push(toy, 2, "train.epochs=2")
    assert pages.json("models/toy")["can_be_pushed"] == []
    assert "Push again…" not in pages.get("models/toy")


def test_labels_are_given_and_taken_away_by_buttons(toy, pages):
    for version in (1, 2):
        _push(toy, version, f"train.epochs={version}")
    post = {"path": "models/toy/label", "page": "models/toy"}
    status, headers, _ = pages.post(**post, label="stable", version=1)
    assert (status, headers["Location"]) == (303, "/mill/models/toy#labels")
    shown = pages.json("models/toy")
    assert shown["labels"] == registry.labels(toy.root, "toy") == {"stable": 1}
    assert [one["labels"] for one in shown["versions"]] == [[], ["stable"]]
    assert "names version 1" in pages.get("models/toy")
    pages.post(**post, label="stable", version="")
    assert registry.labels(toy.root, "toy") == {}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"label": "a b", "version": 1}, "expected a word of letters"),
        ({"label": "<b>", "version": 1}, "label &#39;&lt;b&gt;&#39;: expected a word"),
        ({"label": "a", "version": 9}, "expected a version that is there: 1. Received: 9"),
        ({"label": "a", "version": "x"}, "expected one of its versions. Received: x"),
        ({"label": "a", "version": ""}, "expected one of its labels to remove: it has none"),
    ],
)
def test_a_label_that_is_wrong_is_refused_in_words(toy, pages, fields, told):
    _push(toy, 1)
    status, _, text = pages.post("models/toy/label", page="models/toy", **fields)
    assert (status, told in text) == (404, True)


@pytest.mark.parametrize("action", ["push", "label"])
def test_no_button_works_without_the_forms_secret(toy, pages, action):
    _push(toy, 1)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "version=1&label=stable"
    address = f"/mill/models/toy/{action}"
    assert pages.ask("POST", address, body, Origin=pages.origin, **kind)[0] == 403
    assert json.loads(pages.ask("GET", "/mill/models/toy.json")[2])["labels"] == {}
