"""requirements-serving.lock: what it pins is enough to serve and to ask a model."""

import contextlib
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from millrace.serving.client import Client, RestClient
from tests.command import millrace
from tests.serving.conftest import free_port

PROJECT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())
TENSORFLOW = {"tensorflow-cpu": "tensorflow"}  # two builds of one library


def pinned(name):
    """The versions that a lock names, by distribution."""
    lines = re.findall(r"^([a-z0-9-]+)==(\S+)", (PROJECT / name).read_text(), re.MULTILINE)
    return dict(lines)


SERVING, FULL = pinned("requirements-serving.lock"), pinned("requirements.lock")


def test_it_is_half_of_the_full_lock():  # tests/test_containers.py compares the versions
    assert len(SERVING) < len(FULL) / 1.8


def test_what_it_is_made_from_are_dependencies_of_the_project():
    project = SETTINGS["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["s3"]]
    named, whole = (
        {re.match(r"[\w.-]+(\[\w+\])?", line).group() for line in lines}
        for lines in (SETTINGS["dependency-groups"]["serving"], lines)
    )
    assert {TENSORFLOW.get(name, name) for name in named} <= whole


# Installs, in each Python that starts with its folder on PYTHONPATH, what refuses some imports.
REFUSE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Refuse())
"""
HEAVY = {"apache_beam", "datasketches", "matplotlib", "optuna", "pandas", "pyarrow", "scipy"}
HEAVY |= {"sklearn", "statsmodels", "tensorboard", "tensorflow_datasets", "tensorflow_metadata"}


@pytest.fixture
def serving_only(tmp_path):
    """Makes environment variables by which no distribution outside the lock can be imported."""

    def make(*more):
        provided = metadata.packages_distributions()
        kept = {"tf-millrace", *(TENSORFLOW.get(name, name) for name in SERVING)}
        refused = {*more}
        for module, distributions in provided.items():
            if not kept & {re.sub(r"[-_.]+", "-", name).lower() for name in distributions}:
                refused.add(module)
        assert refused >= HEAVY
        assert not refused & {"tensorflow", "grpc", "numpy", "millrace"}
        folder = tmp_path / "refusing"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(REFUSE.format(refused))
        return {"PYTHONPATH": str(folder)}

    return make


@contextlib.contextmanager
def running(program, *arguments, **environment):
    """A command that runs until the block ends."""
    command = [Path(sys.executable).parent / program, *map(str, arguments)]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_the_server_answers_over_grpc_and_rest(serving_only, push, tmp_path):
    push(tmp_path / "half", 1)
    port, rest_port = free_port(), free_port()
    flags = (f"--port={port}", f"--rest_api_port={rest_port}", "--enable_grpc_reflection")
    model = (f"--model_base_path={tmp_path}/half", "--model_name=half", "--enable_batching")
    refused = serving_only("sqlalchemy", "typer", "pydantic")  # only `millrace` takes those
    with (
        running("millrace-model-server", *flags, *model, **refused),
        Client(f"127.0.0.1:{port}") as client,
        RestClient(f"http://127.0.0.1:{rest_port}") as rest,
    ):
        client.wait_until_available("half", timeout=120)
        assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
        rest.wait_until_available("half", timeout=20)
        assert rest.predict("half", {"x": [3.0]})["y"].tolist() == [3.5]
        assert rest.classify("half", [{"x": [1.0]}], signature="classify")


def test_the_command_serves_and_asks(serving_only, push, tmp_path):
    root, port, refused = tmp_path / "root", free_port(), serving_only()
    root.joinpath("serving").mkdir(parents=True)
    push(root / "serving" / "half", 1)
    target = ("--target", f"127.0.0.1:{port}", "--root", root)
    with (
        running("millrace", "serve", "--root", root, "--port", port, **refused),
        Client(f"127.0.0.1:{port}") as client,
    ):
        client.wait_until_available("half", timeout=120)
        asked = millrace("predict", "half", "x=1.0", *target, "--json", **refused)
    assert asked.returncode == 0, asked.stderr
    assert '"y": 2.5' in asked.stdout


def test_a_command_that_needs_more_says_so(serving_only, tmp_path):
    done = millrace("run", "digits", "--root", tmp_path, **serving_only())
    assert done.returncode == 1
    assert re.fullmatch(
        r"millrace: This needs \w+, which is not installed here\. requirements-serving\.lock has .*"
        r"; requirements\.lock has everything\.\n",
        done.stderr,
    )
