"""A run on a real MLflow server, read back by MLflow's own API; and a server that is not there."""

import io
import os
import pathlib
import socket
import subprocess
import time
import urllib.request

import pytest

from millrace.pipeline import fingerprint
from millrace.pipeline.console import SafeConsole
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError
from millrace.pipeline.run_request import RunRequest
from millrace.pipeline.running import carry_out
from tests.pipeline.tracking import steps

SERVER = pathlib.Path(__file__).parents[3] / ".venv-mlflow" / "bin" / "mlflow"


def wired(*settings):
    dag = Dag("small")
    model = dag.step(steps.export, model=dag.step(steps.learn))
    dag.step(steps.judge, model=model)
    dag.configure(settings)
    return dag


@pytest.fixture
def run(toy):
    def carried(*settings):
        console = SafeConsole(file=io.StringIO(), width=300)
        dag = wired(*settings)
        request = RunRequest(dag, "small", "millrace run small", data="here")
        return carry_out(request, toy.root, toy.store, console), console.file.getvalue()

    return carried


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server of MLflow on loopback."""
    if not SERVER.exists():
        reason = f"{SERVER} is not there: `make mlflow` makes it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [SERVER, "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command += [f"--backend-store-uri=sqlite:///{folder}/store.db"]
    command += [f"--artifacts-destination={folder}/artifacts"]
    quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    quiet.pop("PYTHONWARNINGS", None)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=quiet, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


def _wait(url, process, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - loopback
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def logged(address, experiment):
    """A client, and the runs of `experiment`."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(address)
    number = client.get_experiment_by_name(experiment).experiment_id
    return client, client.search_runs([number])


def test_options_figures_and_curves_are_read_back_and_a_run_from_the_cache_is_another(run, address):
    result, shown = run("tracking=mlflow", f"tracking.uri={address}", "learn.note=mine")
    client, (found,) = logged(address, "small")
    number = found.info.run_id
    assert f"mlflow  {address}/#/experiments/{found.info.experiment_id}/runs/{number}" in shown
    assert (found.info.run_name, found.info.status) == (result.run, "FINISHED")
    tags = found.data.tags
    assert (tags["millrace.run"], tags["millrace.data"]) == (result.run, "here")
    assert (tags["millrace.command"], tags["millrace.blessed"]) == ("millrace run small", "true")
    params = found.data.params
    assert (params["learn.epochs"], params["learn.note"], params["judge.fail"]) == (
        "2",
        "mine",
        "False",
    )
    metrics = found.data.metrics
    assert metrics["evaluation/accuracy"] == 0.75
    assert metrics["evaluation/accuracy/lower"] == 0.5
    assert metrics["evaluation/accuracy/upper"] == 0.875
    assert metrics.keys() >= {"seconds/learn", "seconds/export", "seconds/judge"}
    curve = client.get_metric_history(number, "training/val_loss")
    assert [(one.step, one.value) for one in curve] == [(1, 2.0), (2, 1.0)]
    again, _ = run("tracking=mlflow", f"tracking.uri={address}", "learn.note=mine")
    assert [step.status for step in again.steps] == ["cached"] * 3
    assert len(logged(address, "small")[1]) == 2


def test_pictures_the_model_and_the_report_are_read_back(run, address, tmp_path, capfd):
    run("tracking=mlflow", f"tracking.uri={address}", "tracking.experiment=files")
    assert capfd.readouterr().out == ""  # MLflow itself says nothing on the terminal
    client, (found,) = logged(address, "files")
    number = found.info.run_id
    kept = client.download_artifacts(number, "pictures/judge/plots/confusion.png", str(tmp_path))
    assert pathlib.Path(kept).read_bytes() == steps.PICTURE
    pictures = {each.path for each in client.list_artifacts(number, "pictures/judge")}
    assert pictures == {"pictures/judge/plots", "pictures/judge/slices.png"}
    kept = client.download_artifacts(number, "model/saved_model.pb", str(tmp_path))
    assert pathlib.Path(kept).read_bytes() == b"graph"
    names = {each.path for each in client.list_artifacts(number)}
    assert names == {"model", "pictures", "report.html"}


def test_a_run_that_fails_is_marked_as_failed_and_has_what_was_made(run, address):
    settings = ("tracking.kind=mlflow", f"tracking.uri={address}", "tracking.experiment=failing")
    result, _ = run(*settings, "judge.fail=true", "tracking.model=false")
    assert result.status == "failed"
    client, (found,) = logged(address, "failing")
    assert found.info.status == "FAILED"
    assert found.data.metrics["training/loss"] == 0.5
    assert [each.path for each in client.list_artifacts(found.info.run_id)] == ["report.html"]


def test_a_server_that_is_away_costs_no_run_and_is_asked_once(run, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as taken:  # bound and not listening: refuses
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result, shown = run("tracking=mlflow", f"tracking.uri={address}")
    assert result.status == "done"
    assert shown.count("is not logged") == 1
    assert "mlflow  the run is not logged: MlflowException: API request to" in shown
    assert "mlflow  5 of 5 parts of this run are not logged there; the run itself is whole" in shown


def test_tracking_is_part_of_no_key():
    plain, tracked = wired(), wired("tracking=mlflow", "tracking.uri=http://a")
    for name, step in plain.steps.items():
        known = dict.fromkeys(step.inputs, "1")
        tracked_key = fingerprint.ingredients(tracked.steps[name], known).key
        assert tracked_key == fingerprint.ingredients(step, known).key


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["tracking=mlfow"], "Option tracking: expected mlflow or none. Received: 'mlfow'"),
        (["tracking=mlflow", "tracking.url=a"], "unknown field `url`. Did you mean `uri`?"),
        (["tracking=mlflow"], "expected the address of an MLflow server. Received: none. Set ML"),
    ],
)
def test_what_could_log_nothing_is_refused_before_the_first_step(run, monkeypatch, settings, text):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError) as caught:
        run(*settings)
    assert text in str(caught.value)
