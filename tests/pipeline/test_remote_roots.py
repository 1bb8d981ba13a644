"""A root in an object store: whole outputs alone are seen, by any machine, whatever dies."""

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from millrace.components.artifacts import Model
from millrace.components.beam.options import BeamOptions
from millrace.pipeline import api, damage, doctor, earlier, given, pushed, verification
from millrace.pipeline.dag import Source
from millrace.pipeline.errors import StoreError, UsageError
from millrace.pipeline.records import ArtifactRecord, RunRecord, now
from millrace.pipeline.root import COPY_DAYS, Root
from millrace.pipeline.runs import open_run, runs
from millrace.pipeline.store import Store
from millrace.serving import remote
from millrace.serving.errors import RemoteError
from tests.pipeline import toys
from tests.pipeline.conftest import toy_in


def _digests(toy, run):
    with toy.store.session() as session:
        executions = session.get_one(RunRecord, run).executions
        return {one.step: (one.key, one.output.digest) for one in executions}


def _objects(bucket, below):
    return set(remote.files(f"{bucket}/runs/{below}"))


def test_a_run_gives_what_a_local_one_gives_and_leaves_nothing_outside_the_scratch_folder(
    away, bucket, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    there = away.run()
    away.root = Root(tmp_path / "root")
    away.data = str(tmp_path / "data")
    pathlib.Path(away.data).mkdir()
    (tmp_path / "data" / "a.txt").write_text("abc")
    digests = _digests(away, there.run)
    away.store = Store.open(f"sqlite:///{tmp_path}/here.db")
    assert _digests(away, away.run().run) == digests
    left = {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("here.db")}
    assert left == {"data", "root", "scratch"}
    assert f"judge/{there.run}/BLESSED" in _objects(bucket, "artifacts")
    assert f"{there.run}/command" in _objects(bucket, "runs")


def test_another_machine_takes_everything_from_the_cache_and_fetches_what_it_reads(
    away, bucket, tmp_path, monkeypatch
):
    first = away.run()
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / "other"))
    away = toy_in(bucket)
    again = away.run()
    assert set(away.statuses(again).values()) == {"cached"}
    assert str(again.steps[0].output) == f"{bucket}/runs/artifacts/read/{first.run}"
    changed = away.run("train.epochs=2")
    assert toys.CALLS == ["train", "judge"]
    assert (changed.output(Model).path / "model").read_text().startswith("abc 2 ")
    opened = open_run(changed.run, f"{bucket}/runs")
    assert opened.steps["train"].output.path == changed.output(Model).path


def wiring(dag, data, serving_root):
    dag.step(toys.read, source=Source(data))


def two_readers(dag, data, serving_root):
    dag.step(toys.read, source=Source(data))
    dag.step(toys.read, step_name="again", source=Source(data))


def test_from_python_a_run_is_what_it_is_under_any_root(away, bucket, tmp_path, monkeypatch):
    run = api.run(wiring, data=f"{bucket}/data", root=away.root.name, warm=False)
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / "other"))
    for one in (run, *runs(away.root.name)):
        assert (one.status, one.steps["read"].output.counts) == ("done", {"train": 3})
        assert "read" in one.report.read_text()
        assert one.steps["read"].log.exists()


def test_single_steps_on_machines_of_their_own_read_the_same_data_from_a_bucket(
    bucket, tmp_path, monkeypatch
):
    remote.write(f"{bucket}/data/a.txt", b"abc")
    for step in ("read", "again"):
        monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / step))
        run = api.step(
            two_readers, step, run="r", data=f"{bucket}/data", root=tmp_path / "root", warm=False
        )
        assert run.steps[step].output.counts == {"train": 3}
        shutil.rmtree(tmp_path / step)
    assert run.status == "done"


def test_a_run_is_done_also_where_its_outputs_cannot_be_fetched_any_more(away, monkeypatch):
    def unreachable(*_, **__):
        raise RemoteError("gone")

    fetch, ended = remote.fetch, away.store.finish_run

    def finish(run, status):
        monkeypatch.setattr(remote, "fetch", unreachable)
        return ended(run, status)

    monkeypatch.setattr(away.store, "finish_run", finish)
    result = away.run()
    assert (result.status, result.artifacts) == ("done", {})
    monkeypatch.setattr(remote, "fetch", fetch)
    assert set(away.statuses(away.run()).values()) == {"cached"}


