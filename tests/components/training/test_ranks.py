"""What TF_CONFIG says of the machines of a training, and what is refused."""

import functools
import io
import json
import socket
import sys
import threading
from types import SimpleNamespace

import pytest

from millrace.components.errors import ModelError, OptionError
from millrace.components.training import ranks
from millrace.components.training.cluster import Cluster
from tests.serving.conftest import free_port

WORKERS = {"worker": ["a:1", "b:2"]}
CHIEF = {"chief": ["c:3"], **WORKERS}


def environment(cluster, kind, index):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "expected"),
    [
        (WORKERS, "worker", 0, Cluster(("a:1", "b:2"), 0)),
        (WORKERS, "worker", 1, Cluster(("a:1", "b:2"), 1)),
        (CHIEF, "chief", 0, Cluster(("c:3", "a:1", "b:2"), 0, has_chief=True)),
        (CHIEF, "worker", 1, Cluster(("c:3", "a:1", "b:2"), 2, has_chief=True)),
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
        (environment({"worker": ["a:65536"]}, "worker", 0), "each host:port (1 to 65535), and"),
        (environment({"worker": ["a:0"]}, "worker", 0), "each host:port (1 to 65535), and"),
        (
            environment({"chief": ["a:1"], "worker": ["b:2", "a:1"]}, "worker", 0),
            "expected an address of its own for each rank. Received: a:1 twice.",
        ),
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


@pytest.fixture
def impatient(monkeypatch):
    """The first rank says at once for whom it waits, and does so for no time."""
    for name, seconds in (("_PAUSE", 0.02), ("_SOON", 0.0), ("_LIMIT", 0.2)):
        monkeypatch.setattr(ranks, name, seconds)


def test_the_first_rank_says_who_is_missing_and_does_not_wait_forever(impatient, caplog):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as there, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        here, gone = (f"127.0.0.1:{each.getsockname()[1]}" for each in (there, free))
        with pytest.raises(ModelError) as ended:
            ranks.look_for_others(Cluster(("a:1", here, gone), 0), threading.Event())
    command = "`python -m millrace.components.training.ranks`"
    assert caplog.messages == [
        f"waiting for rank 2 at {gone}; start it by {command}, with its index in TF_CONFIG"
    ]
    assert f"Missing: rank 2 at {gone}. Start {command} there" in str(ended.value)


def test_ranks_that_answer_and_never_connect_are_not_waited_for_forever(impatient, caplog):
    with socket.create_server(("127.0.0.1", 0), backlog=64) as there:
        cluster = Cluster(("a:1", f"127.0.0.1:{there.getsockname()[1]}"), 0)
        with pytest.raises(ModelError, match="Missing: all of them at their ports, and not conn"):
            ranks.look_for_others(cluster, threading.Event())
    assert caplog.messages == []


def test_once_all_are_connected_nobody_is_looked_for(impatient, caplog):
    connected = threading.Event()
    connected.set()
    ranks.look_for_others(Cluster(("a:1", "127.0.0.1:1"), 0), connected)
    assert caplog.messages == []


GONE = "Collective ops is aborted by: Error reported from /job:worker/task:1: "
RESTARTED = f"""{{{{function_node x_device_/job:worker/replica:0/task:0/device:CPU:0}}}} {GONE}\
/job:worker/replica:0/task:1 unexpectedly tried to connect with a different incarnation.
The error could be from a previous operation."""
UNHEALTHY = f"""Graph execution error:

Detected at node CollectiveReduceV2 defined at (most recent call last):
  File "a.py", line 3, in <module>

{GONE}The following tasks are unhealthy (stopped sending heartbeats):
/job:worker/replica:0/task:1
The tasks have crashed."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            RESTARTED,
            "the loss of rank 1 at b:2 (/job:worker/replica:0/task:1 unexpectedly tried to connect "
            "with a different incarnation)",
        ),
        (
            UNHEALTHY,
            "the loss of rank 1 at b:2 (The following tasks are unhealthy (stopped sending "
            "heartbeats))",
        ),
        ("Graph execution error:\n\nSocket closed\n", "Socket closed"),
        ("Graph execution error:", "no reason"),
    ],
)
def test_a_lost_rank_is_named_with_what_tensorflow_knows(text, expected):
    assert ranks.loss(text, Cluster(("a:1", "b:2"), 0)) == expected


def test_a_worker_is_counted_after_the_chief():
    lost = ranks.loss(f"{GONE}no", Cluster(("c:3", "a:1", "b:2"), 0, has_chief=True))
    assert lost == "the loss of rank 2 at b:2 (no)"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "trainer.strategy=multi_worker: expected TF_CONFIG in the environment. Received: "),
        (environment(WORKERS, "worker", 0), "TF_CONFIG: expected another rank than the first. "),
    ],
)
@pytest.mark.parametrize("once", [(), ("--once",)])
def test_a_rank_that_cannot_follow_ends_at_once_as_wrong_usage(
    given, told, once, monkeypatch, capsys
):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, text in given.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(sys, "argv", ["ranks", *once])
    with pytest.raises(SystemExit) as ended:
        ranks._main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(told)


def test_a_training_whose_ranks_stay_away_ends_with_their_names(impatient, tmp_path, monkeypatch):
    here, gone = (f"127.0.0.1:{free_port()}" for _ in range(2))
    cluster = environment({"worker": [here, gone]}, "worker", 0)
    monkeypatch.setenv("TF_CONFIG", cluster["TF_CONFIG"])
    with pytest.raises(ModelError, match=f"Missing: rank 1 at {gone}"):
        ranks.lead(None, tmp_path, tmp_path)  # it would be told the plan once it had connected


def test_the_others_are_looked_for_while_the_first_rank_connects_and_it_is_heard_after(capsys):
    done = []
    names = ("begin", "listen", "heard")
    watch = SimpleNamespace(**{name: functools.partial(done.append, name) for name in names})
    for rank in (1, 0):  # of which the first alone tells
        ranks._mark(ranks._CONNECTING, Cluster(("a:1", "b:2"), rank))
    for mark in (ranks._CONNECTED, ranks._ALIVE):
        ranks._mark(mark, Cluster(("a:1", "b:2"), 0))
    told = list(io.StringIO(capsys.readouterr().out))  # `splitlines` would part them
    assert len(told) == 3
    assert ranks._relayed(told, watch) == ""
    assert done == ["heard", "begin", "heard", "listen", "heard"]
    assert capsys.readouterr().out == ""


class Stopped:
    """The process of a first rank that does nothing any more."""

    pid = 77

    def __init__(self):
        self.ended = threading.Event()

    def kill(self):
        self.ended.set()


def test_a_first_rank_that_says_nothing_any_more_is_ended_with_its_name(impatient, monkeypatch):
    monkeypatch.setattr(ranks, "_SILENT", 0.1)
    process = Stopped()
    watch = ranks._Watch(Cluster(("a:1", "b:2"), 0), process)
    watch.listen()
    assert process.ended.wait(60)
    assert str(watch.failure) == (
        "trainer.strategy=multi_worker: expected every rank to stay until the end. Received: "
        "nothing for 0.1 s from rank 0 at a:1, whose process 77 on this machine may be stopped. It "
        "has been ended; run this again: it goes on after the last whole epoch."
    )


def test_a_first_rank_that_has_ended_is_not_listened_to(impatient, monkeypatch):
    monkeypatch.setattr(ranks, "_SILENT", 0.0)
    process = Stopped()
    watch = ranks._Watch(Cluster(("a:1", "b:2"), 0), process)
    watch.end()
    watch._listen()
    assert (process.ended.is_set(), watch.failure) == (False, None)
