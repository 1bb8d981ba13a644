"""Runs on the calling thread and on the runtime's: the same outputs, errors and limits."""

import subprocess
import sys
import threading
from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session

from millrace.serving import session
from millrace.serving.errors import DeadlineExceededError, InvalidArgumentError
from millrace.serving.session import GraphSession

V1 = tf.compat.v1


def made(build):
    """A session of the graph that `build` makes."""
    graph = tf.Graph()
    with graph.as_default():
        build()
    return GraphSession(V1.Session(graph=graph), graph.as_graph_def())


def double():
    x = V1.placeholder(tf.float32, [None, 2], name="x")
    tf.add(x, x, name="y")
    tf.multiply(x, [[10.0, 100.0]], name="z")


def picture():
    image = V1.placeholder(tf.float32, [None, 4, 4, 1], name="x")
    tf.nn.relu(tf.nn.conv2d(image, np.ones((2, 2, 1, 1), "f4"), 1, "VALID"), name="y")


def slowly():
    x = V1.placeholder(tf.float32, [None], name="x")
    ended = tf.while_loop(lambda i: i < x[0], lambda i: (i + 1.0,), [0.0])
    tf.identity(ended, name="y")


@pytest.fixture
def here(monkeypatch):
    """Count the runs on the calling thread."""
    ran = []
    run = pywrap_tf_session.TF_SessionRunCallable

    def counted(*arguments):
        ran.append(threading.get_ident())
        return run(*arguments)

    monkeypatch.setattr(pywrap_tf_session, "TF_SessionRunCallable", counted)
    return ran


def floats(*rows):
    return {"x:0": np.array(rows, np.float32)}


@pytest.fixture
def brisk(monkeypatch):
    """Make every run count as brief, or none."""
    return lambda seconds: monkeypatch.setattr(session, "_BRIEF", seconds)


ALWAYS, NEVER = 3600.0, 0.0


def test_runs_known_to_be_brief_stay_on_the_calling_thread(here, brisk):
    brisk(ALWAYS)
    (y,) = made(double).run(floats([1, 2]), ["y:0"], 5.0)
    assert y.tolist() == [[2, 4]]
    assert here == [threading.get_ident()]


def test_other_runs_leave_the_calling_thread(here):
    (y,) = made(double).run(floats([1, 2]), ["y:0"], 5.0)
    assert (y.tolist(), here) == ([[2, 4]], [])


def test_the_estimate_follows_the_fastest_run_and_grows_slowly():
    one = made(double)
    one.run(floats([1, 2]), ["y:0"], None)
    (route,) = one._routes.values()
    assert 0 < route.pace <= 0.002 * 1.1
    route.pace = 1e-12
    one.run(floats([1, 2]), ["y:0"], None)
    assert route.pace == pytest.approx(1.1e-12)


def test_a_loop_never_runs_where_it_cannot_be_stopped(here, brisk):
    brisk(ALWAYS)
    one = made(slowly)
    assert one.run(floats(3), ["y:0"], 5.0)[0].tolist() == [3]
    with pytest.raises(DeadlineExceededError):
        one.run(floats(1e12), ["y:0"], 0.05)
    assert here == []


@pytest.mark.parametrize("seconds", [ALWAYS, NEVER])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.ones((1, 2), np.float64), r"^Expects arg\[0\] to be float but double is provided$"),
        (np.array([[b"a"]], object), r"^Expects arg\[0\] to be float but string is provided$"),
        (np.ones((1, 3), np.float32), r"^(Inc|inc)ompatible shapes: \[1,3\] vs\. \[1,2\]"),
    ],
)
def test_errors_have_the_same_text_on_any_thread(brisk, seconds, value, text):
    brisk(seconds)
    with pytest.raises(InvalidArgumentError, match=text):
        made(double).run({"x:0": value}, ["z:0"], None)


@pytest.mark.parametrize("seconds", [ALWAYS, NEVER])
def test_outputs_are_in_the_requested_order(brisk, seconds):
    brisk(seconds)
    one = made(double)
    z, y = one.run(floats([1, 2]), ["z:0", "y:0"], None)
    assert (y.tolist(), z.tolist()) == ([[2, 4]], [[10, 200]])
    assert one.run(floats(), ["y:0"], None)[0].shape == (0,)


def test_a_rank_for_which_fast_kernels_abort_the_process_is_refused():
    one = made(picture)
    with pytest.raises(InvalidArgumentError, match=r"^input must be 4-dimensional: \[1,2\]$"):
        one.run(floats([1, 2]), ["y:0"], None)
    assert one.run({"x:0": np.ones((1, 4, 4, 1), "f4")}, ["y:0"], None)[0].shape == (1, 3, 3, 1)


def test_callers_cannot_exhaust_the_memory_with_orders_of_outputs(monkeypatch):
    monkeypatch.setattr(session, "_MOST_ROUTES", 1)
    one = made(double)
    for fetches in (["y:0"], ["z:0"], ["y:0", "z:0"]):
        assert len(one.run(floats([1, 2]), fetches, None)) == len(fetches)
    assert len(one._routes) == 1


def test_concurrent_first_runs_each_get_their_own_outputs(brisk):
    brisk(ALWAYS)
    one = made(double)
    together = threading.Barrier(8)

    def ask(number):
        together.wait(10)
        return [one.run(floats([number, 0]), ["y:0"], None)[0][0, 0] for _ in range(50)]

    with futures.ThreadPoolExecutor(8) as pool:
        assert [set(found) for found in pool.map(ask, range(8))] == [{2.0 * n} for n in range(8)]


def test_nothing_runs_after_close():
    one = made(double)
    one.close()
    with pytest.raises(AttributeError):
        one.run(floats([1, 2]), ["y:0"], None)


def test_a_process_may_end_with_a_session_still_open():
    program = """
import os
from tests.serving import test_session as here
os.kept = here.made(here.double)  # lives until TensorFlow's modules are empty
os.kept.run(here.floats([1, 2]), ["y:0"], None)
[route] = os.kept._routes.values()
route.pace = 0.0  # however busy the machine is
os.kept.run(here.floats([1, 2]), ["y:0"], None)
print(route.prepared is not None)
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "True\n")
    assert "Exception ignored" not in ended.stderr
