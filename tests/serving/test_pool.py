"""Few threads are awake, and yet no task waits for a blocked one."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving import pool
from millrace.serving.pool import ThreadPool, blocked


@pytest.fixture
def patient(monkeypatch):
    """Disable the watchdog: no thread is woken for one that blocks unannounced."""
    monkeypatch.setattr(pool, "_MOMENT", 60)


class Gate:
    """Tasks that wait until it is opened; records which have begun, in which threads."""

    def __init__(self):
        self.begun, self.threads, self._open = [], set(), threading.Event()

    def __call__(self, number):
        self.begun.append(number)
        self.threads.add(threading.current_thread().name)
        assert self._open.wait(30)
        return number

    def says_so(self, number):
        with blocked():
            return self(number)

    def open(self):
        self._open.set()


def only_three_begin(gate):
    """Check that exactly the first three tasks begin."""
    until(lambda: len(gate.begun) == 3)
    time.sleep(0.05)
    assert sorted(gate.begun) == [0, 1, 2]


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_results_and_errors_are_returned():
    workers = ThreadPool(2, "test")
    assert workers.submit(divmod, 7, 2).result(30) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        workers.submit(divmod, 7, 0).result(30)


@pytest.mark.usefixtures("patient")
def test_three_threads_are_awake_and_other_tasks_follow_in_order():
    workers, gate = ThreadPool(8, "test"), Gate()
    futures = [workers.submit(gate, number) for number in range(8)]
    only_three_begin(gate)
    gate.open()
    assert [future.result(30) for future in futures] == list(range(8))
    assert gate.threads <= {"test_0", "test_1", "test_2"}


@pytest.mark.usefixtures("patient")
def test_a_thread_that_announces_that_it_is_blocked_makes_room_at_once():
    workers, gate = ThreadPool(8, "test"), Gate()
    futures = [workers.submit(gate.says_so, number) for number in range(9)]
    until(lambda: len(gate.begun) == 8)
    time.sleep(0.05)
    assert len(gate.begun) == 8, "there are eight threads"
    gate.open()
    assert [future.result(30) for future in futures] == list(range(9))


def test_a_thread_that_blocks_unannounced_delays_nobody_for_long():
    workers, gate = ThreadPool(6, "test"), Gate()
    streams = [workers.submit(gate, number) for number in range(5)]
    assert workers.submit(int, "7").result(30) == 7
    assert workers.submit(int, "8").result(30) == 8
    gate.open()
    assert [future.result(30) for future in streams] == list(range(5))


@pytest.mark.usefixtures("patient")
def test_threads_that_return_from_blocking_do_not_add_up():
    workers, gate, later = ThreadPool(8, "test"), Gate(), Gate()
    first = [workers.submit(gate.says_so, number) for number in range(8)]
    until(lambda: len(gate.begun) == 8)
    second = [workers.submit(later, number) for number in range(8)]
    gate.open()
    assert [future.result(30) for future in first] == list(range(8))
    only_three_begin(later)
    later.open()
    assert [future.result(30) for future in second] == list(range(8))


def test_once_all_tasks_are_done_three_threads_are_awake_again(monkeypatch):
    workers, gate, later = ThreadPool(8, "test"), Gate(), Gate()
    first = [workers.submit(gate, number) for number in range(6)]
    until(lambda: len(gate.begun) == 6)
    gate.open()
    assert [future.result(30) for future in first] == list(range(6))
    until(lambda: len(workers._idle) == 6)
    monkeypatch.setattr(pool, "_MOMENT", 60)
    second = [workers.submit(later, number) for number in range(6)]
    only_three_begin(later)
    later.open()
    assert [future.result(30) for future in second] == list(range(6))


def test_blocked_does_nothing_on_a_thread_outside_the_pool():
    with blocked():
        assert threading.current_thread() is threading.main_thread()


@pytest.mark.usefixtures("patient")
def test_a_task_cancelled_in_time_is_not_run():
    workers, gate = ThreadPool(1, "test"), Gate()
    first, second = workers.submit(gate, 1), workers.submit(gate, 2)
    until(lambda: gate.begun == [1])
    assert second.cancel()
    gate.open()
    assert first.result(30) == 1
    workers.shutdown()
    assert gate.begun == [1]


@pytest.mark.usefixtures("patient")
def test_a_pool_that_is_shut_down_finishes_its_tasks_and_accepts_no_more():
    workers, gate = ThreadPool(4, "test"), Gate()
    futures = [workers.submit(gate, number) for number in range(9)]
    workers.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="after shutdown"):
        workers.submit(int)
    gate.open()
    workers.shutdown()
    assert [future.result(0) for future in futures] == list(range(9))
    assert not any(thread.is_alive() for thread in workers._threads)


@pytest.mark.usefixtures("patient")
def test_a_pool_may_be_shut_down_without_its_waiting_tasks():
    workers, gate = ThreadPool(1, "test"), Gate()
    first, second = workers.submit(gate, 1), workers.submit(gate, 2)
    until(lambda: gate.begun == [1])
    workers.shutdown(wait=False, cancel_futures=True)
    gate.open()
    assert first.result(30) == 1
    assert second.cancelled()


@given(
    most=st.integers(1, 5),
    tasks=st.lists(st.sampled_from(["runs", "says so", "sleeps"]), max_size=40),
)
def test_every_task_is_run_exactly_once(most, tasks):
    done = []

    def work(number, how):
        if how == "says so":
            with blocked():
                time.sleep(0.0001)
        elif how == "sleeps":
            time.sleep(0.0001)
        done.append(number)

    workers = ThreadPool(most, "test")
    for number, how in enumerate(tasks):
        workers.submit(work, number, how)
    workers.shutdown()
    assert sorted(done) == list(range(len(tasks)))
    assert len(workers._threads) <= most


def test_tasks_whose_message_does_not_come_keep_out_nobody(monkeypatch):
    monkeypatch.setattr(pool, "_PATIENCE", 0.05)
    workers, gate = ThreadPool(2, "test"), Gate()
    slow = [workers.submit(gate, number) for number in range(5)]
    assert workers.submit(divmod, 7, 2).result(30) == (3, 1)
    gate.open()
    assert [future.result(30) for future in slow] == list(range(5))


def test_tasks_whose_message_has_come_count_however_long_they_run(monkeypatch):
    monkeypatch.setattr(pool, "_PATIENCE", 0.0)
    workers, gate = ThreadPool(2, "test"), Gate()

    def received(number):
        pool.received()
        return gate(number)

    running = [workers.submit(received, number) for number in range(5)]
    until(lambda: len(gate.begun) == 2)
    time.sleep(0.05)
    assert len(gate.begun) == 2
    gate.open()
    assert [future.result(30) for future in running] == list(range(5))
