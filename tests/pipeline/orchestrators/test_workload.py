"""What every orchestrator is told of a pipeline."""

import pytest

from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError
from millrace.pipeline.orchestrators import workload as workloads
from millrace.pipeline.orchestrators.workload import Secret, Task
from tests.pipeline import toys


def test_a_task_waits_for_the_steps_that_its_own_reads_from(toy):
    assert workloads.tasks(toy.dag(), fail_on_anomaly=False) == (
        Task("read", "read", ()),
        Task("count", "count", ("read",)),
        Task("validate", "validate", ("count",)),
        Task("train", "train", ("read",)),
        Task("judge", "judge", ("train",)),
    )


def test_where_anomalies_are_to_stop_a_run_what_follows_the_validator_waits_for_it(toy):
    found = workloads.tasks(toy.dag(), fail_on_anomaly=True)
    assert {task.step: task.after for task in found} == {
        "read": (),
        "count": ("read",),
        "validate": ("count",),
        "train": ("read", "validate"),
        "judge": ("validate", "train"),
    }


def test_tasks_have_names_of_their_own_in_signs_that_every_orchestrator_takes():
    dag = Dag("names")
    for name in ("One_two", "one-two", "one__two", "ä"):
        dag.step(toys.described, step_name=name)
    names = [task.name for task in workloads.tasks(dag, fail_on_anomaly=False)]
    assert names == ["one-two", "one-two-2", "one-two-3", "pipeline"]


def test_a_container_is_given_its_step_the_run_and_the_options(workload):
    assert workload.arguments("analyze", "RUN") == [
        *("step", "image-classifier", "analyze", "--run", "RUN", "--root", "/data")
    ]


def test_claims_variables_and_secrets_are_taken_apart():
    assert workloads.mounts(["millrace:/data", "a.b:/c"]) == {"/data": "millrace", "/c": "a.b"}
    assert workloads.variables(["A=b=c", "D="]) == {"A": "b=c", "D": ""}
    assert workloads.secrets(["A=store:url"]) == {"A": Secret("store", "url")}


@pytest.mark.parametrize(
    "name",
    ["a", "millrace:1", "localhost:5000/a_b/c-d:V1.2", "x.io/a@sha256:" + "0" * 64, "[::1]:5/a"],
)
def test_an_image_is_named_as_engines_read_it(name):
    assert workloads.image(name) == name


@pytest.mark.parametrize("name", ["", "a b", "Millrace", "a:", ":1", "a//b", "a@sha256:0", "a\n"])
def test_what_no_engine_reads_as_an_image_is_refused(name):
    with pytest.raises(UsageError, match="--image: expected the name of an image"):
        workloads.image(name)


def test_a_root_is_kept_where_a_volume_is_mounted_at_or_above_it():
    mounted = workloads.mounts(["millrace:/data/"])
    assert [
        workloads.is_kept(root, mounted) for root in ("/data", "/data/a", "/", "/database")
    ] == [*(True, True, False, False)]
    assert workloads.is_kept("/anywhere", workloads.mounts(["whole:/"]))


@pytest.mark.parametrize(
    ("take", "text", "message"),
    [
        (workloads.mounts, "/data", "--mount: expected a PersistentVolumeClaim, a colon"),
        (workloads.mounts, "millrace:data", "--mount: expected a PersistentVolumeClaim, a colon"),
        (workloads.mounts, "millrace:/a:ro", "--mount: expected a PersistentVolumeClaim, a colon"),
        (workloads.mounts, "Millrace:/data", "--mount: expected a PersistentVolumeClaim, a colon"),
        (workloads.variables, "A", "--env: expected a variable's name, `=` and its value"),
        (workloads.variables, "1A=b", "--env: expected a variable's name, `=` and its value"),
        (workloads.secrets, "A", "--secret: expected a variable's name, `=` and its value"),
        (workloads.secrets, "A=store", "--secret A: expected the name of a Secret, a colon and"),
        (workloads.secrets, "A=Store:url", "--secret A: expected the name of a Secret, a colon"),
    ],
)
def test_what_is_malformed_is_refused(take, text, message):
    with pytest.raises(UsageError, match=message):
        take([text])


def test_a_limit_of_one_step_takes_the_place_of_that_of_all(toy):
    found = workloads.limits(["memory=8Gi", "train:memory=1.5Gi", "train:a.b/gpu=1"], toy.dag())
    assert found == {
        **{name: {"memory": "8Gi"} for name in ("read", "count", "validate", "judge")},
        "train": {"memory": "1.5Gi", "a.b/gpu": "1"},
    }
    assert workloads.limits([], toy.dag()) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory", "--limit: expected a resource and a quantity of Kubernetes"),
        ("memory=much", "--limit: expected a resource and a quantity of Kubernetes"),
        ("trian:cpu=1", "no step `trian`. Did you mean"),
    ],
)
def test_a_limit_that_kubernetes_or_the_recipe_does_not_know_is_refused(toy, text, message):
    with pytest.raises(UsageError, match=message):
        workloads.limits([text], toy.dag())


@pytest.mark.parametrize("path", [None, "", "/flowers", "s3://bucket/flowers", "tfds:mnist"])
def test_what_containers_can_see_is_taken(path):
    workloads.check_seen_by_containers({"--data": path})


def test_a_path_relative_to_a_folder_of_this_machine_is_refused():
    with pytest.raises(UsageError, match="--data flowers: expected an absolute path or a URL"):
        workloads.check_seen_by_containers({"--root": "/data", "--data": "flowers"})


def test_a_root_in_an_object_store_needs_a_store_that_all_containers_see():
    workloads.check_has_store("s3://lake/x", ["A", "MILLRACE_STORE"])
    with pytest.raises(UsageError, match=r"Received: none\. Give --secret MILLRACE_STORE=SECRET"):
        workloads.check_has_store("s3://lake/x", ["A"])
