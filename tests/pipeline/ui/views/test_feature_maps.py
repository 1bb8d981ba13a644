"""The page on which a picture is chosen whose feature maps are drawn."""

import numpy as np
import pytest

from millrace.components.artifacts import Analysis, TrainedModel
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.pipeline.errors import PipelineError
from millrace.pipeline.ui import feature_maps

SPEC = ImageSpec(("ant", "bee"), 4, 4, 1)


def _row(light):
    return {"image": np.full(16, light, np.uint8).tobytes(), "label": [light % 2]}


@pytest.fixture
def model(shelf):
    """The number of a model, with the pictures that it was trained on and their analysis."""
    analysis = shelf.add(Analysis, "analyze", lambda it: specs.write(SPEC, it.file))
    splits = {"train": [_row(1)], "eval": [_row(20), _row(31)]}
    examples = shelf.examples("transform", **splits)
    inputs = {"examples": examples, "analysis": analysis}

    def write(artifact):
        artifact.keras_file.parent.mkdir()
        artifact.keras_file.write_bytes(b"")

    return shelf.add(TrainedModel, "trainer", write, **inputs)


@pytest.fixture
def asked(monkeypatch):
    """What was to be drawn."""
    found = []

    def drawn(wanted):
        found.append(wanted)
        return [{"name": "01-a.png", "caption": "<b>a</b>", "data": "data:image/png;base64,AA=="}]

    monkeypatch.setattr(feature_maps, "drawn", drawn)
    return found


def test_looking_shows_pictures_to_choose_and_draws_nothing(pages, model, asked):
    shown = pages.json(f"artifacts/{model}/maps")
    assert (shown["split"], shown["chosen"], shown["maps"]) == ("eval", "0-0", [])
    assert [(one["place"], one["caption"]) for one in shown["pictures"]] == [
        ("0-0", "ant"),
        ("0-1", "bee"),
    ]
    assert pages.json(f"artifacts/{model}/maps?split=train&place=0-0")["split"] == "train"
    assert pages.get(f"artifacts/{model}/maps?place=0-1").count('value="0-1" checked') == 1
    assert pages.json(f"artifacts/{model}")["content"]["maps_page"] == (
        f"/mill/artifacts/{model}/maps"
    )
    assert asked == []


def test_a_record_that_is_chosen_is_drawn(pages, model, asked):
    page = f"artifacts/{model}/maps"
    status, _, text = pages.post(page, page, split="eval", place="0-1")
    assert status == 200
    (wanted,) = asked
    assert (wanted.picture, wanted.is_file) == (bytes([31]) * 16, False)
    assert "Maps of record 0-1 of eval" in text
    assert "&lt;b&gt;a&lt;/b&gt;" in text
    assert 'value="0-1" checked' in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"split": "eval", "place": "0-9"}, "Record 0-9 of split &#39;eval&#39;: there is none."),
        ({"split": "eval", "place": "x"}, "expected two numbers"),
    ],
)
def test_a_record_that_is_not_there_is_said_on_the_page(pages, model, asked, fields, said):
    page = f"artifacts/{model}/maps"
    status, _, text = pages.post(page, page, **fields)
    assert (status, asked) == (200, [])
    assert said in text


def test_a_failure_is_said_on_the_page(pages, model, monkeypatch):
    def drawn(wanted):
        raise PipelineError("expected <time>.")

    monkeypatch.setattr(feature_maps, "drawn", drawn)
    page = f"artifacts/{model}/maps"
    status, _, text = pages.post(page, page, split="eval", place="0-0")
    assert status == 200
    assert "expected &lt;time&gt;." in text


def test_maps_are_of_models_of_pictures(pages, shelf):
    number = shelf.examples(train=[{"a": [1]}])
    status, _, text = pages.ask("GET", f"/mill/artifacts/{number}/maps")
    assert status == 404
    assert "expected an image model" in text
