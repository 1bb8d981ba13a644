"""Recipes outside the repository: named by module or by file, listed, and refused with reasons."""

import dataclasses
import sys
import textwrap

import pytest
from etils.epath import Path

from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes import catalog, own

SOURCE = """
from etils.epath import Path
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.recipes.row import Recipe
from tests.pipeline import toys

def _ingest(dag, data):
    return dag.step(toys.read, source=Source(data or "here"))

row = Recipe("mine", "text", "inside", "a row of my own", _ingest)

def counted(dag: Dag, data: str | None, serving_root: Path) -> None:
    '''Count the characters.

    And nothing else.
    '''
    examples = _ingest(dag, data)
    dag.step(toys.count, examples=examples)

def empty(dag: Dag, data: str | None, serving_root: Path) -> None:
    pass

def helper(text):
    return text

number = 7
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file of recipes; what it makes importable is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "my_recipes.py"
    path.write_text(textwrap.dedent(SOURCE))
    yield path
    sys.modules.pop("my_recipes", None)


def _refusal(reference):
    with pytest.raises(UsageError) as caught:
        catalog.find(reference)
    return str(caught.value)


def test_a_row_is_found_in_a_file_and_then_by_its_module(file):
    row = catalog.find(f"{file}:row")
    assert row.name == "mine"
    assert catalog.find("my_recipes:row") is row


def test_a_function_wires_what_it_likes(file):
    found = catalog.find(f"{file}:counted")
    dag = found.wire("name", "folder", Path("serving"))
    assert (dag.name, list(dag.steps)) == ("name", ["read", "count"])
    assert (found.name, found.kind) == ("counted", "own")
    assert found.summary == "Count the characters."


def test_a_function_without_annotations_is_taken_where_it_is_named(file):
    plain = "\n\ndef plain(dag, data, serving_root):\n    counted(dag, data, serving_root)\n"
    file.write_text(file.read_text() + plain)
    found = catalog.find(f"{file}:plain")
    assert list(found.wire("name", "folder", Path("serving")).steps) == ["read", "count"]
    assert f"{file}:plain" not in dict(own.listed(str(file)))


def test_the_recipes_of_a_module_are_listed_by_what_names_them(file):
    rows = own.listed(str(file))
    assert [name for name, _ in rows] == [f"{file}:{name}" for name in ("row", "counted", "empty")]
    assert all(catalog.find(name).summary == row.summary for name, row in rows)


def test_a_curated_schema_is_no_business_of_a_function(file):
    with pytest.raises(UsageError, match=r"Recipe counted: expected no --schema .*Wire import_"):
        catalog.find(f"{file}:counted").wire("n", None, Path("serving"), schema="s.pbtxt")


def test_a_search_is_no_business_of_a_function(file):
    found = dataclasses.replace(catalog.find(f"{file}:counted"), extras=("tuner",))
    with pytest.raises(UsageError, match=r"Recipe counted: expected no --with .*Wire them in it"):
        found.wire("n", None, Path("serving"))


def test_a_function_that_adds_no_step_is_refused(file):
    with pytest.raises(UsageError, match=r"Recipe empty: expected a function that adds steps"):
        catalog.find(f"{file}:empty").wire("n", None, Path("serving"))


def test_what_is_not_there_is_named(file):
    place = str(file)
    assert _refusal(f"{place}:roow") == (
        f"Recipe '{place}:roow': {place} has no `roow`. Did you mean `row`?"
    )
    assert _refusal(f"{place}:number") == (
        f"Recipe '{place}:number': expected a millrace.Recipe, or a function "
        "(dag: Dag, data: str | None, serving_root: Path). Received: a int. There are: "
        "counted, empty, row."
    )
    assert "Received: a function (text). " in _refusal(f"{place}:helper")
    assert _refusal(place).startswith(
        f"Recipe {place!r}: expected package.module:recipe. Received: no colon."
    )


def test_a_file_or_a_module_that_is_not_there_is_named(tmp_path):
    missing = tmp_path / "none.py"
    assert _refusal(f"{missing}:row") == (
        f"Recipe '{missing}': expected a Python file. Received: nothing at {missing}. Give its "
        "path, a colon, and the recipe's name."
    )
    assert "expected a module that Python can find. Received: nowhere.at" in _refusal(
        "nowhere.at:row"
    )


def test_a_file_that_bears_the_name_of_another_module_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "json.py").write_text("")
    (tmp_path / "my-recipes.py").write_text("")
    assert "Received: json, which is /" in _refusal(f"{tmp_path}/json.py:row")
    assert "Received: my-recipes, which is no name of a module. Rename it." in _refusal(
        f"{tmp_path}/my-recipes.py:row"
    )


def test_a_name_of_the_table_is_no_place():
    assert not any(own.is_own(name) for name in catalog.RECIPES)
    assert own.is_place("mine.recipe")
    assert not own.is_place("mine.recipe:row")
