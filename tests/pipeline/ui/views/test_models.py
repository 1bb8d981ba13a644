"""The registry: models, their versions, and a rollback by a button."""

import pytest

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
