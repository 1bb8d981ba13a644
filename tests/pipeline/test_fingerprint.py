"""Keys change with what changes the answer and with nothing else."""

import sys

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from components import source_code
from pipeline.fingerprint import (
    Ingredients,
    content_digest,
    ingredients,
    named_files,
    named_modules,
)


def test_a_folder_keeps_its_digest_when_it_moves_and_loses_it_when_a_name_changes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    before = content_digest(Path(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_digest(Path(tmp_path / "b")) == before
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert content_digest(Path(tmp_path / "b")) != before


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.integers()), st.data())
def test_the_order_of_options_does_not_change_the_key(options, data):
    shuffled = dict(data.draw(st.permutations(list(options.items()))))
    assert Ingredients(options, {}, {}, {}).key == Ingredients(shuffled, {}, {}, {}).key


def test_each_ingredient_changes_the_key():
    keys = {
        Ingredients({}, {}, {}, {}).key,
        Ingredients({"a": 1}, {}, {}, {}).key,
        Ingredients({}, {"a": "1"}, {}, {}).key,
        Ingredients({}, {}, {"a": "1"}, {}).key,
        Ingredients({}, {}, {}, {"a": "1"}).key,
    }
    assert len(keys) == 5


def test_the_ingredients_of_a_step_name_its_libraries_and_modules(toy):
    parts = ingredients(toy.dag().find("train"), {"examples": "d"})
    assert set(parts.versions) == {"tensorflow", "keras", "apache-beam"}
    assert "components.artifacts" in parts.code
    assert "pipeline.runner" not in parts.code
    assert parts.options["model"] == {"kind": "small", "width": 1}


def test_modules_are_named_anywhere_in_the_options():
    options = {
        "model": {"kind": "custom", "function": "mine.model:build", "settings": {"units": 3}},
        "dataset": "tfds:3",
        "columns": ["a.b:clean", 7, None, "a:b:c", "plain"],
    }
    assert list(named_modules(options)) == ["mine.model", "a.b"]


def test_files_and_saved_models_are_named_anywhere_in_the_options(tmp_path):
    weights, backbone, root = tmp_path / "w.h5", tmp_path / "backbone", tmp_path / "serving"
    weights.write_text("")
    for folder in (backbone, root):
        folder.mkdir()
    (backbone / "saved_model.pb").write_text("")
    options = {"model": {"weights": str(weights), "folders": [str(backbone), str(root)]}, "n": 1}
    assert list(named_files(options)) == [str(weights), str(backbone)]


def test_other_content_of_a_named_file_is_another_key(toy, tmp_path):
    weights = tmp_path / "w.h5"
    step = toy.dag().find("train")
    step.options["weights"] = {}
    before = ingredients(step, {}).key
    keys = set()
    for content in ("one", "other"):
        weights.write_text(content)
        step.options["note"] = str(weights)
        step.signature.options["note"] = (str, "")
        keys.add(ingredients(step, {}).key)
    assert len(keys | {before}) == 3


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes the user's module `own_code` and forgets what was read of it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source):
        (tmp_path / "own_code.py").write_text(source)
        source_code.forget()

    yield write
    source_code.forget()
    sys.modules.pop("own_code", None)


def test_editing_a_function_that_an_option_names_reruns_that_step_alone(toy, own):
    setting = "train.note=own_code:f"
    own("def f():\n    return 1\n")
    assert set(toy.statuses(toy.run(setting)).values()) == {"ran"}
    own("def f():\n    return 1  # the same\n")
    assert set(toy.statuses(toy.run(setting)).values()) == {"cached"}
    own("def f():\n    return 2\n")
    again = toy.statuses(toy.run(setting))
    assert {step for step, status in again.items() if status == "ran"} == {"train"}
    assert toy.observer.reasons["train"] == ["code changed in own_code"]
