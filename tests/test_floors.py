"""The floors hold: imports point down, components stay apart, start-up stays light."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
FLOORS = ("millrace.serving", "millrace.components", "millrace.pipeline")  # from the ground up

ENGINE = (
    "dag",
    "fingerprint",
    "store",
    "records",
    "database",
    "root",
    "runner",
    "earlier",
    "damage",
    "explain",
    "lineage",
)
ENGINE_MAY = {"sqlalchemy", "etils", "pydantic", "millrace"}

STEPS = {
    "millrace.components.analyze",
    "millrace.components.bulk_inferrer",
    "millrace.components.evaluator",
    "millrace.components.example_gen.corpus",
    "millrace.components.example_gen.digits",
    "millrace.components.example_gen.equations",
    "millrace.components.example_gen.image",
    "millrace.components.example_gen.pixels",
    "millrace.components.example_gen.request_logs",
    "millrace.components.example_gen.reviews",
    "millrace.components.example_gen.series",
    "millrace.components.example_gen.series_samples",
    "millrace.components.example_gen.tables",
    "millrace.components.example_gen.tables_tfds",
    "millrace.components.example_gen.text",
    "millrace.components.example_gen.tfds",
    "millrace.components.example_gen.tfds_texts",
    "millrace.components.example_gen.tfrecords",
    "millrace.components.example_gen.unlabelled",
    "millrace.components.example_validator",
    "millrace.components.export",
    "millrace.components.feature_maps",
    "millrace.components.infra_validator",
    "millrace.components.projector",
    "millrace.components.pusher",
    "millrace.components.rate_finder",
    "millrace.components.schema_gen",
    "millrace.components.statistics_gen",
    "millrace.components.trainer",
    "millrace.components.transform",
    "millrace.components.tuner",
}

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


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_point_down(path):
    floor = FLOORS.index(_floor(_name(path)))
    above = {name for name in _imports(path) if _floor(name) in FLOORS[floor + 1 :]}
    assert above == set()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nobody_imports_a_component_but_the_pipeline(path):
    if _floor(_name(path)) != "millrace.pipeline":
        assert _imports(path) & STEPS == set()


def test_every_step_module_is_in_the_list():
    assert {_name(path) for path in MODULES} >= STEPS


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
