"""The floors hold: imports point down, components stay apart, start-up stays light."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
FLOORS = ("serving", "components", "pipeline")  # from the ground up

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
ENGINE_MAY = {"sqlalchemy", "etils", "pydantic", "components", "pipeline", "serving"}

STEPS = {
    "components.analyze",
    "components.bulk_inferrer",
    "components.evaluator",
    "components.example_gen.corpus",
    "components.example_gen.digits",
    "components.example_gen.equations",
    "components.example_gen.image",
    "components.example_gen.pixels",
    "components.example_gen.request_logs",
    "components.example_gen.reviews",
    "components.example_gen.series",
    "components.example_gen.series_samples",
    "components.example_gen.tables",
    "components.example_gen.tables_tfds",
    "components.example_gen.text",
    "components.example_gen.tfds",
    "components.example_gen.tfds_texts",
    "components.example_gen.tfrecords",
    "components.example_gen.unlabelled",
    "components.example_validator",
    "components.export",
    "components.feature_maps",
    "components.infra_validator",
    "components.projector",
    "components.pusher",
    "components.rate_finder",
    "components.schema_gen",
    "components.statistics_gen",
    "components.trainer",
    "components.transform",
    "components.tuner",
}

MODULES = sorted(path for floor in FLOORS for path in (PROJECT / floor).rglob("*.py"))


def _name(path):
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


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
    floor = FLOORS.index(_name(path).split(".")[0])
    above = {name for name in _imports(path) if name.split(".")[0] in FLOORS[floor + 1 :]}
    assert above == set()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nobody_imports_a_component_but_the_pipeline(path):
    if not _name(path).startswith("pipeline"):
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
        ("pipeline.cli.main", ("tensorflow", "keras", "apache_beam", "sqlalchemy", "numpy")),
        ("pipeline.recipes.catalog", ("tensorflow", "keras", "apache_beam", "numpy")),
        ("pipeline.runner, pipeline.lineage", ("tensorflow", "keras", "apache_beam", "numpy")),
        ("serving.client", ("tensorflow", "keras", "serving.server", "apache_beam")),
        ("serving.wire, serving.example", ("tensorflow", "grpc")),
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
        if _name(path).startswith(tuple(f"components.{room}" for room in rooms))
        and _name(path) != "components.example_gen.tfds"
    ]
    users = {
        _name(p) for p in light if {n.split(".")[0] for n in _imports(p)} & {"tensorflow", "keras"}
    }
    assert users == set()


def test_files_stay_short():
    long = {
        _name(path): lines
        for path in MODULES
        if not path.name.endswith("_pb2.py") and (lines := len(path.read_text().splitlines())) > 310
    }
    assert long == {}