def test_large_files_of_large_outputs_wait_until_somebody_asks_for_them(
    away, bucket, tmp_path, monkeypatch
):
    run = away.run().run
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / "other"))
    monkeypatch.setattr("millrace.pipeline.runner._SMALL", 2)
    away = toy_in(bucket)
    model = away.run().output(Model)
    assert list(model.path.glob("*")) == []
    assert (open_run(run, away.root.name).steps["train"].output.path / "model").exists()


CHILD = """
import os, signal, sys
from tests.pipeline import toys
from tests.pipeline.conftest import toy_in
from millrace.serving import remote

bucket, step, moment = sys.argv[1:]
def die(): os.kill(os.getpid(), signal.SIGKILL)

upload, create = remote.upload, remote._open
def uploading(folder, place, **options):
    if f"/artifacts/{step}/" in remote.url(place):
        if moment == "half":
            some = sorted(path for path in folder.iterdir())[0]
            remote.write(place / some.name, some.read_bytes()); die()
        upload(folder, place, **options)
        if moment == "unrecorded": die()
    else:
        upload(folder, place, **options)
remote.upload = uploading
toy = toy_in(bucket)
if moment == "begun":
    toy.observer.started = lambda begun, reasons: begun.name == step and die()
toy.run()
"""


def test_a_run_killed_at_any_moment_is_taken_up_and_leaves_nothing_half(
    away, bucket, tmp_path, monkeypatch
):
    moments = [("read", "begun"), ("read", "half"), ("count", "unrecorded"), ("judge", "half")]
    for step, moment in moments:
        scratch = str(tmp_path / f"scratch-{step}")
        done = subprocess.run(
            [sys.executable, "-c", CHILD, bucket, step, moment],
            env={**os.environ, "MILLRACE_SCRATCH": scratch},
            check=False,
        )
        assert done.returncode == -9
        with away.store.session() as session:
            # As if the lease were over, which other machines wait for.
            session.execute(sa.update(RunRecord).values(lease=now()))
    assert any(name.startswith("judge/") for name in _objects(bucket, "artifacts"))
    result = away.run()
    assert away.statuses(result) == {
        **{"read": "cached", "count": "cached", "validate": "cached", "train": "cached"},
        "judge": "ran",
    }
    found = verification.verify(away.store, away.root, repair=False)
    assert (found.checked, found.damaged) == (5, ())
    with away.store.session() as session:
        known = {
            "/".join(record.uri.rsplit("/", 2)[1:])
            for record in session.scalars(sa.select(ArtifactRecord))
            if record.files is not None and record.uri.startswith(bucket)
        }
    objects = _objects(bucket, "artifacts")
    assert {"/".join(name.split("/")[:2]) for name in objects} == known


def test_two_runs_at_once_on_two_machines_are_unharmed(away, bucket, tmp_path):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, bucket, "none", "none"],
            env={**os.environ, "MILLRACE_SCRATCH": str(tmp_path / f"machine-{number}")},
        )
        for number in range(2)
    ]
    assert [child.wait(120) for child in children] == [0, 0]
    found = verification.verify(away.store, away.root, repair=False)
    assert found.damaged == ()
    with away.store.session() as session:
        runs = [run for run in away.store.runs(session) if run.root == away.root.name]
        digests = [{one.step: one.output.digest for one in run.executions} for run in runs]
        assert [run.status for run in runs] == ["done", "done"]
    assert digests[0] == digests[1]


def test_a_damaged_output_is_found_set_aside_and_made_again(away, bucket):
    run = away.run().run
    place = f"{bucket}/runs/artifacts/count/{run}/count"
    remote.write(place, b"7")
    (finding,) = verification.verify(away.store, away.root, repair=False).damaged
    assert [str(one) for one in finding.files] == ["count has other content"]
    remote.write(place, b"longer")
    again = away.run()
    assert away.statuses(again)["count"] == "ran"
    assert away.statuses(again)["train"] == "cached"
    assert _objects(bucket, "damaged") == {f"artifacts/count/{run}/count"}


def test_an_output_of_other_content_and_the_same_size_is_found_on_any_machine(
    away, bucket, tmp_path, monkeypatch
):
    run = away.run().run
    remote.write(f"{bucket}/runs/artifacts/count/{run}/count", b"7")
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / "other"))
    away = toy_in(bucket)
    assert away.statuses(away.run())["count"] == "ran"
    assert away.observer.reasons["count"] == ["its output was damaged: count has other content"]


