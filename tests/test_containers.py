"""The Dockerfile and compose.yaml name what there is: files, commands, flags, one image tag."""

import re
import subprocess
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from millrace.serving import flags, launch
from tests.command import millrace

PROJECT = Path(__file__).parents[1]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
SERVICES = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]


def _json_form(instruction):
    """The arguments of each `instruction` that is written as a JSON array."""
    found = re.findall(rf"^ *{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return [yaml.safe_load(text) for text in found]


def test_every_copied_path_is_there_and_let_through_by_dockerignore():
    (lock,) = re.findall(r"^ARG LOCK=(.*)$", DOCKERFILE, re.MULTILINE)
    copying = DOCKERFILE.replace("${LOCK}", lock)
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", copying, re.MULTILINE)
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    for name in " ".join(copied).split():
        assert (PROJECT / name).exists(), name
        assert f"!{name}" in ignored


def test_entry_points_are_commands_of_the_distribution():
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    programs = {arguments[0] for arguments in _json_form("ENTRYPOINT")}
    assert programs == {"/opt/apache/beam/boot", "/usr/bin/python3", *scripts}


def _pinned(name):
    """The version of each package in a lock file."""
    return dict(re.findall(r"^([\w.-]+)==([^ ;]+)", (PROJECT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("part", ["cpu", "serving", "client"])
def test_each_environment_has_the_versions_of_the_developers(part):
    whole, pinned = _pinned("requirements-dev.lock"), _pinned(f"requirements-{part}.lock")
    cpu = pinned.pop("tensorflow-cpu", whole["tensorflow"])
    assert cpu == whole["tensorflow"]
    assert pinned.items() <= whole.items()


def test_the_images_have_all_but_cuda_and_what_remote_roots_need():
    pinned, needed = _pinned("requirements-cpu.lock"), _pinned("requirements.lock")
    assert needed.keys() - pinned.keys() == {"tensorflow"}
    assert {"psycopg", "s3fs"} <= pinned.keys()
    assert "s3fs" in _pinned("requirements-serving.lock")


def test_pruning_leaves_what_programs_read(tmp_path):
    packages = tmp_path / "lib/python3.12/site-packages"
    kept = [
        "numpy/_core/tests/__init__.py",
        "numpy/_core/tests/_natype.py",
        "pandas/core.py",
        "pandas/testing.py",
    ]
    gone = [
        "clang/libclang.so",
        "numpy/_core/tests/test_array.py",
        "numpy/_core/tests/data/floats.csv",
        "pandas/core.pyi",
        "pandas/tests/test_core.py",
        "tensorflow/include/op.h",
    ]
    for name in kept + gone:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).touch()
    subprocess.run([PROJECT / "deploy/prune.sh", tmp_path], check=True)
    left = [str(file.relative_to(packages)) for file in packages.rglob("*") if file.is_file()]
    assert sorted(left) == kept


def test_the_servers_flags_are_flags_of_the_server():
    (entry,) = [one for one in _json_form("ENTRYPOINT") if one[0] == "millrace-model-server"]
    (command,) = [one for one in _json_form("CMD") if one[0].startswith("--port")]
    options = flags.parse([*entry[1:], *command])
    assert options.bind_address == "0.0.0.0"  # noqa: S104 - inside a container
    assert options.enable_grpc_healthcheck_service


def test_the_health_check_fails_where_no_server_is():
    (check,) = [one for one in _json_form("CMD") if one[:2] == ["python", "-c"]]
    assert millrace("-c", check[2], program="python").returncode == 1


def test_the_jobs_commands_are_understood():
    for service in ("pipeline", "client"):
        command = SERVICES[service]["command"]
        assert millrace(command[0], "--help").returncode == 0
    assert SERVICES["client"]["command"][1] == SERVICES["serving"]["environment"]["MODEL_NAME"]


MANIFESTS = [
    (file.name, document)
    for file in sorted((PROJECT / "deploy/kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text())
]
PODS = [
    (name, document["spec"]["template"])
    for name, document in MANIFESTS
    if document["kind"] in ("Job", "Deployment")
]


def test_the_manifests_are_what_kubernetes_takes():
    assert len(MANIFESTS) == 7
    for _, document in MANIFESTS:
        kubernetes_validate.validate(document, "1.33", strict=True)


@pytest.mark.parametrize(("name", "pod"), PODS, ids=[name for name, _ in PODS])
def test_pods_run_commands_that_there_are_as_nobody_in_particular(name, pod):
    (container,) = pod["spec"]["containers"]
    (user,) = re.findall(r"useradd .*--uid (\d+)", DOCKERFILE)
    assert pod["spec"]["securityContext"]["runAsUser"] == int(user)
    match container["image"].partition(":")[0]:
        case "millrace-server":
            options = flags.parse(container["args"])
            assert options.port == container["ports"][0]["containerPort"]
            assert options.rest_api_port == container["ports"][1]["containerPort"]
        case "millrace-pipeline":
            command, *_ = container["args"]
            options = [each for each in container["args"] if each.startswith("--")]
            usage = millrace(command, "--help").stdout
            assert all(option in usage for option in options)
        case "tensorflow/serving":
            assert container["image"] == launch.IMAGE


def test_services_select_the_pods_of_their_file():
    for name, document in MANIFESTS:
        if document["kind"] == "Service":
            (labels,) = [pod["metadata"]["labels"] for file, pod in PODS if file == name]
            assert document["spec"]["selector"].items() <= labels.items()


def test_one_image_tag_of_tensorflow_serving_is_named():
    tag = re.fullmatch(r"tensorflow/serving:\$\{\w+:-(.+)\}", SERVICES["serving"]["image"]).group(1)
    assert f"tensorflow/serving:{tag}" == launch.IMAGE
