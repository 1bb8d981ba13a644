"""What is installed, which engines can be reached, what is missing and how to get it."""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from millrace.pipeline.root import Root
from millrace.serving import lifeline, remote
from millrace.serving.errors import RemoteError

Row = tuple[str, str, str, str]  # what, state (good, optional or broken), found, advice

REQUIRED = (
    "tensorflow",
    "keras",
    "apache-beam",
    "tensorflow-datasets",
    "tensorflow-serving-api",
    "grpcio",
    "protobuf",
)
TWINS = {
    "tensorflow-cpu": "tensorflow",
    "tensorflow-intel": "tensorflow",
    "tf-millrace-client": "tf-millrace",
}
GIB = 1 << 30
_DOCKER_SECONDS = 20.0
ENOUGH_GIB = 5  # a course data set, its records and a few models


def examine(root: Root) -> list[Row]:
    """One row per thing looked at; `broken` is what keeps a run from working here."""
    return [
        _python(),
        *map(_library, REQUIRED),
        *_remote(root),
        _writable(root),
        _space(root),
        _program("tensorflow_model_server", "serve with TensorFlow Serving: install its package"),
        _docker(),
        _module("s3fs", "data and roots at s3://: pip install 'tf-millrace[s3]'"),
        _module("psycopg", "a shared store: pip install 'tf-millrace[postgresql]'"),
        *_clashes(),
    ]


def _python() -> Row:
    found = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return ("python", "good" if fits else "broken", found, "" if fits else "use 3.11, 3.12 or 3.13")


def _library(name: str) -> Row:
    for one in (name, *(twin for twin, whole in TWINS.items() if whole == name)):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return (one, "good", importlib.metadata.version(one), "")
    return (name, "broken", "absent", f"pip install {name}, or `make setup`")


def _remote(root: Root) -> list[Row]:
    """Whether a root in an object store can be reached; other rows are of the scratch folder."""
    if not root.is_remote:
        return []
    try:
        found = "" if remote.exists(root.place) else ", nothing there yet"
    except RemoteError as error:
        return [("object store", "broken", root.name, str(error))]
    return [("object store", "good", f"{root.name}{found}", "")]


def _writable(root: Root) -> Row:
    name, advice = "root", "give another with --root"
    if root.is_remote:
        name, advice = "scratch", "name another folder by MILLRACE_SCRATCH"
    folder = root.path
    while not folder.exists():
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        return (name, "good", str(root.path), "")
    return (name, "broken", f"{root.path} cannot be written", advice)


def _space(root: Root) -> Row:
    folder = root.path
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GIB
    advice = "" if free > ENOUGH_GIB else f"free some: {ENOUGH_GIB} GiB are comfortable"
    return ("disk", "good" if not advice else "optional", f"{free:.0f} GiB free", advice)


def _program(name: str, advice: str) -> Row:
    found = shutil.which(name)
    return (name, "good", found, "") if found else (name, "optional", "absent", advice)


def _docker() -> Row:
    row = _program("docker", "containers: install Docker Engine")
    if row[1] != "good":
        return row
    command = lifeline.program("docker", "version", "--format", "{{.Server.Version}}")
    try:
        asked = lifeline.run(command, timeout=_DOCKER_SECONDS)
    except subprocess.TimeoutExpired:
        return ("docker", "optional", f"no answer in {_DOCKER_SECONDS:g} s", "restart its engine")
    if asked.returncode == 0:
        return ("docker", "good", f"engine {asked.stdout.strip()}", "")
    return ("docker", "optional", "client only", "start a Docker engine to use containers")


def _module(name: str, advice: str) -> Row:
    found = importlib.util.find_spec(name)
    return (name, "good" if found else "optional", "installed" if found else "absent", advice)


def _clashes() -> Iterator[Row]:
    """Packages that overwrite files of the ones needed, and take them along when they go."""
    installed = {dist.metadata["Name"] for dist in importlib.metadata.distributions()}
    for name, whole in TWINS.items():
        if {name, whole} <= installed:
            advice = f"pip uninstall {name} {whole}, then install {whole} again"
            yield (name, "broken", f"beside {whole}", advice)
