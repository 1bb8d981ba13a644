"""Workers that call one another, here all in one process."""

import contextlib
import os
import threading

import pytest

from millrace.serving.errors import DeadlineExceededError, FailedPreconditionError
from millrace.serving.peers import Peers, total
from millrace.serving.protos import model_service_pb2

ALIVE = 1  # any process's number, for the socket of the other worker
GONE = 2**22 + 1  # higher than any process's number


def page(count, total_sum):
    return (
        "# TYPE :requests counter\n"
        f':requests{{model="a b",status="OK"}} {count}\n'
        "# TYPE :latency histogram\n"
        f':latency_bucket{{le="10"}} {count}\n:latency_sum{{}} {total_sum}\n'
    )


def reload_of(name):
    request = model_service_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(name=name)
    return request


@pytest.fixture
def join(tmp_path):
    """Start a worker; returns it and the names of the models that it was made to serve."""
    with contextlib.ExitStack() as stack:

        def run(pid, count=1, refusal=None, started=True):
            reloaded, peers = [], Peers(tmp_path, pid)

            def reload(request, timeout):
                if refusal:
                    raise refusal
                reloaded.append(request.config.model_config_list.config[0].name)

            peers.listen(lambda: page(count, 0.5), reload)
            if started:
                peers.start()
            stack.callback(peers.close)
            return peers, reload, reloaded

        yield run


def test_samples_are_added_and_those_of_a_single_page_are_kept():
    other = page(2, 1.25) + ":latency_count{} 7\n# TYPE :loads counter\n:loads{} 4\n"
    assert total([page(40, 0.5), other]) == (
        "# TYPE :requests counter\n"
        ':requests{model="a b",status="OK"} 42\n'
        "# TYPE :latency histogram\n"
        ':latency_bucket{le="10"} 42\n:latency_sum{} 1.75\n:latency_count{} 7\n'
        "# TYPE :loads counter\n:loads{} 4\n"
    )


def test_metrics_are_those_of_all_workers(join):
    one, _, _ = join(os.getpid(), count=1)
    join(ALIVE, count=2)
    assert one.metrics(page(1, 0.5)) == page(3, "1")


def test_a_reload_reaches_all_workers_and_is_kept_for_later_ones(join, tmp_path):
    one, reload, reloaded = join(os.getpid())
    _, _, others = join(ALIVE)
    assert one.reloaded() is None
    one.reload(reload_of("a"), 20, reload)
    assert (reloaded, others) == (["a"], ["a"])
    assert Peers(tmp_path, GONE).reloaded() == reload_of("a")


def test_the_refusal_of_another_worker_is_returned_with_its_code(join):
    one, reload, _ = join(os.getpid())
    join(ALIVE, refusal=FailedPreconditionError("not so"))
    with pytest.raises(FailedPreconditionError, match=r"^not so$"):
        one.reload(reload_of("a"), 20, reload)
    assert one.reloaded() is None


def test_a_reload_waits_for_a_worker_that_loads_its_first_models(join):
    one, reload, _ = join(os.getpid())
    other, _, others = join(ALIVE, started=False)
    starting = threading.Timer(0.2, other.start)
    starting.start()
    one.reload(reload_of("a"), 20, reload)
    assert others == ["a"]
    starting.join()


def test_a_reload_waits_no_longer_than_the_caller(join):
    one, reload, _ = join(os.getpid())
    join(ALIVE, started=False)
    with pytest.raises(DeadlineExceededError):
        one.reload(reload_of("a"), 0.2, reload)


def test_a_killed_worker_is_ignored(join, tmp_path, caplog):
    one, reload, reloaded = join(os.getpid())
    dead = tmp_path / f"{GONE}.sock"
    dead.touch()
    assert one.metrics(page(1, 0.5)) == page(1, 0.5)
    assert f"The metrics of worker {GONE} are missing" in caplog.text
    assert not dead.exists()
    dead.touch()
    one.reload(reload_of("a"), 20, reload)
    assert reloaded == ["a"]
