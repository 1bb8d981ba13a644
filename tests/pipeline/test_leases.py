"""Single steps of a run on machines that share a bucket and a database, and no lock."""

import os
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from millrace.pipeline import api, leases, stepwise, verification
from millrace.pipeline.dag import Source
from millrace.pipeline.errors import StoreError
from millrace.pipeline.records import LeaseRecord, RunRecord, now
from millrace.pipeline.run_request import RunRequest, Selection
from millrace.pipeline.runs import open_run
from millrace.serving import remote
from tests.pipeline import toys
from tests.pipeline.conftest import toy_in

ALL = ("read", "count", "validate", "train", "judge")


def stepped(toy, name, run="r", *settings, interruption=lambda: None):
    named = stepwise.named(toy.store, toy.root, run, "toy", None, "latest")
    request = RunRequest(
        toy.dag(*settings), "toy", f"step {name}", selection=Selection(only=name), named=named
    )
    return stepwise.run_step(request, toy.root, toy.store, toy.observer, interruption)


@pytest.fixture
def machine(away, bucket, tmp_path, monkeypatch):
    """Go to the machine of a name, which has a scratch folder of its own."""

    def gone_to(name):
        monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / name))
        toys.CALLS.clear()
        return toy_in(bucket)

    return gone_to


def digests(toy, run):
    return {name: one.output.digest for name, one in toy.store.executions(run).items()}


def over(toy, run="r"):
    """Let the leases of `run` be over, as after two minutes without a word."""
    with toy.store.session() as session:
        held = sa.update(LeaseRecord).where(LeaseRecord.run_id == run)
        assert session.execute(held.values(until=now())).rowcount > 0


def test_steps_each_on_a_machine_of_its_own_write_what_a_run_writes(machine):
    for name in ALL:
        done = stepped(machine(name), name)
    assert (done.run.status, list(done.run.artifacts), done.next) == ("done", list(ALL), ())
    toy = machine("another")
    whole = toy.run()
    assert toy.statuses(whole) == dict.fromkeys(ALL, "cached")
    assert digests(toy, "r") == digests(toy, whole.run)
    with toy.store.session() as session:
        assert session.scalars(sa.select(LeaseRecord)).all() == []


CHILD = """
import os, signal, sys
from millrace.serving import remote
from tests.pipeline.conftest import toy_in
from tests.pipeline.test_leases import stepped

bucket, run, killed, *names = sys.argv[1:]
toy, upload = toy_in(bucket), remote.upload
toy.data = f"{bucket}/{run}"
def uploading(folder, place, **options):
    if f"/artifacts/{killed}/" in remote.url(place):
        some = sorted(folder.iterdir())[0]
        remote.write(place / some.name, some.read_bytes())
        os.kill(os.getpid(), signal.SIGKILL)
    upload(folder, place, **options)
remote.upload = uploading
for name in names:
    stepped(toy, name, run)
"""


