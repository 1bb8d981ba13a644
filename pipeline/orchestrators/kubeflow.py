"""A workload as a pipeline of Kubeflow Pipelines: version 2 of its intermediate representation.

The form is that of `kfp.compiler`, of `PipelineSpec` in
https://github.com/kubeflow/pipelines/blob/master/api/v2alpha1/pipeline_spec.proto, and of
`KubernetesExecutorConfig` in kubernetes_platform/proto/kubernetes_executor_config.proto there. It
is written without that package, which pins what TensorFlow and Beam bring in other versions.
"""

import shlex
from collections.abc import Mapping
from typing import Any

from millrace.pipeline.errors import UsageError
from millrace.pipeline.orchestrators.workload import Task, Workload

_RUN = "run"  # the one parameter of every task
# Kubeflow fills this in where it is the whole of a task's parameter, and nowhere else.
_ID_OF_THE_RUN = "{{$.pipeline_job_uuid}}"


def submission(workload: Workload, file: str) -> str:
    """The command of `kfp` that gives a cluster what `documents` gave and `file` holds."""
    return f"kfp pipeline create --pipeline-name {workload.name} {shlex.quote(file)}"


def documents(workload: Workload) -> list[dict[str, Any]]:
    """The documents of the YAML file: the pipeline, and what it needs of Kubernetes, if anything.

    Nothing is cached by Kubeflow: a step that has nothing to do says so in a second, and knows of
    more than its command's text.

    Raises:
        UsageError: a step has limits that Kubeflow does not know.
    """
    # `kfp.components` would take `comp-NAME` or `exec-NAME` of the pipeline NAME for the whole.
    labels = {task.name: f"{workload.name}-{task.name}" for task in workload.tasks}
    pipeline = {
        "components": {f"comp-{label}": _component(label) for label in labels.values()},
        "deploymentSpec": {
            "executors": {
                f"exec-{labels[task.name]}": {"container": _container(workload, task.step)}
                for task in workload.tasks
            }
        },
        "pipelineInfo": {"name": workload.name, "description": workload.summary},
        "root": {
            "dag": {"tasks": {one.name: _task(one, labels[one.name]) for one in workload.tasks}}
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",  # whose forms these are
    }
    needs = _needs(workload)
    executors = {f"exec-{label}": needs for label in labels.values()}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    return [pipeline, platform] if needs else [pipeline]


def _component(label: str) -> dict[str, Any]:
    return {
        "executorLabel": f"exec-{label}",
        "inputDefinitions": {"parameters": {_RUN: {"parameterType": "STRING"}}},
    }


def _container(workload: Workload, step: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in workload.variables.items()]
    return {
        "image": workload.image,
        "command": ["millrace"],
        "args": workload.arguments(step, f"{{{{$.inputs.parameters['{_RUN}']}}}}"),
        **({"env": variables} if variables else {}),
        **_resources(workload.limits.get(step, {})),
    }


def _resources(limits: Mapping[str, str]) -> dict[str, Any]:
    fields = {"cpu": "resourceCpuLimit", "memory": "resourceMemoryLimit"}
    found: dict[str, Any] = {
        fields[name]: quantity for name, quantity in limits.items() if name in fields
    }
    others = {name: quantity for name, quantity in limits.items() if name not in fields}
    if len(others) > 1:
        raise UsageError(
            "--limit: expected cpu, memory and one accelerator at most, which is all that Kubeflow "
            f"knows. Received: {', '.join(others)}. Leave others out."
        )
    for name, quantity in others.items():
        found["accelerator"] = {"resourceType": name, "resourceCount": quantity}
    return {"resources": found} if found else {}


def _task(task: Task, label: str) -> dict[str, Any]:
    return {
        "cachingOptions": {},  # none
        "componentRef": {"name": f"comp-{label}"},
        **({"dependentTasks": list(task.after)} if task.after else {}),
        "inputs": {"parameters": {_RUN: {"runtimeValue": {"constant": _ID_OF_THE_RUN}}}},
        "taskInfo": {"name": task.name},
    }


def _needs(workload: Workload) -> dict[str, Any]:
    """What each container has of the cluster, beside what any runner could give it."""
    claims = [
        {
            "constant": claim,
            "mountPath": folder,
            "pvcNameParameter": {"runtimeValue": {"constant": claim}},
        }
        for folder, claim in workload.mounts.items()
    ]
    secrets = [
        {
            "keyToEnv": [{"envVar": variable, "secretKey": secret.key}],
            "optional": False,
            "secretName": secret.name,
            "secretNameParameter": {"runtimeValue": {"constant": secret.name}},
        }
        for variable, secret in workload.secrets.items()
    ]
    found = {"pvcMount": claims, "secretAsEnv": secrets}
    return {field: values for field, values in found.items() if values}
