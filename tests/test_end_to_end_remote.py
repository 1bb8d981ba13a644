"""Data, root and served model in a bucket, the store in PostgreSQL: the real command."""

import contextlib
import json
import os
import signal

import pytest

from millrace.pipeline.records import RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.serving import remote
from tests.command import millrace, started

ROWS = "x,y\n" + "".join(f"{x},{2 * x - 1}\n" for x in range(-1, 5))
EPOCHS = ("--set", "trainer.epochs=40")


def digests(url, run):
    """What each step of `run` wrote, by its content, as the store at `url` has it.

    Of training it is the curve: TensorBoard's logs have times in them.
    """
    with contextlib.closing(Store.open(url)) as store, store.session() as session:
        found = {one.step: one.output for one in session.get_one(RunRecord, run).executions}
        _, curve, *_ = found["trainer"].files[""]["history.csv"]
        return {name: output.digest for name, output in found.items()} | {"trainer": curve}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder to be in."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_killed_run_goes_on_ends_as_a_local_one_and_its_model_answers_from_the_bucket(
    bucket, shared_store, elsewhere, tmp_path
):
    (tmp_path / "data.csv").write_text(ROWS)
    local = millrace(
        *("run", "line-fit", "--data", tmp_path / "data.csv", "--root", tmp_path / "root"),
        *("--to", "trainer", "--json", *EPOCHS),
        MILLRACE_STORE="",
    )
    assert local.returncode == 0, local.stderr[-4000:]
    here = digests(Root(tmp_path / "root").store_url, json.loads(local.stdout)["run"])

    remote.write(f"{bucket}/data.csv", ROWS.encode())
    root = f"{bucket}/root"
    command = ("run", "line-fit", "--data", f"{bucket}/data.csv", "--root", root, *EPOCHS)
    with started(*command) as killed:
        for line in killed.stdout:
            if "epoch 1/40" in line:
                os.kill(killed.pid, signal.SIGKILL)
                break
    done = millrace(*command, "--json")
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    statuses = {step["step"]: step["status"] for step in told["steps"]}
    assert [statuses[name] for name in ("csv_example_gen", "transform", "trainer", "pusher")] == [
        *("cached", "cached", "ran", "ran")
    ]
    there = digests(shared_store, told["run"])
    assert {name: there[name] for name in here} == here
    assert told["pushed"].startswith(f"{root}/serving/line-fit/")
    kept = set(remote.files(f"{root}/runs/{told['run']}"))
    assert {"command", "trainer.log", "report.html"} <= kept
    assert list(elsewhere.iterdir()) == []

    answer = millrace("predict", "line-fit", "x=10", "--root", root, "--json")
    assert answer.returncode == 0, answer.stderr[-4000:]
    (found,) = json.loads(answer.stdout)["predictions"]
    assert found == {"input": "x=10", "prediction": pytest.approx(17.309, abs=0.01)}
    assert millrace("rollback", "line-fit", "--root", root).returncode == 1
    assert "11 outputs read, 0 damaged" in millrace("verify", "--root", root).stdout
