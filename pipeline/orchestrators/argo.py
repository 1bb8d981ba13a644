"""A workload as a Workflow of Argo, or as a CronWorkflow that begins one by the clock.

The form: https://argo-workflows.readthedocs.io/en/latest/fields/.
"""

import re
import shlex
from typing import Any

from millrace.pipeline.errors import UsageError
from millrace.pipeline.orchestrators.workload import Task, Workload

_PIPELINE = "pipeline"  # the template of the graph
_STEP = "step"  # the template of the first container, and the one parameter of each
_Limits = tuple[tuple[str, str], ...]
_USER = 10001  # of the image's processes: what they write to the volumes is theirs


# As robfig/cron reads a crontab's fields, by which Argo has its clock: Sunday is 0, never 7.
_FIELDS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "day of the month": (1, 31, ()),
    "month": (
        1,
        12,
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ),
    "day of the week": (0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
}
_RANGE = re.compile(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/0*[1-9]\d*)?", re.ASCII)


def check_schedule(schedule: str) -> None:
    """Refuse what is not five fields as in a crontab; empty is none.

    Raises:
        UsageError: it is not.
    """
    if not schedule:
        return
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        raise _no_schedule(schedule, f"the five fields {', '.join(_FIELDS)}", f"{len(fields)}")
    for text, (name, (first, last, names)) in zip(fields, _FIELDS.items(), strict=True):
        if not all(_is_range(part.lower(), first, last, names) for part in text.split(",")):
            raise _no_schedule(schedule, f"{name} from {first} to {last}, or *", text)


def _is_range(text: str, first: int, last: int, names: tuple[str, ...]) -> bool:
    parts = _RANGE.fullmatch(text)
    if parts is None:
        return False
    numbers = [
        first + names.index(each) if each in names else int(each) if each.isdigit() else -1
        for each in parts.groups()
        if each is not None
    ]
    return numbers == sorted(numbers) and all(first <= each <= last for each in numbers)


def _no_schedule(schedule: str, expected: str, received: str) -> UsageError:
    return UsageError(
        f"--schedule {schedule!r}: expected {expected}, as in a crontab. Received: {received}. "
        'Correct it: "0 3 * * *" is every day at three.'
    )


def submission(file: str, schedule: str = "") -> str:
    """The command that has a cluster's Argo run what `documents` gave and `file` holds."""
    return f"argo {'cron create' if schedule else 'submit --watch'} {shlex.quote(file)}"


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
    templates = _templates(workload)
    graph = [_task(task, templates[_limits(workload, task)]) for task in workload.tasks]
    return {
        "entrypoint": _PIPELINE,
        "securityContext": {"fsGroup": _USER},
        **({"volumes": volumes} if volumes else {}),
        "templates": [
            {"name": _PIPELINE, "dag": {"tasks": graph}},
            *(_template(workload, dict(limits), name) for limits, name in templates.items()),
        ],
    }


def _limits(workload: Workload, task: Task) -> _Limits:
    return tuple(workload.limits.get(task.step, {}).items())


def _templates(workload: Workload) -> dict[_Limits, str]:
    """The name of the template for the containers of each kind: steps share it by their limits."""
    found: dict[_Limits, str] = {}
    for task in workload.tasks:
        found.setdefault(_limits(workload, task), f"{_STEP}-{task.name}" if found else _STEP)
    return found


def _template(workload: Workload, limits: dict[str, str], name: str) -> dict[str, Any]:
    return {
        "name": name,
        "inputs": {"parameters": [{"name": _STEP}]},
        "container": {
            **_container(workload),
            **({"resources": {"limits": limits}} if limits else {}),
        },
    }


def _task(task: Task, template: str) -> dict[str, Any]:
    return {
        "name": task.name,
        "template": template,
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
