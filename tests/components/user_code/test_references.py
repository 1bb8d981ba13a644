"""A function is found by `package.module:function`, and every way to miss says what to do."""

import sys

import pytest

from millrace.components.errors import OptionError
from millrace.components.user_code import references


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A function that writes the module `mine_here` and hands its folder back."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source):
        (tmp_path / "mine_here.py").write_text(source)
        sys.modules.pop("mine_here", None)
        return tmp_path

    yield write
    sys.modules.pop("mine_here", None)


def _refusal(reference):
    with pytest.raises(OptionError) as caught:
        references.load(reference, "trainer.model.function")
    return str(caught.value)


def test_a_function_is_found(mine):
    mine("def build():\n    return 7\n")
    assert references.load("mine_here:build", "x")() == 7


@pytest.mark.parametrize("text", ["mine", "mine:", ":build", "a b:c", "mine.:f", "mine:f:g", "1:a"])
def test_another_form_is_refused(text):
    assert references.split(text) is None
    assert _refusal(text) == (
        f"trainer.model.function: expected package.module:function. Received: {text!r}. Name "
        "the module as in an import, a colon, and the function, such as mine.model:build."
    )


def test_a_module_that_is_nowhere_is_named():
    assert _refusal("nowhere.model:build") == (
        "trainer.model.function: expected a module that Python can find. Received: "
        "nowhere.model, and there is no nowhere. Run millrace in the folder that holds it, or "
        "put that folder on PYTHONPATH."
    )


def test_a_module_whose_import_fails_is_named_with_its_line(mine):
    folder = mine("x = 1\nimport not_installed_here\n")
    assert _refusal("mine_here:build") == (
        "trainer.model.function: expected a module that can be imported. Received: mine_here, "
        f"which fails at {folder}/mine_here.py:2 with ModuleNotFoundError: No module named "
        "'not_installed_here'. Fix it; `python -m mine_here` shows more."
    )


def test_a_module_that_does_not_parse_is_named_with_its_line(mine):
    folder = mine("def f():\n    return (\n")
    assert f"fails at {folder}/mine_here.py:2 with SyntaxError" in _refusal("mine_here:f")


def test_a_function_that_is_not_there_offers_the_nearest(mine):
    mine("def build():\n    pass\n")
    assert _refusal("mine_here:biuld") == (
        "trainer.model.function: expected a function `biuld` in the module mine_here. "
        "Received: none. Did you mean `build`?"
    )


def test_what_is_no_function_is_refused(mine):
    mine("build = 7\n")
    assert _refusal("mine_here:build") == (
        "trainer.model.function: expected a function. Received: mine_here:build, which is of "
        "the type int. Name a function of mine_here."
    )


def test_anything_may_be_taken(mine):
    mine("rows = (1, 2)\n")
    assert references.take("mine_here:rows", "x") == (1, 2)
    assert references.take("mine_here:nothing", "x") is None
