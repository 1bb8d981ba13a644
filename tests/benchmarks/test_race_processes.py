"""What a command used between two moments, and the processes below it."""

import os
import sys

import pytest

from benchmarks.race_processes import Moment, Spent, spent, watched

MOMENTS = [Moment(10.0, 0.0, 100.0), Moment(12.0, 4.0, 300.0), Moment(14.0, 4.5, 200.0)]


def test_cpu_grows_evenly_between_two_moments():
    assert spent(MOMENTS, 11.0, 13.0) == Spent(2.0, 2.25, 300.0)


def test_a_short_step_has_the_memory_of_the_moments_around_it():
    assert spent(MOMENTS, 12.5, 12.75) == Spent(0.25, 0.0625, 300.0)
    assert spent(MOMENTS, 13.0, 14.0).memory == 300.0


def test_cpu_counts_from_what_is_left_once_a_process_has_gone_with_its_own():
    gone = [*MOMENTS, Moment(16.0, 2.0, 100.0), Moment(18.0, 3.0, 100.0)]
    assert spent(gone, 14.0, 16.0) == Spent(2.0, 0.0, 200.0)
    assert spent(gone, 12.0, 18.0) == Spent(6.0, 1.5, 300.0)


@pytest.fixture
def watch(tmp_path):
    def run(code, limit=30.0):
        command = [sys.executable, "-S", "-c", code]
        log = tmp_path / "log"
        return watched(command, log, limit=limit, environment=os.environ, folder=tmp_path)

    return run


def test_the_cpu_and_memory_of_a_child_count(watch):
    child = "held = b'x' * (100 << 20)\nfor _ in range(1 << 23): pass"
    moments = watch(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])")
    whole = spent(moments, moments[0].at, moments[-1].at)
    assert whole.memory > 100
    assert whole.cpu > 0.05


def test_a_command_that_fails_shows_the_end_of_its_log(watch):
    with pytest.raises(SystemExit, match=r"exit status 3 after \d+ s of at most 30\nno such thing"):
        watch("import sys; print('no such thing'); sys.exit(3)")


def test_a_command_that_takes_too_long_is_killed(watch):
    with pytest.raises(SystemExit, match=r"exit status -9 after \d+ s of at most 0"):
        watch("import time; time.sleep(60)", limit=0.1)
