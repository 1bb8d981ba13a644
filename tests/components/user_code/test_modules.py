"""Whose a module is, and which version of it is installed."""

import importlib.metadata
import subprocess
import sys
import textwrap
from types import ModuleType

import pytest

from millrace.components.user_code import modules


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Writes the distribution `Ours_Lib`, with the module `ours`, into a folder on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(info="Ours_Lib-1.0.dist-info", **files):
        folder = tmp_path / info
        folder.mkdir(exist_ok=True)
        (tmp_path / "ours.py").write_text("x = 1\n")
        metadata = "Metadata-Version: 2.1\nName: Ours_Lib\nVersion: 1.0\n"
        (folder / "METADATA").write_text(metadata)
        (folder / "top_level.txt").write_text("ours\n")
        for name, text in files.items():
            (folder / name.replace("_json", ".json")).write_text(text)
        modules.forget()

    yield install
    modules.forget()
    sys.path_importer_cache.pop(str(tmp_path), None)


RECORD = "ours.py,sha256=abc,6\nOurs_Lib-1.0.dist-info/RECORD,,\n"


def test_an_installed_module_is_known_by_the_version_of_its_distribution(installed):
    installed(RECORD=RECORD)
    assert modules.is_library("ours")
    assert modules.versions(["ours"]) == {"ours-lib": "1.0"}


def test_a_distribution_from_elsewhere_than_an_index_is_known_by_its_files_too(installed):
    found = []
    for digest in ("abc", "abd"):
        installed(RECORD=RECORD.replace("abc", digest), direct_url_json='{"url": "file:///x"}')
        found += modules.versions(["ours"]).values()
    first, second = found
    assert first != second
    assert {each[:4] for each in found} == {"1.0+"}


def test_what_a_build_left_in_a_source_tree_makes_no_library_of_it(installed):
    installed()
    assert not modules.is_library("ours")


def test_a_module_that_lies_elsewhere_than_its_distribution_is_ones_own(
    installed, tmp_path_factory, monkeypatch
):
    """As in an editable install, or where a checkout hides what is installed."""
    installed(RECORD=RECORD)
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "ours.py").write_text("x = 2\n")
    monkeypatch.syspath_prepend(str(checkout))
    modules.forget()
    assert not modules.is_library("ours")
    assert modules.versions(["ours"]) == {}


def test_this_project_is_no_library_and_pillow_is_found_by_its_module():
    assert not modules.is_library("millrace")
    assert modules.versions(["millrace"]) == {}
    assert modules.versions(["PIL"]) == {"pillow": importlib.metadata.version("pillow")}


def test_a_module_that_is_not_there_is_absent():
    assert modules.is_library("nowhere_at_all")
    assert modules.versions(["nowhere_at_all"]) == {"nowhere_at_all": "absent"}


@pytest.mark.parametrize("name", ["os", "json", "_json", "sys", "winreg", "unicodedata"])
def test_what_comes_with_python_is_standard_on_any_platform(name):
    assert modules.is_standard(name)


def test_finding_a_module_imports_no_package_above_it():
    code = """
        import sys
        from millrace.components.user_code import modules
        print(modules.find("keras.src.layers").origin, "keras" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("keras/src/layers/__init__.py False\n")


def test_a_main_module_that_does_not_say_where_it_is_from_is_none(monkeypatch):
    main = ModuleType("__main__")
    del main.__spec__
    monkeypatch.setitem(sys.modules, "__main__", main)
    modules.forget()
    assert modules.find("__main__") is None
    modules.forget()
