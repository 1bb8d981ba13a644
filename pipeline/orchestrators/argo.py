"""A workload as a Workflow of Argo, or as a CronWorkflow that begins one by the clock.

The form: https://argo-workflows.readthedocs.io/en/latest/fields/.
"""

from typing import Any

from millrace.pipeline.orchestrators.workload import Task, Workload

_PIPELINE = "pipeline"  # the template of the graph
_STEP = "step"  # the template of the containers without limits, and its one parameter
_USER = 10001  # of the image's processes: what they write to the volumes is theirs


def documents(workload: Workload, schedule: str = "") -> list[dict[str, Any]]:
    """The document of the YAML file.

    Args:
        workload: the steps.
        schedule: five fields as in a crontab; empty makes a Workflow that runs when it is
            submitted. While one is at work none begins.
    """
    spec = _spec(workload)
    if not schedule:
        return [_document("Workflow", {"generateName": f"{workload.name}-"}, spec)]
    timed = {"schedules": [schedule], "concurrencyPolicy": "Forbid", "workflowSpec": spec}
    return [_document("CronWorkflow", {"name": workload.name}, timed)]


def _document(kind: str, metadata: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def _spec(workload: Workload) -> dict[str, Any]:
    volumes = [
        {"name": _volume(number), "persistentVolumeClaim": {"claimName": claim}}
        for number, claim in enumerate(workload.mounts.values())
    ]
    templates = {_template_of(task, workload): _template(workload, task) for task in workload.tasks}
    return {
        "entrypoint": _PIPELINE,
        "securityContext": {"fsGroup": _USER},
        **({"volumes": volumes} if volumes else {}),
        "templates": [
            {
                "name": _PIPELINE,
                "dag": {"tasks": [_task(task, workload) for task in workload.tasks]},
            },
            *templates.values(),
        ],
    }


def _template(workload: Workload, task: Task) -> dict[str, Any]:
    limits = workload.limits.get(task.step)
    return {
        "name": _template_of(task, workload),
        "inputs": {"parameters": [{"name": _STEP}]},
        "container": {
            **_container(workload),
            **({"resources": {"limits": dict(limits)}} if limits else {}),
        },
    }


def _template_of(task: Task, workload: Workload) -> str:
    return f"{_STEP}-{task.name}" if task.step in workload.limits else _STEP


def _task(task: Task, workload: Workload) -> dict[str, Any]:
    return {
        "name": task.name,
        "template": _template_of(task, workload),
        **({"dependencies": list(task.after)} if task.after else {}),
        "arguments": {"parameters": [{"name": _STEP, "value": task.step}]},
    }


def _container(workload: Workload) -> dict[str, Any]:
    variables: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in workload.variables.items()
    ]
    variables += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}}
        for name, secret in workload.secrets.items()
    ]
    mounts = [
        {"name": _volume(number), "mountPath": folder}
        for number, folder in enumerate(workload.mounts)
    ]
    return {
        "image": workload.image,
        "command": ["millrace"],
        "args": workload.arguments(f"{{{{inputs.parameters.{_STEP}}}}}", "{{workflow.uid}}"),
        **({"env": variables} if variables else {}),
        **({"volumeMounts": mounts} if mounts else {}),
    }


def _volume(number: int) -> str:
    return f"volume-{number}"
