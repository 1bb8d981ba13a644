"""When a run begins the process that its later steps fork theirs from, and for which steps."""

import io

import pytest

from millrace.pipeline import running, warm_up
from millrace.pipeline.console import SafeConsole
from millrace.pipeline.run_request import RunRequest, Selection
from tests.pipeline import toys


@pytest.fixture
def run(toy, monkeypatch):
    """Carry out the toy pipeline; returns what was begun and ended, among the toys that ran."""
    monkeypatch.setattr(warm_up, "_MODULES", {toys.train: ("trains", "x"), toys.judge: ("judges",)})
    monkeypatch.setattr(warm_up.warm, "begin", toys.CALLS.append)
    monkeypatch.setattr(warm_up.warm, "end", lambda: toys.CALLS.append("end"))

    def carried(*settings, **more):
        toys.CALLS.clear()
        request = RunRequest(toy.dag(*settings), "toy", "millrace run toy", **more)
        running.carry_out(request, toy.root, toy.store, SafeConsole(file=io.StringIO()))
        return toys.CALLS

    return carried


def test_it_is_begun_before_the_first_step_for_all_steps_and_ends_with_the_run(run):
    begun = {"trains", "x", "judges"}
    assert run() == [begun, "read", "count", "validate", "train", "judge", "end"]


def test_steps_from_the_cache_begin_none_and_need_none(run):
    run()
    assert run() == ["end"]
    assert run("judge.bless=false") == [{"judges"}, "judge", "end"]


def test_it_is_begun_for_the_chosen_steps_alone(run):
    assert run(selection=Selection(last=("train",))) == [{"trains", "x"}, "read", "train", "end"]
    assert run(selection=Selection(last=("count",))) == [set(), "count", "end"]


def test_a_run_may_do_without(run):
    assert run(warm=False) == ["read", "count", "validate", "train", "judge", "end"]


def test_it_ends_with_a_run_that_fails(run):
    assert run("train.fail=data")[-2:] == ["train", "end"]
