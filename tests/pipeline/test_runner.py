"""What the runner promises: whole outputs, a cache that is right, and partial runs."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys

import pytest

from millrace.components.artifacts import Evaluation, Model, Statistics
from millrace.pipeline.errors import Stopped, UsageError
from millrace.pipeline.run_request import Selection
from tests.pipeline import toys

ALL = ["read", "count", "validate", "train", "judge"]


def test_every_step_runs_in_order_and_its_output_is_in_place(toy):
    result = toy.run()
    assert result.status == "done"
    assert ALL == toys.CALLS
    assert toy.statuses(result) == dict.fromkeys(ALL, "ran")
    assert (
        result.output(Model).path / "model"
    ).read_text() == "abc 1 Small(kind='small', width=1) {} None"
    assert list((toy.root.path / "staging").iterdir()) == []


def test_a_second_run_takes_every_step_from_the_cache(toy):
    first = toy.run()
    second = toy.run()
    assert toys.CALLS == []
    assert toy.statuses(second) == dict.fromkeys(ALL, "cached")
    assert [s.output for s in second.steps] == [s.output for s in first.steps]


def test_a_changed_option_runs_that_step_and_those_whose_input_changed(toy):
    toy.run()
    toy.run("train.epochs=2")
    assert toys.CALLS == ["train", "judge"]
    assert toy.observer.reasons["train"] == ["option epochs changed from 1 to 2"]
    assert toy.observer.reasons["judge"] == ["input baseline is new", "input model changed"]


def test_a_step_that_writes_the_same_as_before_leaves_those_below_it_cached(toy):
    toy.run()
    (toy.data / "a.txt").write_text("xyz")
    result = toy.run()
    assert toys.CALLS == ["read", "count", "train", "judge"]
    assert toy.statuses(result)["validate"] == "cached"


def test_changed_data_is_found_by_its_content(toy):
    toy.run()
    (toy.data / "b.txt").write_text("d")
    toy.run()
    assert ALL == toys.CALLS
    assert toy.observer.reasons["read"] == ["input source changed"]


def test_a_touched_file_with_the_same_content_runs_nothing(toy):
    toy.run()
    os.utime(toy.data / "a.txt", (1, 1))
    toy.run()
    assert toys.CALLS == []


def test_a_step_whose_output_was_deleted_runs_again(toy):
    result = toy.run()
    result.output(Statistics).path.rmtree()
    toy.run()
    assert toys.CALLS == ["count"]
    assert toy.observer.reasons["count"] == ["its earlier output is no longer in place"]


def test_beam_flags_reach_the_component_and_not_the_key(toy):
    toy.run(beam_flags=("--direct_num_workers=2",))
    assert ("count", "counting with ('--direct_num_workers=2',)") in toy.observer.lines
    toy.run(beam_flags=())
    assert toys.CALLS == []


def test_a_forced_step_runs_and_those_below_it_only_if_its_output_differs(toy):
    toy.run()
    toy.run(selection=Selection(force=("read",)))
    assert toys.CALLS == ["read"]
    assert toy.observer.reasons["read"] == ["requested by --force"]


def test_the_previous_statistics_are_those_of_the_newest_run_that_differ(toy):
    toy.run()
    (toy.data / "b.txt").write_text("d")
    result = toy.run()
    assert [found["kind"] for found in result.artifacts["validate"].found] == ["DRIFT"]


def test_the_baseline_is_the_newest_other_model_that_was_blessed(toy):
    toy.run("train.epochs=1")
    toy.run("train.epochs=2", "judge.bless=false")
    result = toy.run("train.epochs=3")
    baseline = (result.output(Evaluation).path / "baseline").read_text()
    assert baseline.startswith("abc 1 ")


def test_anomalies_stop_the_run_only_when_asked(toy):
    toy.run()
    (toy.data / "b.txt").write_text("d")
    stopped = toy.run(fail_on_anomaly=True)
    assert stopped.status == "anomalies"
    assert toy.statuses(stopped)["train"] == "skipped"
    assert toy.run().status == "done"


def test_a_failure_names_its_cause_and_skips_the_rest(toy):
    result = toy.run("train.fail=data")
    failed = result.steps[3]
    assert (failed.step, failed.status) == ("train", "failed")
    assert failed.error == "train: expected text. Received: none. Add some."
    assert toy.statuses(result)["judge"] == "skipped"
    assert not (toy.root.path / "artifacts" / "train").exists()


def test_the_log_of_a_failed_step_has_the_traceback(toy):
    result = toy.run("train.fail=bug")
    log = toy.root.log(result.run, "train").read_text()
    assert "ZeroDivisionError: one by zero" in log
    assert "in train" in log
    where, line, said = result.steps[3].error.splitlines()
    assert re.search(r"toys\.py:\d+ in train$", where)
    assert line.strip() == 'raise ZeroDivisionError("one by zero")'
    assert said == "ZeroDivisionError: one by zero"


def test_after_a_failure_the_same_command_runs_only_what_is_missing(toy):
    toy.run("train.fail=data")
    toy.run()
    assert toys.CALLS == ["train", "judge"]


def test_an_output_that_is_not_over_the_given_folder_is_refused(toy):
    dag = toy.dag()
    dag.step(toys.wrong_folder)
    result = toy.carry_out(dag)
    assert result.steps[-1].status == "failed"
    assert "expected Artifact(" in result.steps[-1].error


def test_only_one_step_takes_its_inputs_from_the_newest_outputs(toy):
    toy.run()
    result = toy.run("train.epochs=9", selection=Selection(only="train"))
    assert toys.CALLS == ["train"]
    assert toy.statuses(result) == {**dict.fromkeys(ALL, "skipped"), "train": "ran"}


def test_the_outcome_of_an_earlier_run_is_not_that_of_one_that_stops_before(toy):
    assert toy.run().output(Evaluation) is not None
    partial = toy.run("read.upper=true", selection=Selection(last=("train",)))
    assert partial.output(Evaluation) is None
    assert [step.output for step in partial.steps if step.step == "judge"] == [None]
    pushed = toy.run(selection=Selection(only="judge"))
    lent = {step.step for step in pushed.steps if step.status == "skipped" and step.output}
    assert lent == {step.name for step in toy.dag().find("judge").upstream}


def test_from_and_to_bound_the_steps_that_run(toy):
    toy.run(selection=Selection(last=("train",)))
    assert toys.CALLS == ["read", "train"]
    toy.run("read.upper=true", selection=Selection(first=("train",)))
    assert toys.CALLS == ["judge"]


def test_several_steps_may_end_a_run(toy):
    toy.run(selection=Selection(last=("read", "train")))
    assert toys.CALLS == ["read", "train"]


def test_a_left_out_step_without_an_earlier_output_is_named(toy):
    with pytest.raises(UsageError, match="Step read: expected an output of an earlier run"):
        toy.run(selection=Selection(only="train"))


def test_only_excludes_from_and_to(toy):
    with pytest.raises(UsageError, match="--only: expected alone"):
        toy.run(selection=Selection(only="train", last=("train",)))


def test_a_source_that_is_not_there_is_named(toy):
    (toy.data / "a.txt").unlink()
    toy.data.rmdir()
    with pytest.raises(UsageError, match="expected a file or a folder"):
        toy.run()


def test_the_checkpoint_of_a_failed_step_waits_for_its_next_try_and_goes_when_it_is_done(toy):
    toy.run("train.fail=data")
    (kept,) = (toy.root.path / "resume").glob("train-*")
    assert (kept / "epoch").exists()
    toy.run()
    assert [f for f in (toy.root.path / "resume").glob("train-*") if f.name != kept.name] == []


@pytest.mark.parametrize("settings", [("train.fail=bug",), ()])
def test_an_interruption_ends_the_run_whether_a_library_wrapped_or_dropped_it(toy, settings):
    def interruption():
        return Stopped(signal.SIGTERM) if "train" in toys.CALLS else None

    with pytest.raises(Stopped):
        toy.run(*settings, interruption=interruption)
    assert toys.CALLS[-1] == "train"
    assert not (toy.root.path / "artifacts" / "train").exists()
    assert list((toy.root.path / "staging").iterdir()) == []
    with toy.store.session() as session:
        (run,) = toy.store.runs(session)
        assert (run.status, run.executions[-1].error) == ("killed", "Stopped by SIGTERM.")


KILLED = """
import pathlib, sys
from tests.pipeline.conftest import Toy
toy = Toy.__new__(Toy)
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from tests.pipeline.conftest import Silent
folder = pathlib.Path(sys.argv[1])
toy.data, toy.root, toy.observer = folder / "data", Root(folder / "root"), Silent()
toy.store = Store.open(toy.root.store_url)
toy.run("train.fail=kill")
"""


def test_a_run_killed_inside_a_step_leaves_nothing_half_written_and_can_go_on(toy, tmp_path):
    dead = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert dead.returncode == -9
    assert (toy.root.path / "staging").exists()
    assert not (toy.root.path / "artifacts" / "train").exists()
    os.environ["TOY_SPARE"] = "1"
    try:
        result = toy.run("train.fail=kill")
    finally:
        del os.environ["TOY_SPARE"]
    assert toys.CALLS == ["train", "judge"]
    assert result.status == "done"
    assert list((toy.root.path / "staging").iterdir()) == []
    with toy.store.session() as session:
        assert [run.status for run in toy.store.runs(session)] == ["done", "killed"]
        killed = toy.store.runs(session)[1].executions
        assert [one.status for one in killed] == ["ran", "ran", "ran", "killed"]


def _run_in_child(folder, number, queue):
    from pathlib import Path

    from millrace.pipeline.root import Root
    from millrace.pipeline.store import Store
    from tests.pipeline.conftest import Silent, Toy

    toy = Toy.__new__(Toy)
    toy.data, toy.root, toy.observer = Path(folder) / "data", Root(Path(folder) / "root"), Silent()
    toy.store = Store.open(toy.root.store_url)
    result = toy.run(f"train.epochs={number}")
    queue.put(json.dumps([result.status, (result.output(Model).path / "model").read_text()]))


def test_two_runs_on_one_root_at_once_do_not_disturb_each_other(toy, tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    children = [
        context.Process(target=_run_in_child, args=(str(tmp_path), number, queue))
        for number in (1, 2, 3)
    ]
    for child in children:
        child.start()
    answers = sorted(queue.get(timeout=60) for _ in children)
    for child in children:
        child.join()
    models = [json.loads(answer) for answer in answers]
    assert [status for status, _ in models] == ["done"] * 3
    assert [text[:5] for _, text in models] == ["abc 1", "abc 2", "abc 3"]


def test_of_several_outputs_of_a_type_a_result_gives_the_last(toy):
    dag = toy.dag()
    dag.step(toys.count, step_name="count_again", examples=dag.steps["read"])
    result = toy.carry_out(dag)
    assert result.output(Statistics) == result.artifacts["count_again"]


@pytest.mark.parametrize(
    ("setting", "data", "failed", "can_resume"),
    [
        ("train.fail=data", "abc", 3, True),
        ("train.fail=bug", "abc", 3, True),
        ("train.fail=option", "abc", 3, False),
        ("train.fail=no", "refused", 0, False),
    ],
    ids=["of an output", "a bug", "an option", "the user's data"],
)
def test_the_same_command_goes_on_unless_options_or_data_are_to_be_corrected(
    toy, setting, data, failed, can_resume
):
    (toy.data / "a.txt").write_text(data)
    step = toy.run(setting).steps[failed]
    assert (step.status, step.can_resume) == ("failed", can_resume)
