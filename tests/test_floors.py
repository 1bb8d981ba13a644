"""The floors hold: imports point down, components stay apart, start-up stays light."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.components import artifacts

PROJECT = Path(__file__).parents[1]
FLOORS = ("millrace.serving", "millrace.components", "millrace.pipeline")  # from the ground up

EXAMPLE_GEN = (  # its rooms, from the ground up; the steps lie above them
    "shards",
    "csv",
    "texts",
    "images",
    "tensorflow_datasets",
    "time_series",
    "unlabelled_rows",
)

ENGINE = (
    "dag",
    "fingerprint",
    "store",
    "leases",
    "records",
    "database",
    "root",
    "runner",
    "stepwise",
    "earlier",
    "damage",
    "explain",
    "lineage",
)
ARTIFACTS = {
    name
    for name, value in vars(artifacts).items()
    if isinstance(value, type) and issubclass(value, artifacts.Artifact)
}
ENGINE_MAY = {"sqlalchemy", "etils", "pydantic", "millrace"}

MODULES = sorted(
    path for floor in FLOORS for path in (PROJECT / floor.removeprefix("millrace.")).rglob("*.py")
)


def _name(path):
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(["millrace", *(parts[:-1] if parts[-1] == "__init__" else parts)])


def _floor(name):
    return ".".join(name.split(".")[:2])


@functools.cache
def _tree(path):
    return ast.parse(path.read_text())


@functools.cache
def _imports(path):
    """Every module that the file may import, at any depth in it."""
    return frozenset(_imported(ast.walk(_tree(path)), path))


@functools.cache
def _top_imports(path):
    """The modules that the file imports when it is itself imported."""
    return frozenset(_imported(_tree(path).body, path))


def _imported(nodes, path):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it out"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


BY_NAME = {_name(path): path for path in MODULES}
STEPS = {
    _name(path)
    for folder in ("components", "components/example_gen")
    for path in (PROJECT / folder).glob("*.py")
    if path.stem not in ("__init__", "artifacts", "errors")
}


@functools.cache
def _steps(path):
    """The functions in the file that a recipe can use as steps: they write an artifact to `out`."""
    return {
        node.name
        for node in _tree(path).body
        if isinstance(node, ast.FunctionDef)
        and "out" in {argument.arg for argument in node.args.args}
        and isinstance(node.returns, ast.Name)
        and node.returns.id in ARTIFACTS
    }


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_point_down(path):
    floor = FLOORS.index(_floor(_name(path)))
    above = {name for name in _imports(path) if _floor(name) in FLOORS[floor + 1 :]}
    assert above == set()


def _room(name):
    """The place of a module among the rooms of `example_gen`; that of a step is above them all."""
    room = name.removeprefix("millrace.components.example_gen.").partition(".")[0]
    return EXAMPLE_GEN.index(room) if room in EXAMPLE_GEN else len(EXAMPLE_GEN)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if ".example_gen." in _name(path)], ids=_name
)
def test_imports_within_example_gen_point_down_from_room_to_room(path):
    above = {
        name
        for name in _imports(path)
        if name in BY_NAME and ".example_gen." in name and _room(name) > _room(_name(path))
    }
    assert above == set()


def test_components_use_beam_in_one_room():
    users = {
        _name(path) for path in MODULES if any("apache_beam" in name for name in _imports(path))
    }
    others = {name for name in users if not name.startswith("millrace.components.beam.")}
    assert others == {"millrace.components.inference.saved_model"}  # a model for all of a process


def test_the_rooms_of_example_gen_are_its_folders():
    folders = {path.parent.name for path in MODULES if path.parent.parent.name == "example_gen"}
    assert folders == set(EXAMPLE_GEN)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nobody_imports_a_component_but_the_pipeline(path):
    if _floor(_name(path)) != "millrace.pipeline":
        assert _imports(path) & STEPS == set()


@pytest.mark.parametrize("name", sorted(STEPS))
def test_the_root_of_components_and_of_example_gen_hold_only_steps(name):
    assert _steps(BY_NAME[name])


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_what_the_pipeline_uses_as_a_step_lies_where_the_steps_are(path):
    if _floor(_name(path)) == "millrace.pipeline":
        rooms = [name.rpartition(".") for name in _imports(path)]
        rooms = [(module, name) for module, _, name in rooms if module in BY_NAME.keys() - STEPS]
        assert {module for module, name in rooms if name in _steps(BY_NAME[module])} == set()


@pytest.mark.parametrize("module", ENGINE)
def test_the_engine_imports_sqlalchemy_and_artifacts_and_little_else(module):
    names = {name.split(".")[0] for name in _imports(PROJECT / "pipeline" / f"{module}.py")}
    assert names - set(sys.stdlib_module_names) <= ENGINE_MAY


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_there_is_no_import_cycle_through(path):
    graph = {_name(module): _top_imports(module) for module in MODULES}
    start, reached, waiting = _name(path), set(), [*graph[_name(path)]]
    while waiting:
        name = waiting.pop()
        if name in graph and name not in reached:
            reached.add(name)
            waiting.extend(graph[name])
    assert start not in reached


def test_two_rooms_of_components_never_import_each_other():
    inside = {name for name in BY_NAME if name.startswith("millrace.components.")}
    arrows = {
        (name.split(".")[2], imported.split(".")[2])
        for name in inside
        for imported in _imports(BY_NAME[name]) & inside
    }
    assert {arrow for arrow in arrows if arrow[0] < arrow[1] and arrow[::-1] in arrows} == set()


LIGHT = "import sys, {modules}; print([m for m in {heavy} if m in sys.modules])"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (
            "millrace.pipeline.cli.main",
            ("tensorflow", "keras", "apache_beam", "sqlalchemy", "numpy"),
        ),
        ("millrace.pipeline.recipes.catalog", ("tensorflow", "keras", "apache_beam", "numpy")),
        (
            "millrace.pipeline.runner, millrace.pipeline.lineage",
            ("tensorflow", "keras", "apache_beam", "numpy"),
        ),
        (
            "millrace.serving.client.grpc_client, millrace.serving.client.rest_client",
            ("tensorflow", "keras", "millrace.serving.server", "apache_beam"),
        ),
        ("millrace.serving.wire, millrace.serving.example", ("tensorflow", "grpc")),
    ],
)
def test_importing_stays_light(modules, heavy):
    code = LIGHT.format(modules=modules, heavy=heavy)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_statistics_and_schema_never_import_tensorflow():
    rooms = ("statistics", "schema", "validation", "example_gen")
    light = [
        path
        for path in MODULES
        if _name(path).startswith(tuple(f"millrace.components.{room}" for room in rooms))
        and _name(path) != "millrace.components.example_gen.tfds"
    ]
    users = {
        _name(p) for p in light if {n.split(".")[0] for n in _imports(p)} & {"tensorflow", "keras"}
    }
    assert users == set()
