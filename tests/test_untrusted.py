"""What is read from outside is never run: no call that could, but those that are named here."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
FILES = sorted(
    file
    for floor in ("pipeline", "components", "serving")
    for file in (PROJECT / floor).rglob("*.py")
)
SECURITY = (PROJECT / "docs/security.md").read_text()

RUNS = re.compile(  # what runs, or may run, what it is given
    r"(?:(?:c?[Pp]ickle|cloudpickle|dill|marshal)\.(?:loads?|Unpickler)|\w*Unpickler|joblib\.load|shelve\.open"
    r"|(?:.*\.)?read_pickle|torch\.load|(?:builtins\.)?(?:eval|exec|compile|__import__)"
    r"|yaml\.(?!safe_load\b|safe_dump|dump\b|YAMLError\b).*|os\.(?:system|popen|exec\w*|spawn\w*)"
    r"|runpy\..*|code\.Interactive.*|tempfile\.mktemp|xml\..*|.*\.enable_unsafe_deserialization)"
)
MADE_HERE = {  # by the process itself or by its parent, for the other: no input of anybody else
    ("components/beam/notes.py", "pickle.loads"),
    ("components/beam/places.py", "_Unpickler"),
    ("components/training/ranks.py", "pickle.loads"),
    ("components/training/replicas.py", "pickle.loads"),
    ("pipeline/cli/models.py", "os.execv"),
    ("pipeline/cli/ui.py", "os.execv"),
    ("pipeline/rehearsal.py", "pickle.loads"),
    ("serving/lifeline.py", "runpy.run_module"),
}


def calls(file):
    """What `file` calls, as it is written, and with which keywords."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords}


def dangerous(file):
    """Of these calls, those that run what they are given, or follow it out of its folder."""
    for name, keywords in calls(file):
        unsafe = (
            RUNS.fullmatch(name)
            or keywords.get("allow_pickle", "False") != "False"
            or keywords.get("safe_mode", "True") != "True"
            or keywords.get("shell", "False") != "False"
            or (name.endswith(".extractall") and not _within(file, keywords))
        )
        if unsafe:
            yield name


def _within(file, keywords):
    """Whether what is unpacked stays in its folder: a zip always does, a tar with the filter."""
    return keywords.get("filter") == "'data'" or "tarfile" not in file.read_text()


def test_nothing_that_is_read_is_run_but_what_this_process_or_its_parent_wrote():
    found = {(str(file.relative_to(PROJECT)), name) for file in FILES for name in dangerous(file)}
    assert found == MADE_HERE


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("pickle.loads(data)", "pickle.loads"),
        ("MyUnpickler(file).load()", "MyUnpickler"),
        ("pandas.read_pickle(path)", "pandas.read_pickle"),
        ("yaml.load(text, Loader=yaml.Loader)", "yaml.load"),
        ("yaml.full_load(text)", "yaml.full_load"),
        ("eval(text)", "eval"),
        ("numpy.load(file, allow_pickle=True)", "numpy.load"),
        ("keras.models.load_model(file, safe_mode=False)", "keras.models.load_model"),
        ("subprocess.run(text, shell=True)", "subprocess.run"),
        ("import tarfile\narchive.extractall(out)", "archive.extractall"),
    ],
)
def test_each_kind_of_dangerous_call_is_seen(tmp_path, source, name):
    (tmp_path / "module.py").write_text(source)
    assert list(dangerous(tmp_path / "module.py")) == [name]


@pytest.mark.parametrize(
    "source",
    [
        "yaml.safe_load(text)",
        "re.compile(text)",
        "numpy.load(file)",
        "zipfile.ZipFile(file).extractall(out)",
        "import tarfile\narchive.extractall(out, filter='data')",
    ],
)
def test_safe_ones_are_let_through(tmp_path, source):
    (tmp_path / "module.py").write_text(source)
    assert list(dangerous(tmp_path / "module.py")) == []


def test_the_page_on_security_names_tests_that_there_are():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)
    assert len(named) > 30
    for path, name in named:
        source = (PROJECT / path).read_text()
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{path}::{name}"


def test_the_page_on_security_names_every_file_that_unpickles():
    for file, _ in MADE_HERE:
        assert f"`{file}`" in SECURITY
