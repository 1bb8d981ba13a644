"""Runs whose steps run one by one: each reads its own run, and all must be of the same."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.pipeline import stepwise
from millrace.pipeline.errors import Stopped, UsageError
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest, Selection
from millrace.pipeline.runs import open_run
from tests.pipeline import toys

ALL = ["read", "count", "validate", "train", "judge"]


@pytest.fixture
def step(toy):
    """Run one step of the toy pipeline in the run `run`."""

    def stepped(
        name, run, *settings, data=None, spans="latest", recipe="toy", interrupted=None, **options
    ):
        named = stepwise.named(toy.store, toy.root, run, recipe, data, spans)
        request = RunRequest(
            toy.dag(*settings), recipe, f"step {name}", data, Selection(only=name), named=named
        )
        for key, value in options.items():
            object.__setattr__(request, key, value)
        return stepwise.run_step(request, toy.root, toy.store, toy.observer, lambda: interrupted)

    toys.CALLS.clear()
    return stepped


def status(toy, run):
    return toy.store.recorded_run(run).status


def files(artifacts):
    return {
        name: {file.name: file.read_bytes() for file in Path(one.path).iterdir()}
        for name, one in artifacts.items()
    }


def test_the_steps_one_by_one_write_what_a_run_writes(toy, step):
    for name in ALL:
        done = step(name, "a")
    whole = toy.run()
    assert files(done.run.artifacts) == files(whole.artifacts)
    assert toy.statuses(whole) == dict.fromkeys(ALL, "cached")


def test_a_run_is_partial_until_all_of_its_steps_have_run(toy, step):
    first = step("read", "a")
    assert (first.step.status, first.status, first.run.status) == ("ran", "done", "partial")
    assert first.next == ("count", "train")
    assert status(toy, "a") == "partial"
    second = step("train", "a")
    assert second.next == ("count", "judge")
    for name in ("judge", "count", "validate"):
        last = step(name, "a")
    assert (last.run.status, status(toy, "a"), last.next) == ("done", "done", ())


def test_a_step_reads_what_its_own_run_wrote_whatever_newer_runs_did(toy, step):
    step("read", "a")
    (toy.data / "a.txt").write_text("newer")
    step("read", "b")
    toy.run("train.epochs=7")
    assert (step("train", "a").run.artifacts["train"].path / "model").read_text().startswith("abc")
    assert (step("train", "b").run.artifacts["train"].path / "model").read_text()[:5] == "newer"


def test_an_unchanged_step_comes_from_the_cache(toy, step):
    toy.run()
    toys.CALLS.clear()
    assert step("read", "a").step.status == "cached"
    assert step("train", "a").step.status == "cached"
    assert toys.CALLS == []


def test_a_step_whose_input_has_not_been_written_in_this_run_is_refused_and_begins_nothing(
    toy, step
):
    toy.run()
    with pytest.raises(UsageError) as refused:
        step("train", "a")
    assert str(refused.value) == (
        "Step train: expected the output of step read in run a. Received: none. Run "
        "`millrace step toy read --run a` first, with the same options."
    )
    assert toy.store.recorded_run("a") is None


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        (
            ["train.epochs=2"],
            {},
            "Run a: expected train.epochs 1, with which it began. Received: 2",
        ),
        (["train.model.width=2"], {}, "expected train.model.width 1, with"),
        (
            [],
            {"recipe": "other", "data": "elsewhere"},
            "expected the recipe 'toy', with which it began. Received: 'oth",
        ),
        ([], {"data": "elsewhere"}, "expected --data None, with which"),
        ([], {"spans": "latest:2"}, "expected --spans 'latest', with which"),
    ],
)
def test_a_step_of_something_else_than_its_run_began_with_is_refused(
    step, settings, options, message
):
    step("read", "a")
    with pytest.raises(UsageError, match=message):
        step("train", "a", *settings, **options)


def test_a_run_that_began_under_another_root_is_refused(toy, step, tmp_path):
    step("read", "a")
    first, toy.root = toy.root, Root(tmp_path / "second")
    with pytest.raises(UsageError, match=f"expected --root '{first.name}', with which it began"):
        step("read", "a", data="elsewhere")


def test_a_step_that_reads_another_folder_than_its_run_began_with_is_refused(toy, step):
    step("read", "a")
    toy.data = toy.data.rename(toy.data.with_name("moved"))
    with pytest.raises(UsageError, match=r"expected read\.source 'RawFiles .*/data', with which"):
        step("read", "a")


def test_files_that_change_between_two_readers_of_a_run_are_refused(toy, step):
    step("read", "a")
    (toy.data / "a.txt").write_text("newer")
    with pytest.raises(UsageError, match=r"expected what run a has read before\. Received: other"):
        step("read", "a")
    assert step("read", "b").step.status == "ran"


def test_the_run_of_a_whole_pipeline_cannot_be_gone_on_with(toy, step):
    run = toy.run().run
    with pytest.raises(UsageError, match="expected a run of single steps"):
        step("read", run)


@pytest.mark.parametrize("name", ["", "latest", "null", ".a", "a/b", "a:b", "a b", "ä", "a" * 101])
def test_a_name_that_could_not_be_a_folder_is_refused(step, name):
    with pytest.raises(UsageError, match="--run: expected 1 to 100 letters, digits"):
        step("read", name)


def test_what_was_the_latest_span_as_a_run_began_stays_its_own(toy):
    pattern = f"{toy.data}/{{SPAN}}"
    (toy.data / "1").mkdir()
    first = stepwise.named(toy.store, toy.root, "a", "toy", pattern, "latest")
    request = RunRequest(toy.dag(), "toy", "step", pattern, Selection(only="read"), named=first)
    stepwise.run_step(request, toy.root, toy.store, toy.observer)
    (toy.data / "2").mkdir()
    assert (
        stepwise.named(toy.store, toy.root, "a", "toy", pattern, "latest").found == f"{toy.data}/1"
    )
    assert (
        stepwise.named(toy.store, toy.root, "b", "toy", pattern, "latest").found == f"{toy.data}/2"
    )


def test_a_failed_step_can_be_run_again(toy, step):
    step("read", "a", "train.fail=data")
    failed = step("train", "a", "train.fail=data")
    assert (failed.status, failed.step.error) == (
        "failed",
        "train: expected text. Received: none. Add some.",
    )
    assert (status(toy, "a"), failed.next) == ("failed", ("count", "train"))
    with pytest.raises(
        UsageError, match=r"Received: a step that has failed\. Run `millrace step toy"
    ):
        step("judge", "a", "train.fail=data")
    step("count", "a", "train.fail=data")
    assert status(toy, "a") == "failed"


def test_an_interrupted_step_leaves_nothing_in_staging(toy, step):
    with pytest.raises(Stopped):
        step("read", "a", interrupted=Stopped(15))
    assert list(toy.root.staging("a").glob("*")) == []


def test_anomalies_end_the_step_that_finds_them_and_mark_the_run(toy, step):
    toy.run()
    (toy.data / "a.txt").write_text("longer")
    for name in ("read", "count"):
        assert step(name, "a", fail_on_anomaly=True).status == "done"
    assert step("validate", "a", fail_on_anomaly=True).status == "anomalies"
    after = step("train", "a", fail_on_anomaly=True)
    assert (after.status, after.run.status) == ("done", "anomalies")
    assert step("validate", "a").status == "done"


KILLED = """
import pathlib, sys
from millrace.pipeline import stepwise
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest, Selection
from millrace.pipeline.store import Store
from tests.pipeline.conftest import Silent, Toy

