"""The client's own distribution: its modules, its metadata, and its wheel on its own."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.serving.conftest import free_port

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "serving" / "client_distribution"
WHOLE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
CLIENT = tomllib.loads((FOLDER / "pyproject.toml").read_text())
PACKAGES = {
    "millrace",
    "millrace.serving",
    "millrace.serving.client",
    "millrace.serving.protos",
    "millrace.serving.rest",
}  # included with their modules


def _source(module):
    path = PROJECT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")


def _imported(module):
    for node in ast.walk(ast.parse(_source(module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _reached(*modules):
    """`modules` and all modules of this project that they import, at any depth."""
    reached, waiting = set(), [*modules]
    while waiting:
        module = waiting.pop()
        if module not in reached and _source(module).is_file():
            reached.add(module)
            waiting.extend(_imported(module))
    return reached


def test_its_modules_are_exactly_those_that_the_client_imports():
    listed = CLIENT["tool"]["setuptools"]["py-modules"]
    reached = _reached("millrace.serving.client", "millrace.serving.inputs")
    modules = {module for module in reached if _source(module).name != "__init__.py"}
    assert sorted(listed) == sorted({"millrace.__init__", *modules})
    assert {module.rpartition(".")[0] for module in listed} == PACKAGES


def test_its_version_and_bounds_are_those_of_the_project():
    assert CLIENT["project"]["version"] == WHOLE["version"]
    assert set(CLIENT["project"]["dependencies"]) <= set(WHOLE["dependencies"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, FOLDER),
        ],
        check=True,
        env={"PATH": "", "DIST_EXTRA_CONFIG": _elsewhere(folder)},
    )
    (file,) = folder.glob("tf_millrace_client-*.whl")
    return file


def test_its_wheel_contains_the_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        found = archive.read("tf_millrace_client-0.1.0.dist-info/licenses/LICENSE")
    assert found == (PROJECT / "LICENSE").read_bytes()


def _elsewhere(folder):
    """Write settings that keep setuptools from writing to the sources; returns their file."""
    file = folder / "setup.cfg"
    file.write_text(f"[build]\nbuild_base = {folder}\n[egg_info]\negg_base = {folder}\n")
    return str(file)


ASK = """
import asyncio, sys

class Only:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"millrace", "grpc", "google", "numpy", "typing_extensions"}:
            if top not in sys.stdlib_module_names:
                raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Only())
import numpy as np
import millrace
from millrace import AsyncClient, Client, RestClient, inputs

assert millrace.__file__.startswith(sys.path[1]), millrace.__file__
target, rest = sys.argv[1:]

async def later():
    async with AsyncClient(target) as client:
        return await client.predict("half", {"x": [5.0]})

with Client(target) as client:
    signature = client.metadata("half").signatures["serving_default"]
    print(client.predict("half", inputs.columns([{"x": 1.0}], signature))["y"].tolist())
    print(client.regress("half", [{"x": 1.0}], signature="regress").tolist(), client.healthy())
print(asyncio.run(later())["y"].tolist())
with RestClient(rest) as client:
    print(client.predict("half", {"x": np.float32([3])})["y"].tolist())
"""


def test_its_wheel_alone_calls_a_server_beside_folders_of_these_names(wheel, serve, push, tmp_path):
    for name in ("pipeline", "components", "serving"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('taken for millrace')")
    port = free_port()
    push(tmp_path / "half", 1)
    target = serve(tmp_path / "half", rest_api_port=port, enable_grpc_healthcheck_service=True)
    done = subprocess.run(
        [sys.executable, "-c", ASK, target, f"http://127.0.0.1:{port}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[2.5]", "[2.5] True", "[4.5]", "[3.5]"]
