"""The kin of an artifact on a page, and the search for one."""

from tests.pipeline.test_pushed import _push


def test_an_artifact_stands_among_its_kin_with_a_link_to_each(toy, pages):
    result = _push(toy, 7)
    shown = pages.json("lineage/train")
    assert [one["title"] for one in shown["boxes"]] == [
        *("RawFiles", "Examples", "Model", "Evaluation", "PushedModel"),
    ]
    number = shown["artifact"]["number"]
    assert [one["state"] for one in shown["boxes"]] == ["", "", "chosen", "", ""]
    assert shown["boxes"][0]["text"] == "data"
    assert [one["uri"] for one in shown["sources"]] == [str(toy.data)]
    text = pages.get(f"lineage/{number}")
    assert f'<a href="/mill/artifacts/{shown["boxes"][1]["name"]}">' in text
    assert f'<a href="/mill/runs/{result.run}">' in text


def test_which_models_saw_some_data_and_as_what_they_were_pushed(toy, pages):
    _push(toy, 7)
    (one,) = pages.json("lineage/read")["models"]
    assert (one["step"], one["pushed"]) == ("train", {"model": "toy", "version": 7})
    assert '<a href="/mill/models/toy">toy</a> 7' in pages.get("lineage/read")


def test_artifacts_are_found_by_a_part_of_their_path(toy, pages):
    result = toy.run()
    uri = str(result.artifacts["train"].path)
    shown = pages.json(f"lineage?q={uri[-30:]}")
    assert [one["uri"] for one in shown["found"]] == [uri]
    assert f'value="{uri[-30:]}"' in pages.get(f"lineage?q={uri[-30:]}")
    assert "Nothing here has <code>n&lt;b&gt;" in pages.get("lineage?q=n%3Cb%3E")


def test_without_a_search_one_begins_with_the_newest_models_and_data(toy, pages):
    toy.run()
    begin = pages.json("lineage")["begin"]
    assert [one["step"] for one in begin["Models"]] == ["train"]
    assert [one["uri"] for one in begin["Data"]] == [str(toy.data)]


def test_an_artifact_that_is_not_there_has_no_lineage(toy, pages):
    toy.run()
    status, _, text = pages.ask("GET", "/mill/lineage/999")
    assert (status, "one that the store does not know" in text) == (404, True)
