"""Pipelines of Kubeflow: as its compiler would write them, and as its own runner runs them."""

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from millrace.pipeline.errors import UsageError
from millrace.pipeline.orchestrators import kubeflow
from millrace.pipeline.runs import open_run, runs
from tests.command import BIN, millrace

PROJECT = Path(__file__).parents[3]
KFP = PROJECT / ".venv-kfp" / "bin" / "python"
RUN = {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}


def test_a_pipeline_has_a_component_an_executor_and_a_task_for_each_step(plain):
    (document,) = kubeflow.documents(plain)
    assert document == {
        "components": {
            f"comp-flowers-{name}": {
                "executorLabel": f"exec-flowers-{name}",
                "inputDefinitions": {"parameters": {"run": {"parameterType": "STRING"}}},
            }
            for name in ("image-example-gen", "analyze")
        },
        "deploymentSpec": {
            "executors": {
                f"exec-flowers-{name}": {
                    "container": {
                        "image": "millrace:1",
                        "command": ["millrace"],
                        "args": [
                            *("step", "image-classifier", step, "--run"),
                            *("{{$.inputs.parameters['run']}}", "--root", "/data"),
                        ],
                    }
                }
                for name, step in (
                    ("image-example-gen", "image_example_gen"),
                    ("analyze", "analyze"),
                )
            }
        },
        "pipelineInfo": {"name": "flowers", "description": "millrace image-classifier"},
        "root": {
            "dag": {
                "tasks": {
                    "image-example-gen": {
                        "cachingOptions": {},
                        "componentRef": {"name": "comp-flowers-image-example-gen"},
                        "inputs": {"parameters": {"run": RUN}},
                        "taskInfo": {"name": "image-example-gen"},
                    },
                    "analyze": {
                        "cachingOptions": {},
                        "componentRef": {"name": "comp-flowers-analyze"},
                        "dependentTasks": ["image-example-gen"],
                        "inputs": {"parameters": {"run": RUN}},
                        "taskInfo": {"name": "analyze"},
                    },
                }
            }
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
    }


def test_volumes_and_secrets_are_in_the_document_for_kubernetes(workload):
    pipeline, platform = kubeflow.documents(workload)
    executor = {
        "pvcMount": [
            {
                "constant": claim,
                "mountPath": folder,
                "pvcNameParameter": {"runtimeValue": {"constant": claim}},
            }
            for folder, claim in (("/data", "millrace"), ("/flowers", "pictures"))
        ],
        "secretAsEnv": [
            {
                "keyToEnv": [{"envVar": "MILLRACE_STORE", "secretKey": "url"}],
                "optional": False,
                "secretName": "store",
                "secretNameParameter": {"runtimeValue": {"constant": "store"}},
            }
        ],
    }
    executors = {"exec-flowers-image-example-gen": executor, "exec-flowers-analyze": executor}
    assert platform == {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    container = pipeline["deploymentSpec"]["executors"]["exec-flowers-analyze"]["container"]
    assert container["env"] == [{"name": "TZ", "value": "UTC"}]


def test_limits_are_those_of_processors_memory_and_one_accelerator(plain):
    limits = {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"}
    limited = dataclasses.replace(plain, limits={"analyze": limits})
    (document,) = kubeflow.documents(limited)
    first, second = document["deploymentSpec"]["executors"].values()
    assert "resources" not in first["container"]
    assert second["container"]["resources"] == {
        "resourceCpuLimit": "2",
        "resourceMemoryLimit": "8Gi",
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "1"},
    }
    more = dataclasses.replace(plain, limits={"analyze": {**limits, "google.com/tpu": "1"}})
    with pytest.raises(UsageError, match="one accelerator at most, which is all that Kubeflow"):
        kubeflow.documents(more)


def test_a_file_is_handed_over_as_a_pipeline_of_its_name(plain):
    command = "kfp pipeline create --pipeline-name flowers 'a b.yaml'"
    assert kubeflow.submission(plain, "a b.yaml") == command


@pytest.fixture
def kfp():
    """The Python of an environment that has Kubeflow's SDK, which does not go with Beam's."""
    if not KFP.exists():
        reason = f"{KFP} is not there: `make kfp` makes it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return KFP


# The first step has the pipeline's name: Kubeflow's loader took the one for the other.
MINE = """
from etils.epath import Path
from millrace import Dag, Examples, Statistics

def write(out: Path, *, text: str = "a") -> Examples:
    (out / "text").write_text(text)
    return Examples(out).write_summary({"train": len(text)})

def double(examples: Examples, out: Path) -> Examples:
    text = (examples.path / "text").read_text() * 2
    (out / "text").write_text(text)
    return Examples(out).write_summary({"train": len(text)})

def recipe(dag: Dag, data: str | None, serving_root: Path) -> None:
    examples = dag.step(double, examples=dag.step(write, step_name="recipe"))
    dag.step(double, step_name="again", examples=examples)
"""


def test_kubeflows_own_runner_runs_two_at_once_unmixed_and_as_millrace_does(kfp, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    root = tmp_path / "root"
    files = {text: tmp_path / f"{text}.yaml" for text in "ab"}
    for text, file in files.items():
        done = millrace(
            *("compile", "mine:recipe", "--to", "kubeflow", "--image", "python"),
            *("--set", f"recipe.text={text}", "--root", root, "--out", file),
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
    script = Path(__file__).with_name("kubeflow_locally.py")
    path = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": ""}
    running = [
        subprocess.Popen(
            [kfp, script, file, tmp_path / f"scratch-{text}"],
            cwd=tmp_path,
            env={**os.environ, **path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for text, file in files.items()
    ]
    for process in running:
        shown, _ = process.communicate(timeout=240)
        assert process.returncode == 0, shown

    found = runs(root)
    assert [run.status for run in found] == ["done", "done"]
    assert sorted(
        [
            (run.steps[name].output.path / "text").read_text()
            for name in ("recipe", "double", "again")
        ]
        for run in found
    ) == [["a", "aa", "aaaa"], ["b", "bb", "bbbb"]]

    whole = millrace("run", "mine:recipe", "--root", tmp_path / "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    alone = open_run(root=tmp_path / "whole")
    (same,) = (run for run in found if run.options["recipe"] == {"text": "a"})
    for name, step in alone.steps.items():
        for file in step.output.path.iterdir():
            other = same.steps[name].output.path / file.name
            assert file.read_bytes() == other.read_bytes()
