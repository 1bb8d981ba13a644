"""What TF_CONFIG says of the machines of a training, and what is refused."""

import json

import pytest

from millrace.components.errors import OptionError
from millrace.components.training import ranks
from millrace.components.training.ranks import Cluster

WORKERS = {"worker": ["a:1", "b:2"]}
CHIEF = {"chief": ["c:3"], **WORKERS}


def environment(cluster, kind, index):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "expected"),
    [
        (WORKERS, "worker", 0, Cluster(("a:1", "b:2"), 0)),
        (WORKERS, "worker", 1, Cluster(("a:1", "b:2"), 1)),
        (CHIEF, "chief", 0, Cluster(("c:3", "a:1", "b:2"), 0)),
        (CHIEF, "worker", 1, Cluster(("c:3", "a:1", "b:2"), 2)),
    ],
)
def test_the_chief_or_else_the_first_worker_leads(cluster, kind, index, expected):
    assert Cluster.of(environment(cluster, kind, index)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "expected TF_CONFIG in the environment. Received: none."),
        ({"TF_CONFIG": "{"}, "expected JSON. Received: {."),
        ({"TF_CONFIG": "[]"}, "expected a cluster of workers"),
        (environment({}, "worker", 0), "expected a cluster of workers"),
        (environment({"worker": "a:1"}, "worker", 0), "expected a cluster of workers"),
        (environment({"worker": ["a"]}, "worker", 0), "expected a cluster of workers"),
        (environment({"worker": [["a", 1]]}, "worker", 0), "expected a cluster of workers"),
        (environment({"chief": ["a:1", "b:2"]}, "chief", 0), "at most one chief"),
        (environment({**WORKERS, "ps": ["p:1"]}, "worker", 0), "expected a cluster of workers"),
        (environment(WORKERS, "worker", 2), "expected a task of the cluster"),
        (environment(WORKERS, "evaluator", 0), "expected a task of the cluster"),
    ],
)
def test_another_configuration_is_refused_with_one_that_would_do(given, expected):
    with pytest.raises(OptionError) as refused:
        Cluster.of(given)
    assert expected in str(refused.value)
    assert '"index": 0' in str(refused.value)


def test_a_rank_that_does_not_lead_is_told_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", environment(WORKERS, "worker", 1)["TF_CONFIG"])
    with pytest.raises(OptionError, match=r"a:1\. Received: rank 1.*`python -m .*ranks` here"):
        ranks.lead(None, tmp_path, tmp_path)