def test_an_output_that_was_written_again_as_it_was_is_whole(away):
    run = away.run().run
    with away.store.session() as session:
        record = session.get_one(RunRecord, run).executions[1].output
    (size, digest, stamp) = record.files[""]["count"]
    record.files = {"": {"count": [size, digest, stamp + 1]}}
    assert damage.look(record) == []
    record.files = {"": {"count": [size, digest[::-1], stamp]}}
    assert damage.look(record) == []
    record.files = {"": {"count": [size, digest[::-1], stamp + 1]}}
    assert [str(one) for one in damage.look(record)] == ["count has other content"]


def test_an_output_that_only_this_machine_sees_is_of_no_use_to_others(away, tmp_path):
    shared, away.root = away.root, Root(tmp_path / "root")
    away.run()
    away.root = shared
    assert set(away.statuses(away.run()).values()) == {"ran"}
    with pytest.raises(UsageError, match="expected an output of an earlier run"):
        earlier.newest(away.store, Root(f"{shared.name}/x"), "none", away.dag().steps["read"])


def test_copies_that_no_run_has_used_for_a_week_are_removed(away):
    away.run("train.epochs=1")
    copies = {path.parent.name: path for path in _copies(away.root)}
    old = now().timestamp() - (COPY_DAYS + 1) * 24 * 3600
    os.utime(copies["train"], (old, old))
    away.root.sweep()
    assert {path.parent.name for path in _copies(away.root)} == copies.keys() - {"train"}


def test_copies_of_data_that_no_run_has_used_for_a_week_are_removed_unless_part_of_them_was(
    bucket, toy
):
    for name in ("old/a", "old/b", "partly/day/a", "partly/x", "runs/a"):
        remote.write(f"{bucket}/{name}", b"abc")
    copies = [given.source(f"{bucket}/{name}", "") for name in ("old", "partly", "runs")]
    single = given.source(f"{bucket}/old/a", "")
    remote.mirror(f"{bucket}/runs/below", "roots").mkdir(parents=True)
    toy.root.sweep()
    assert [copy.exists() for copy in copies] == [True] * 3
    old = now().timestamp() - (COPY_DAYS + 1) * 24 * 3600
    for mark in (remote.scratch() / "used").iterdir():
        os.utime(mark, (old, old))
    given.source(f"{bucket}/partly/day", "")
    toy.root.sweep()
    assert [copy.exists() for copy in copies] == [False, True, True]
    assert not single.exists()


def _copies(root):
    return [pathlib.Path(path) for path in remote.mirror(root.place).glob("artifacts/*/*")]


@pytest.mark.parametrize("url", ["", "sqlite:////tmp/x.db"])
def test_a_store_that_only_this_machine_sees_is_refused(away, monkeypatch, url):
    monkeypatch.setenv("MILLRACE_STORE", url)
    with pytest.raises(UsageError, match="expected MILLRACE_STORE to name a PostgreSQL database"):
        Store.of(away.root)


def test_a_run_whose_bucket_is_not_there_is_refused_and_not_recorded(away, bucket):
    away.root = Root(f"{bucket}-none/runs")
    with pytest.raises(UsageError, match=r"\. Create the bucket, or correct its name\."):
        away.run()
    with away.store.session() as session:
        assert session.scalars(sa.select(RunRecord)).all() == []


def test_a_root_where_nothing_is_is_told(away, bucket):
    with pytest.raises(UsageError, match=r"expected one that `millrace run` has written"):
        Store.of(Root(f"{bucket}/none"), must_exist=True)


def test_a_scratch_folder_that_cannot_be_made_is_not_taken_for_the_root(
    bucket, shared_store, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / "file"))
    root = Root(f"{bucket}/runs")
    with pytest.raises(RemoteError, match=rf"^MILLRACE_SCRATCH, {tmp_path}/file: expected a fol"):
        Store.of(root)
    row = doctor._writable(root)
    assert (row[0], row[1], row[3]) == (
        *("scratch", "broken"),
        "name another folder by MILLRACE_SCRATCH",
    )


