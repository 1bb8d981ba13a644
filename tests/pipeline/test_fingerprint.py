"""Keys change with what changes the answer and with nothing else."""

import sys
import textwrap

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from pipeline import fingerprint
from pipeline.fingerprint import Ingredients, content_digest, ingredients


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A user's package of two modules, of which the first imports the second."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "first.py").write_text("from mine.second import f\nimport os\n")
    (folder / "second.py").write_text("def f():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    fingerprint.reached_code.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]


def _digest_of_second(folder, source):
    (folder / "second.py").write_text(textwrap.dedent(source))
    fingerprint.reached_code.cache_clear()
    return fingerprint.reached_code("mine.first")["mine.second"]


def test_code_is_reached_through_imports_and_stays_inside_the_project(package):
    assert set(fingerprint.reached_code("mine.first")) == {"mine.first", "mine.second"}


def test_reading_the_code_imports_none_of_it(package):
    (package / "second.py").write_text("raise SystemExit\n")
    assert "mine.second" in fingerprint.reached_code("mine.first")
    assert "mine.first" not in sys.modules


def test_imports_inside_functions_and_relative_ones_count(package):
    (package / "first.py").write_text("def g():\n    from .second import f\n    return f\n")
    assert "mine.second" in fingerprint.reached_code("mine.first")


def test_a_comment_or_docstring_changes_no_digest_and_a_statement_does(package):
    before = _digest_of_second(package, "def f():\n    return 1\n")
    commented = '''
    def f():
        """Now with words."""
        # and a comment
        return 1
    '''
    with_docstring = _digest_of_second(package, commented)
    other_words = _digest_of_second(package, commented.replace("Now with", "Other"))
    changed = _digest_of_second(package, "def f():\n    return 2\n")
    assert with_docstring == other_words
    assert changed not in (before, with_docstring)


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