toy, folder = Toy.__new__(Toy), pathlib.Path(sys.argv[1])
toy.data, toy.root = folder / "data", Root(folder / "root")
store, dag = Store.open(toy.root.store_url), toy.dag("train.fail=kill")
for name in ("read", "train"):
    run = stepwise.named(store, toy.root, "a", "toy", None, "latest")
    request = RunRequest(dag, "toy", "step", selection=Selection(only=name), named=run)
    stepwise.run_step(request, toy.root, store, Silent())
"""


def test_a_killed_step_can_be_run_again_and_others_see_that_it_is_dead(
    toy, step, tmp_path, monkeypatch
):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert (toy.root.staging("a") / "train" / "half").exists()
    assert status(toy, "a") == "running"
    seen = open_run("a", toy.root.path)
    assert (seen.status, seen.steps["read"].status, seen.steps["train"].status) == (
        "killed",
        "ran",
        "killed",
    )
    with toy.root.running("a", shared=True), toy.root.at_work("a", "count"):
        seen = open_run("a", toy.root.path)
        assert (seen.status, seen.steps["train"].status) == ("running", "killed")
    other = step("count", "a", "train.fail=kill")
    assert other.run.status == "killed"
    assert {one.step: one.status for one in other.run.steps}["train"] == "killed"
    (toy.root.staging("a") / "train" / "older").touch()
    monkeypatch.setenv("TOY_SPARE", "1")
    again = step("train", "a", "train.fail=kill")
    assert (again.step.status, again.run.status) == ("ran", "partial")
    assert sorted(file.name for file in again.step.output.iterdir()) == ["half", "model"]
    assert not toy.root.staging("a").exists() or not any(toy.root.staging("a").iterdir())


def test_a_damaged_output_is_made_again_beside_the_first(toy, step):
    first = step("read", "a").step.output
    (first / "text").write_text("damage")
    with pytest.raises(UsageError, match=r"Received: text has 6 bytes instead of 3\. Run"):
        step("count", "a")
    second = step("read", "a").step.output
    assert (first.name, second.name, (second / "text").read_text()) == ("a", "a~2", "abc")
    assert step("read", "a").step.reasons == ("nothing changed since run a",)


def test_an_output_that_somebody_removed_is_made_again_under_another_name(toy, step):
    first = step("read", "a").step.output
    shutil.rmtree(first)
    again = step("read", "a")
    assert (again.step.output.name, again.run.status, status(toy, "a")) == (
        "a~2",
        "partial",
        "partial",
    )


def test_an_output_under_another_root_harms_no_step_that_does_not_read_it(toy, step):
    step("read", "a")
    step("count", "a")
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE artifact SET uri = 's3://lake/x/artifacts/read/b' WHERE type = 'Examples'"
        )
    done = step("validate", "a")
    assert (done.status, set(done.run.artifacts)) == ("done", {"count", "validate"})
    with pytest.raises(UsageError, match=r"Received: one that lies under another root\. Run"):
        step("train", "a")
    assert (step("read", "a").step.status, step("train", "a").step.status) == ("ran", "ran")


def test_the_last_of_several_steps_to_end_sees_nobody_at_work(toy, step, monkeypatch):
    seen, so_far = [], stepwise._so_far

    def look(store, root, request):
        seen.append((root.is_running("a"), root.is_running("a", "read")))
        return so_far(store, root, request)

    monkeypatch.setattr(stepwise, "_so_far", look)
    step("read", "a")
    assert seen == [(True, False)]


def test_a_step_at_work_keeps_its_run_from_being_taken_for_dead(toy, step):
    step("read", "a")
    with toy.root.running("a", shared=True), toy.root.at_work("a", "train"):
        assert toy.root.is_running("a", "train")
        assert not toy.root.is_running("a", "count")
        toy.run()
        toy.root.staging("a").mkdir(parents=True, exist_ok=True)
        toy.root.sweep()
        assert toy.root.staging("a").exists()
        assert step("count", "a").run.status == status(toy, "a") == "running"
    toy.root.sweep()
    assert not toy.root.staging("a").exists()
