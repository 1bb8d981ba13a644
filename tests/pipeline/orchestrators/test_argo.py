"""Workflows of Argo."""

import dataclasses

import pytest

from millrace.pipeline.errors import UsageError
from millrace.pipeline.orchestrators import argo


def test_a_workflow_has_a_task_for_each_step_and_one_template_for_the_containers(workload):
    (document,) = argo.documents(workload)
    step = {"parameters": [{"name": "step"}]}
    assert document == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "flowers-"},
        "spec": {
            "entrypoint": "pipeline",
            "securityContext": {"fsGroup": 10001},
            "volumes": [
                {"name": "volume-0", "persistentVolumeClaim": {"claimName": "millrace"}},
                {"name": "volume-1", "persistentVolumeClaim": {"claimName": "pictures"}},
            ],
            "templates": [
                {
                    "name": "pipeline",
                    "dag": {
                        "tasks": [
                            {
                                "name": "image-example-gen",
                                "template": "step",
                                "arguments": {
                                    "parameters": [{"name": "step", "value": "image_example_gen"}]
                                },
                            },
                            {
                                "name": "analyze",
                                "template": "step",
                                "dependencies": ["image-example-gen"],
                                "arguments": {"parameters": [{"name": "step", "value": "analyze"}]},
                            },
                        ]
                    },
                },
                {
                    "name": "step",
                    "inputs": step,
                    "container": {
                        "image": "millrace:1",
                        "command": ["millrace"],
                        "args": [
                            *("step", "image-classifier", "{{inputs.parameters.step}}"),
                            *("--run", "{{workflow.uid}}", "--root", "/data"),
                        ],
                        "env": [
                            {"name": "TZ", "value": "UTC"},
                            {
                                "name": "MILLRACE_STORE",
                                "valueFrom": {"secretKeyRef": {"name": "store", "key": "url"}},
                            },
                        ],
                        "volumeMounts": [
                            {"name": "volume-0", "mountPath": "/data"},
                            {"name": "volume-1", "mountPath": "/flowers"},
                        ],
                    },
                },
            ],
        },
    }


def test_what_a_cluster_may_have_beside_is_left_out_where_there_is_none(plain):
    (document,) = argo.documents(plain)
    assert "volumes" not in document["spec"]
    container = document["spec"]["templates"][1]["container"]
    assert sorted(container) == ["args", "command", "image"]


def test_a_step_with_limits_has_a_template_of_its_own(plain):
    limits = {"analyze": {"memory": "8Gi", "nvidia.com/gpu": "1"}}
    (document,) = argo.documents(dataclasses.replace(plain, limits=limits))
    graph, *steps = document["spec"]["templates"]
    names = [task["template"] for task in graph["dag"]["tasks"]]
    assert names == [step["name"] for step in steps] == ["step", "step-analyze"]
    assert [step["container"].pop("resources", None) for step in steps] == [
        *(None, {"limits": limits["analyze"]})
    ]
    assert steps[0]["container"] == steps[1]["container"]


def test_steps_with_the_same_limits_share_a_template(plain):
    limits = {name: {"memory": "8Gi"} for name in ("image_example_gen", "analyze")}
    (document,) = argo.documents(dataclasses.replace(plain, limits=limits))
    _, step = document["spec"]["templates"]
    assert (step["name"], step["container"]["resources"]) == (
        "step",
        {"limits": {"memory": "8Gi"}},
    )


def test_a_schedule_makes_a_cron_workflow_of_the_same(workload):
    (document,) = argo.documents(workload, "0 3 * * *")
    (once,) = argo.documents(workload)
    assert document == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": "flowers"},
        "spec": {
            "schedules": ["0 3 * * *"],
            "concurrencyPolicy": "Forbid",
            "workflowSpec": once["spec"],
        },
    }


@pytest.mark.parametrize(
    "schedule",
    ["", "0 3 * * *", "*/5 0-6 1,15 JAN-mar Mon", "0 3 ? * 0", "5/15 * * * *", "00 03 01 1 *"],
)
def test_five_fields_as_in_a_crontab_are_a_schedule(schedule):
    argo.check_schedule(schedule)


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (
            "every day",
            "expected the five fields minute, hour, day of the month, month",
        ),
        ("@daily", "expected the five fields minute, hour"),
        ("0 0 3 * * *", "as in a crontab. Received: 6. Correct it"),
        ("60 * * * *", r"expected minute from 0 to 59, or \*, as in a crontab. Received: 60. "),
        ("0 3 0 * *", "expected day of the month from 1 to 31"),
        ("0 3 * jun-mar *", "expected month from 1 to 12, or .* Received: jun-mar. "),
        ("0 3 * * 7", "expected day of the week from 0 to 6"),  # Sunday is 0
        ("*/0 3 * * *", "expected minute from 0 to 59"),
        ("0, 3 * * *", "expected minute from 0 to 59"),
        ("-1 3 * * *", "expected minute from 0 to 59"),
        ("0 three * * *", "expected hour from 0 to 23"),
    ],
)
def test_what_argos_clock_could_not_read_is_refused(schedule, told):
    with pytest.raises(UsageError, match=told):
        argo.check_schedule(schedule)


def test_how_to_submit_a_file_goes_by_its_schedule():
    assert argo.submission("a b.yaml") == "argo submit --watch 'a b.yaml'"
    assert argo.submission("a.yaml", "0 3 * * *") == "argo cron create a.yaml"