def child(bucket, run, killed, *names, scratch):
    """A process that runs steps on the machine of that scratch, dead half-way through `killed`."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, bucket, run, killed, *names],
        env={**os.environ, "MILLRACE_SCRATCH": str(scratch)},
    )


def test_two_runs_at_once_do_not_mix_and_no_step_of_one_is_done_twice(machine, bucket, tmp_path):
    for run in ("one", "second"):
        remote.write(f"{bucket}/{run}/a.txt", run.encode())
    children = [
        child(bucket, run, "none", *names, scratch=tmp_path / f"{run}-{number}")
        for run in ("one", "second")
        for number, names in enumerate([("read", "train", "judge"), ("read", "count", "validate")])
    ]
    assert [one.wait(120) for one in children] == [0] * 4
    toy = machine("another")
    for run in ("one", "second"):
        seen = open_run(run, toy.root.name)
        assert (seen.status, set(seen.steps)) == ("done", set(ALL))
        assert (seen.steps["train"].output.path / "model").read_text().startswith(f"{run} 1 ")
        with toy.store.session() as session:
            begun = [one.status for one in session.get_one(RunRecord, run).executions]
        assert sorted(begun) == ["cached", *["ran"] * 5]
    assert verification.verify(toy.store, toy.root, repair=False).damaged == ()


def test_a_killed_step_is_taken_up_at_once_on_its_machine_and_elsewhere_once_its_lease_is_over(
    machine, bucket, tmp_path
):
    remote.write(f"{bucket}/r/a.txt", b"abc")
    killed = child(bucket, "r", "train", "read", "train", scratch=tmp_path / "first")
    assert killed.wait(120) == -9
    uploads = f"{bucket}/runs/artifacts/train"
    assert set(remote.files(uploads)) == {"r/half"}
    toy = machine("second")
    assert open_run("r", toy.root.name).steps["train"].status == "running"
    over(toy)
    seen = open_run("r", toy.root.name)
    assert (seen.status, seen.steps["train"].status) == ("killed", "killed")
    killed = child(bucket, "r", "train", "train", scratch=tmp_path / "second")
    assert killed.wait(120) == -9
    assert open_run("r", toy.root.name).steps["train"].status == "killed"
    toy.data = f"{bucket}/r"
    again = stepped(toy, "train")
    assert (again.step.status, again.run.status) == ("ran", "partial")
    assert set(remote.files(uploads)) == {"r~3/half", "r~3/model"}


def test_a_step_whose_lease_ran_out_records_nothing_and_the_next_try_is_right(machine, bucket):
    toy = machine("first")
    stepped(toy, "read")
    with pytest.raises(StoreError, match=r"Run r: expected .* Received: killed, since it could"):
        stepped(toy, "train", interruption=lambda: over(toy) if toys.CALLS[1:] else None)
    again = stepped(toy, "train")
    assert (again.step.status, again.step.output.name) == ("ran", "r~2")
    assert {name.split("/")[0] for name in remote.files(f"{bucket}/runs/artifacts/train")} == {
        "r~2"
    }


def test_a_step_that_another_machine_took_over_records_nothing(machine):
    first = machine("first")
    stepped(first, "read")

    def taken_over():
        if toys.CALLS == ["read", "train"]:
            over(first)
            assert stepped(machine("second"), "train").step.status == "ran"
            machine("first")

    with pytest.raises(StoreError, match="Received: killed, since it could"):
        stepped(first, "train", interruption=taken_over)
    assert first.store.executions("r")["train"].output.uri.endswith("/train/r~2")
    assert stepped(first, "judge").step.status == "ran"
    assert verification.verify(first.store, first.root, repair=False).damaged == ()


def test_a_lease_is_renewed_while_its_step_is_at_work_and_kept_from_others(machine, monkeypatch):
    monkeypatch.setattr(leases, "RENEWAL_SECONDS", 0.01)
    first, second = machine("first"), machine("second")
    with first.root.running("r", shared=True), first.store.at_work(first.root, "r", "train"):
        over(first)
        end = time.monotonic() + 60
        while not second.store.is_at_work(second.root, "r", "train"):
            assert time.monotonic() < end
        assert not second.store.is_at_work(second.root, "r", "count")
    assert not second.store.is_at_work(second.root, "r", "train")


def two_steps(dag, data, serving_root):
    dag.step(toys.count, examples=dag.step(toys.read, source=Source(data)))


def test_what_a_step_printed_on_another_machine_can_be_read_and_the_newest_page(machine, bucket):
    for name in ("read", "count"):
        toy = machine(name)
        run = api.step(
            two_steps, name, run="r", data=toy.data, root=toy.root.name, beam=(), warm=False
        )
    assert run.status == "done"
    for name in ("read", "third"):
        seen = open_run("r", machine(name).root.name)
        assert "counting with" in seen.steps["count"].log.read_text()
        assert "count<" in seen.report.read_text()


def test_several_spans_are_the_same_folder_to_every_machine(machine, bucket):
    for number in (1, 2):
        remote.write(f"{bucket}/days/{number}/a.txt", b"%d" % number)
    pattern = f"{bucket}/days/{{SPAN}}"
    for name in ("read", "train"):
        toy = machine(name)
        named = stepwise.named(toy.store, toy.root, "r", "toy", pattern, "latest:2")
        toy.data = named.found
        request = RunRequest(
            toy.dag(), "toy", "", pattern, selection=Selection(only=name), named=named
        )
        done = stepwise.run_step(request, toy.root, toy.store, toy.observer)
    assert (done.run.artifacts["train"].path / "model").read_text().startswith("12 1 ")
