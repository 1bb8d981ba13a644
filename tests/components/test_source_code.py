"""Code is reached through imports on disk, and its digest changes with what it does."""

import sys
import textwrap

import pytest

from components import source_code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A user's package of two modules, of which the first imports the second."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "first.py").write_text("from mine.second import f\nimport os\nimport numpy\n")
    (folder / "second.py").write_text("def f():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    source_code.forget()
    yield folder
    source_code.forget()
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]


def _digest_of_second(folder, source):
    (folder / "second.py").write_text(textwrap.dedent(source))
    source_code.forget()
    return source_code.reached_code("mine.first")["mine.second"]


def test_code_is_reached_through_imports_and_stays_inside_the_project(package):
    assert set(source_code.reached_code("mine.first")) == {"mine.first", "mine.second"}


def test_reading_the_code_imports_none_of_it(package):
    (package / "second.py").write_text("raise SystemExit\n")
    assert "mine.second" in source_code.reached_code("mine.first")
    assert "mine.first" not in sys.modules


def test_imports_inside_functions_and_relative_ones_count(package):
    (package / "first.py").write_text("def g():\n    from .second import f\n    return f\n")
    assert "mine.second" in source_code.reached_code("mine.first")


def test_a_module_beside_the_package_belongs_to_the_project_too(package):
    (package.parent / "layers.py").write_text("import keras\n")
    (package / "first.py").write_text("import layers\nimport yaml\n")
    assert set(source_code.reached_code("mine.first")) == {"mine.first", "layers"}


def test_a_module_of_an_installed_package_reaches_its_own_package_only():
    reached = source_code.reached_code("etils.epath.typing")
    assert {name.split(".")[0] for name in reached} == {"etils"}


def test_a_module_that_is_not_there_reaches_nothing():
    assert source_code.reached_code("nowhere.at_all") == {}


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


def test_a_module_that_does_not_parse_has_a_digest_of_its_text(package):
    broken = _digest_of_second(package, "def f(:\n")
    assert broken != _digest_of_second(package, "def f((:\n")


def test_the_digest_of_a_module_changes_with_what_it_imports(package):
    before = source_code.digest("mine.first")
    _digest_of_second(package, "def f():\n    return 2\n")
    assert source_code.digest("mine.first") != before


def test_the_digest_of_a_module_leaves_the_floors_out(package):
    (package / "first.py").write_text("x = 1\n")
    source_code.forget()
    alone = source_code.reached_code("mine.first")["mine.first"]
    (package / "first.py").write_text("x = 1\nfrom components import errors\n")
    source_code.forget()
    assert "components.errors" in source_code.reached_code("mine.first")
    assert alone != source_code.reached_code("mine.first")["mine.first"]
    before = source_code.digest("mine.first")
    (package / "first.py").write_text("x = 1\nfrom components import errors  # again\n")
    source_code.forget()
    assert source_code.digest("mine.first") == before
