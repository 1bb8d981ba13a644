"""Workflows of Argo."""

import dataclasses

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
