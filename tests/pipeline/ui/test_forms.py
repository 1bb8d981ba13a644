"""What a person fills in, by what a model takes and what its data looked like."""

import datetime
import io
import json

import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.artifacts import Examples
from millrace.components.errors import DataError
from millrace.components.files.tfrecord import write_records
from millrace.components.statistics.table import FeatureRow
from millrace.pipeline import registry
from millrace.pipeline.ui import forms
from millrace.serving.example import encode
from tests.pipeline.test_predictions import SIGNATURES
from tests.pipeline.test_pushed import _push


@pytest.fixture
def epath(tmp_path):
    return Path(tmp_path)


def _of(name):
    return forms.of_signatures({one.name: one for one in SIGNATURES[name]})


def test_the_kind_of_form_follows_from_what_a_model_takes():
    assert [_of(name)["kind"] for name in SIGNATURES] == ["image", "columns", "window", "prompt"]
    assert [field["name"] for field in _of("prices")["fields"]] == ["rooms", "place"]
    assert [field["kind"] for field in _of("prices")["fields"]] == ["number", "text"]
    assert (_of("future")["steps"], _of("future")["channels"]) == (3, 1)


def test_a_generator_has_a_field_for_each_of_its_numbers():
    fields = {field["name"]: field["value"] for field in _of("poet")["fields"]}
    assert fields == {"length": "60", "temperature": "0.7", "seed": ""}


def test_few_values_of_a_column_are_choices_and_many_a_hint():
    field = forms._field("place", "text")
    row = FeatureRow("train", "place", "STRING", 9, 0, unique=2, top=(("b", 6), ("a", 3)))
    assert forms._known(field, row)["choices"] == ["a", "b"]
    assert forms._known(field, row)["value"] == "b"
    many = FeatureRow("train", "place", "STRING", 9, 0, unique=3, top=(("b", 6), ("a", 3)))
    assert (forms._known(field, many)["choices"], forms._known(field, many)["hint"]) == (
        [],
        "such as b",
    )


def test_a_number_has_its_range_and_begins_at_the_median():
    field = forms._field("rooms", "number")
    row = FeatureRow("train", "rooms", "FLOAT", 9, 0, min=1.0, median=2.5, max=8.0)
    known = forms._known(field, row)
    assert (known["value"], known["hint"]) == ("2.5", "1 to 8 in the training data")
    assert forms._known(field, None) == field
    assert forms._known(field, FeatureRow("train", "rooms", "FLOAT", 0, 9)) == field


def _pictures(folder, size, colour):
    file = io.BytesIO()
    Image.new("L", (size, size), colour).save(file, "PNG")
    examples = Examples(folder)
    examples.split_path("train").mkdir()
    record = encode({"image/encoded": file.getvalue()})
    write_records(examples.shard("train", 0, 1), [record])
    return examples


@pytest.mark.parametrize(
    ("size", "colour", "canvas"),
    [
        (8, 0, {"size": 8, "side": 280, "is_dark": True}),
        (200, 255, {"size": 280, "side": 280, "is_dark": False}),
    ],
)
def test_one_draws_as_the_training_pictures_look(epath, size, colour, canvas):
    assert forms._canvas(_pictures(epath, size, colour)) == canvas


def test_without_a_picture_nothing_tells_how_to_draw(epath):
    with pytest.raises(DataError, match="expected a record"):
        forms._canvas(Examples(epath))


def test_a_date_is_one_field_in_place_of_its_parts(epath):
    reading = {"pattern": "", "decimal": ".", "thousands": "", "mark": ""}
    dialect = {"delimiter": ",", "quote": '"', "header": True, "names": ["day", "x"]}
    dialect |= {"encoding": "utf-8", "decimal": "auto", "thousands": "", "missing": [""]}
    source = {
        "kind": "table",
        "dialect": dialect,
        "layout": {
            "readings": {
                "day": reading | {"kind": "date", "pattern": "%d-%m-%Y"},
                "x": reading | {"kind": "int"},
            },
            "dates": "parts",
        },
    }
    (epath / "source.json").write_text(json.dumps(source))
    names = ["day/month", "day/year", "x", "odd/name"]
    fields = forms._with_dates([forms._field(each, "number") for each in names], Examples(epath))
    assert [field["name"] for field in fields] == ["day", "x", "odd/name"]
    today = datetime.datetime.now(datetime.UTC).strftime("%d-%m-%Y")
    assert fields[0]["value"] == today


def test_a_model_of_a_run_has_its_form_before_any_server_is_up(toy):
    result = _push(toy, 1)
    inputs = {"inputs": {"rooms": {"dtype": "float32", "shape": [None]}}}
    description = {"signatures": {"serving_default": inputs}}
    (result.artifacts["train"].path / "model.json").write_text(json.dumps(description))
    with toy.store.session() as session:
        (one,) = registry.versions_of(session, toy.store, toy.root, "toy")
        form = forms.of_push(session, one.push)
        (result.artifacts["train"].path / "model.json").unlink()
        gone = forms.of_push(session, one.push)
    assert [field["name"] for field in form["fields"]] == ["rooms"]
    assert form["note"] is None
    assert gone is None
    assert forms.of_push(None, None) is None
