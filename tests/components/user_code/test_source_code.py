"""Code is reached through imports on disk, and its digest changes with what it does."""

import sys
import textwrap
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from millrace.components.user_code import source_code


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
    return source_code.reached("mine.first").code["mine.second"]


def test_code_is_reached_through_imports_and_stays_inside_the_project(package):
    reached = source_code.reached("mine.first")
    assert set(reached.code) == {"mine", "mine.first", "mine.second"}
    assert reached.libraries == {"numpy"}


def test_reading_the_code_imports_none_of_it(package):
    (package / "second.py").write_text("raise SystemExit\n")
    assert "mine.second" in source_code.reached("mine.first").code
    assert "mine.first" not in sys.modules


def test_imports_inside_functions_and_relative_ones_count(package):
    (package / "first.py").write_text("def g():\n    from .second import f\n    return f\n")
    assert "mine.second" in source_code.reached("mine.first").code


def test_a_module_beside_the_package_belongs_to_the_project_too(package):
    (package.parent / "layers.py").write_text("import keras\n")
    (package / "first.py").write_text("import layers\nimport yaml\n")
    reached = source_code.reached("mine.first")
    assert set(reached.code) == {"mine", "mine.first", "layers"}
    assert reached.libraries == {"keras", "yaml"}


def test_a_module_in_another_folder_of_ones_own_belongs_to_the_project_too(
    package, tmp_path_factory, monkeypatch
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "theirs.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(elsewhere))
    (package / "first.py").write_text("import theirs\n")
    source_code.forget()
    assert set(source_code.reached("mine.first").code) == {"mine", "mine.first", "theirs"}


def test_a_relative_import_in_the_init_of_a_nested_package_is_followed(package):
    nets = package / "nets"
    nets.mkdir()
    (nets / "__init__.py").write_text("from .cnn import FACTOR\n")
    digests = set()
    for factor in (1, 2):
        (nets / "cnn.py").write_text(f"FACTOR = {factor}\n")
        source_code.forget()
        digests.add(source_code.reached("mine.nets").code["mine.nets.cnn"])
    assert len(digests) == 2


def test_the_packages_above_a_module_are_run_and_so_they_count(package):
    (package / "__init__.py").write_text("import mine.setup\n")
    (package / "setup.py").write_text("")
    nets = package / "nets"
    nets.mkdir()
    (nets / "cnn.py").write_text("")  # in a namespace package
    found = set(source_code.reached("mine.nets.cnn").code)
    assert found == {"mine", "mine.setup", "mine.nets.cnn"}


def test_a_namespace_package_is_followed_through_all_its_folders(
    package, tmp_path_factory, monkeypatch
):
    second = tmp_path_factory.mktemp("second")
    for folder, name in ((package.parent, "one"), (second, "two")):
        (folder / "shared" / "deep").mkdir(parents=True)
        (folder / "shared" / "deep" / f"{name}.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(second))
    (package / "first.py").write_text("from shared.deep import one\nimport shared.deep.two\n")
    source_code.forget()
    found = set(source_code.reached("mine.first").code)
    assert found == {"mine", "mine.first", "shared.deep.one", "shared.deep.two"}


def test_a_package_takes_the_place_of_the_module_of_its_name_as_python_has_it(package):
    (package / "second").mkdir()
    (package / "second" / "__init__.py").write_text("from . import inner\n")
    (package / "second" / "inner.py").write_text("")
    assert "mine.second.inner" in source_code.reached("mine.first").code


def test_a_star_reaches_whatever_the_package_holds(package):
    (package / "first.py").write_text("from mine import *\n")
    assert "mine.second" in source_code.reached("mine.first").code


def test_a_module_that_is_only_used_behind_a_dot_is_reached(package):
    (package / "first.py").write_text("import mine\nx = lambda: mine.second.f()\n")
    assert "mine.second" in source_code.reached("mine.first").code


def test_a_compiled_module_counts_with_all_its_bytes(package):
    (package / "second.py").unlink()
    digests = set()
    for content in (b"one", b"two"):
        (package / f"second{EXTENSION_SUFFIXES[0]}").write_bytes(content)
        source_code.forget()
        digests.add(source_code.reached("mine.first").code["mine.second"])
    assert len(digests) == 2


def test_modules_in_an_archive_are_read(package, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("packed/__init__.py", "from . import inner\n")
        archive.writestr("packed/inner.py", "x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "packed.zip"))
    source_code.forget()
    assert set(source_code.reached("packed").code) == {"packed", "packed.inner"}


@pytest.mark.parametrize("name", ["words.txt", "data/words.txt"])
def test_a_file_that_ones_own_module_names_is_part_of_its_code(package, name, monkeypatch):
    file = package / name
    file.parent.mkdir(exist_ok=True)
    (package / "second.py").write_text(f"WORDS = open({name!r})\n")
    digests = set()
    for content in ("one", "two"):
        file.write_text(content)
        source_code.forget()
        digests.add(source_code.reached("mine.first").code[f"mine.second:{name}"])
        digests.add(source_code.digest("mine.first"))
    assert len(digests) == 4


def test_a_file_in_the_folder_of_the_command_is_seen_as_well(package, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("one")
    (package / "second.py").write_text("WORDS = open('words.txt')\n")
    source_code.forget()
    assert "mine.second:words.txt" in source_code.reached("mine.first").code


def test_a_text_like_the_home_of_an_unknown_user_names_no_file(package):
    (package / "second.py").write_text("PATTERN = '~nobody-of-that-name/x'\n")
    source_code.forget()
    assert "mine.second" in source_code.reached("mine.first").code


def test_a_module_of_an_installed_package_reaches_its_own_package_only():
    reached = source_code.reached("etils.epath.typing")
    assert {name.split(".")[0] for name in reached.code} == {"etils"}


def test_what_comes_with_python_is_neither_code_nor_library():
    reached = source_code.reached("json")
    assert (reached.code, reached.libraries) == ({}, frozenset())


def test_a_module_that_is_not_there_reaches_nothing():
    reached = source_code.reached("nowhere.at_all")
    assert (reached.code, reached.libraries) == ({}, frozenset())


def test_a_comment_or_docstring_changes_no_digest_and_a_statement_does(package):
    before = _digest_of_second(package, "def f():\n    return 1\n")
    commented = '''
    def f():
        """Now with words."""
        # and a comment
        return 1
    '''
    assert _digest_of_second(package, commented) == before
    assert _digest_of_second(package, "def f():\n    return 2\n") != before


def test_the_digest_of_a_module_changes_with_what_it_imports(package):
    before = source_code.digest("mine.first")
    _digest_of_second(package, "def f():\n    return 2\n")
    assert source_code.digest("mine.first") != before


def test_the_digest_of_a_module_leaves_the_floors_out(package):
    (package / "first.py").write_text("x = 1\n")
    source_code.forget()
    alone = source_code.reached("mine.first").code["mine.first"]
    (package / "first.py").write_text("x = 1\nfrom millrace.components import errors\n")
    source_code.forget()
    assert "millrace.components.errors" in source_code.reached("mine.first").code
    assert alone != source_code.reached("mine.first").code["mine.first"]
    before = source_code.digest("mine.first")
    (package / "first.py").write_text("x = 1\nfrom millrace.components import errors  # again\n")
    source_code.forget()
    assert source_code.digest("mine.first") == before


def test_a_forwarded_name_reaches_the_module_that_holds_it_and_no_other(package):
    (package / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from mine.second import f\n    from mine.third import g\n"
        "def __getattr__(name): ...\n"
    )
    (package / "third.py").write_text("def g(): ...\n")
    for source in (
        "from mine import f\n",
        "import mine\nmine.f()\n",
        "import mine as m\nm.f.x()\n",
    ):
        (package / "first.py").write_text(source)
        source_code.forget()
        assert set(source_code.reached("mine.first").code) == {"mine", "mine.first", "mine.second"}
    (package / "first.py").write_text("from mine import *\n")
    source_code.forget()
    assert "mine.third" in source_code.reached("mine.first").code


def test_a_name_from_millrace_reaches_its_module_and_not_the_engine(package):
    (package / "first.py").write_text(
        "from millrace import Examples\nfrom millrace.steps import transform\n"
    )
    source_code.forget()
    reached = source_code.reached("mine.first").code
    assert {"millrace.components.artifacts", "millrace.components.transform"} <= set(reached)
    assert not {"millrace", "millrace.steps"} & set(reached)
    assert not any(name.startswith("millrace.pipeline") for name in reached)


def test_how_artifacts_look_is_part_of_no_step():
    reached = source_code.reached("millrace.components.trainer").code
    assert "millrace.components.artifacts" in reached
    assert "millrace.components.display" not in reached
