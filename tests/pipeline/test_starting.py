"""A run started in a process of its own."""

import time

import pytest

from millrace.pipeline import starting
from millrace.pipeline.errors import PipelineError, UsageError

RECIPE = """
from millrace import Dag
from millrace.components.artifacts import Examples
from etils.epath import Path

def begin(out: Path) -> Examples:
    return Examples(out).write_summary({"train": 1})

def wire(dag: Dag, data: str | None, serving_root: Path) -> None:
    dag.step(begin)
"""


@pytest.fixture
def words(toy, tmp_path):
    (tmp_path / "own_recipe.py").write_text(RECIPE)
    return ["run", "own_recipe.py:wire", "--root", toy.root.name, "--no-warm"]


def test_its_run_is_named_and_what_it_prints_lies_beside_the_logs(toy, words, tmp_path):
    run = starting.start(toy.store, toy.root, words, folder=str(tmp_path))
    end = time.monotonic() + 60
    while toy.store.recorded_run(run).status == "running" and time.monotonic() < end:
        time.sleep(0.1)
    assert toy.store.recorded_run(run).status == "done"
    while "report" not in (said := (toy.root.run(run) / "console.txt").read_text()):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert "begin" in said
    again = starting.start(toy.store, toy.root, words, folder=str(tmp_path))
    assert again != run
    while toy.store.recorded_run(again).status == "running" and time.monotonic() < end:
        time.sleep(0.1)


def test_a_refusal_is_passed_on_and_leaves_nothing(toy, words, tmp_path):
    with pytest.raises(UsageError, match="Pipeline wire: no step `nothing`"):
        starting.start(toy.store, toy.root, [*words, "--set", "nothing.a=1"], folder=str(tmp_path))
    assert list((toy.root.path / "runs").glob(".*")) == []


def test_one_that_takes_too_long_goes_on_and_that_is_said(toy, words, tmp_path):
    with pytest.raises(PipelineError, match="Look at the runs later"):
        starting.start(toy.store, toy.root, words, folder=str(tmp_path), patience=0)
    end = time.monotonic() + 60
    while not starting._recorded(toy.store, toy.root) and time.monotonic() < end:
        time.sleep(0.1)
    (run,) = starting._recorded(toy.store, toy.root)
    while toy.store.recorded_run(run).status == "running" and time.monotonic() < end:
        time.sleep(0.1)