def test_a_lease_tells_the_living_from_the_dead_of_other_machines(toy):
    def begin(run, seconds):
        lease = now() + datetime.timedelta(seconds=seconds)
        toy.store.begin_run(
            RunRecord(
                id=run,
                recipe="toy",
                pipeline="toy",
                root=toy.root.name,
                arguments={},
                status="running",
                started=now(),
                lease=lease,
            )
        )

    begin("dead", -5)
    begin("alive", 60)
    begin("renewed", -5)
    with toy.store.leased("renewed", every=0.01):
        toy.store.mark_dead(toy.root)
        with toy.store.session() as session:
            assert {run.id: run.status for run in toy.store.runs(session)} == {
                "dead": "killed",
                "alive": "running",
                "renewed": "running",
            }


def test_what_passes_exchanged_goes_with_the_next_run_unless_somebody_may_be_at_work(away):
    ended = away.run().run
    for run, seconds in (("alive", 60), ("dead", -5), ("of-steps", 0)):
        lease = now() + datetime.timedelta(seconds=seconds)
        record = RunRecord(
            **{"id": run, "recipe": "toy", "pipeline": "toy", "root": away.root.name},
            **{"status": "running", "started": now(), "lease": lease},
            arguments={"steps": {}} if run == "of-steps" else {},
        )
        away.store.begin_run(record)
    for run in (ended, "alive", "dead", "of-steps", "of-another-store"):
        remote.write(f"{away.root.name}/exchange/{run}/count/pass/given/work", b"")
    with (
        away.root.running("of-steps", shared=True),
        away.store.at_work(away.root, "of-steps", "count"),
    ):
        away.store.mark_dead(away.root)
        kept = [("alive", "count"), ("of-another-store", "count"), ("of-steps", "count")]
        assert away.root.exchanged() == kept
    away.store.mark_dead(away.root)
    assert away.root.exchanged() == kept[:2]


def test_passes_exchange_below_the_root_and_are_told_what_the_step_reads(away, monkeypatch):
    asked = {}

    def exchanging(self, url, folders):
        asked[url.rpartition("/")[2]] = url, folders
        return self

    monkeypatch.setattr(BeamOptions, "exchanging", exchanging)
    run = away.run().run
    read = away.root.artifact("read", run)
    place = f"{away.root.name}/exchange/{run}"
    assert asked["read"] == (f"{place}/read", [str(remote.mirror(away.data))])
    assert asked["count"] == (f"{place}/count", [str(remote.mirror(read))])


def test_under_a_local_root_workers_see_the_same_disk(toy, monkeypatch):
    monkeypatch.setattr(BeamOptions, "exchanging", None)
    assert toy.run().status == "done"


def test_a_run_that_was_taken_for_dead_records_nothing(toy):
    interrupted = threading.Event()

    def finish():
        if toys.CALLS == ["read", "count"] and not interrupted.is_set():
            interrupted.set()
            with toy.store.session() as session:
                (run,) = toy.store.runs(session)
                run.lease = now()
            toy.store.finish_run(run.id, "killed")

    with pytest.raises(StoreError, match=r"Received: killed, since it could not tell the store"):
        toy.run(interruption=finish)


def test_a_machine_that_has_run_nothing_can_serve_what_was_pushed(bucket):
    root = Root(f"{bucket}/runs")
    remote.write(f"{bucket}/runs/serving/toy/7/saved_model.pb", b"")
    remote.write(f"{bucket}/runs/serving/half/8/variables/x", b"")
    assert pushed.pushed_models(root) == ["toy"]
    config = pushed.write_model_config(root, [])
    assert config.is_relative_to(remote.scratch())
    assert f'base_path: "{bucket}/runs/serving/toy"' in config.read_text()


def test_spans_in_a_bucket_are_listed_and_only_the_chosen_fetched(bucket, tmp_path):
    from millrace.pipeline import spans

    for day in ("01", "02", "03"):
        remote.write(f"{bucket}/sales/2026-11-{day}/a.csv", day.encode())
    pattern = f"{bucket}/sales/{{YYYY}}-{{MM}}-{{DD}}"
    found = pathlib.Path(spans.resolve(Root(tmp_path / "root"), pattern, "latest"))
    assert (found / "a.csv").read_bytes() == b"03"
    assert [path.name for path in remote.mirror(f"{bucket}/sales").iterdir()] == ["2026-11-03"]
    both = pathlib.Path(spans.resolve(Root(tmp_path / "root"), pattern, "latest:2"))
    assert sorted(path.read_bytes() for path in both.iterdir()) == [b"02", b"03"]
    assert json.dumps(remote.origin(found)) == f'"{bucket}/sales/2026-11-03"'
