"""`millrace step` and `compile`, and a schedule, through the real command."""

import json
from pathlib import Path

import pytest
import yaml

from tests.command import millrace
from tests.pipeline.cli.test_refusals import refusal


def test_a_step_begins_a_run_and_says_what_can_run_next(tmp_path):
    first = ("step", "line-fit", "line_fit", "--run", "wf-1", "--root", tmp_path / "root")
    done = millrace(*first, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["run"], told["status"], told["run_status"]) == ("wf-1", "done", "partial")
    assert ([step["step"] for step in told["steps"]], told["next"]) == (
        ["line_fit"],
        ["csv_example_gen"],
    )
    assert "run     wf-1: partial, 1 of 12 steps; next csv_example_gen\n" in done.stderr
    page = (tmp_path / "root" / "runs" / "wf-1" / "report.html").read_text()
    assert '<span class="status partial">partial</span>' in page

    again = millrace(*first)
    assert "≡ line_fit  cached" in again.stdout

    other = millrace(*first, "--set", "trainer.epochs=3")
    assert (other.returncode, other.stderr) == (
        2,
        "millrace: Run wf-1: expected trainer.epochs 500, with which it began. Received: 3. Give "
        "the same to every step of a run, or another --run to begin a new one.\n",
    )


COMPILE = ("compile", "line-fit", "--image", "millrace:1")


def test_a_recipe_is_compiled_with_the_options_that_every_step_must_have(tmp_path):
    done = millrace(
        *(*COMPILE, "--to", "argo", "--out", tmp_path / "argo.yaml", "--schedule", "0 3 * * *"),
        *("--data", "/rows/{SPAN}.csv", "--spans", "latest:7", "--set", "trainer.epochs=3"),
        *("--name", "line", "--mount", "claim:/data", "--fail-on-anomaly"),
        *("--", "--runner=PortableRunner", "--job_endpoint=only.there:8099"),
    )
    file = tmp_path / "argo.yaml"
    assert (done.returncode, done.stdout, done.stderr) == (
        *(0, f"{file}: a container for each of 11 steps. Run it:\n  argo cron create {file}\n"),
        "",
    )
    cron = yaml.safe_load((tmp_path / "argo.yaml").read_text())
    assert (cron["kind"], cron["spec"]["schedules"]) == ("CronWorkflow", ["0 3 * * *"])
    graph, step = cron["spec"]["workflowSpec"]["templates"]
    assert step["container"]["args"] == [
        *("step", "line-fit", "{{inputs.parameters.step}}", "--run", "{{workflow.uid}}"),
        *("--root", "/data", "--data", "/rows/{SPAN}.csv", "--spans", "latest:7"),
        *("--set", "trainer.epochs=3", "--name", "line"),
        *("--fail-on-anomaly", "--"),
        *("--runner=PortableRunner", "--job_endpoint=only.there:8099"),
    ]
    after = {task["name"]: task.get("dependencies") for task in graph["dag"]["tasks"]}
    assert after["csv-example-gen"] is None
    assert after["analyze"] == ["csv-example-gen", "example-validator"]


def test_what_is_piped_is_yaml_alone_and_a_root_that_no_volume_keeps_is_warned_of():
    done = millrace(*COMPILE, "--to", "kubeflow")
    assert done.returncode == 0
    assert [document["schemaVersion"] for document in yaml.safe_load_all(done.stdout)] == ["2.1.0"]
    assert done.stderr == (
        "--root /data: in no --mount, so what a step writes ends with its container, and the next "
        "one does not find it. Give --mount CLAIM:/data, or see to a volume yourself.\n"
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--out", "nodir/x.yaml"), "--out nodir/x.yaml: expected a file that can be written, in"),
        (("--out", "."), "--out .: expected a file that can be written, in a folder that is there"),
        (("--image", ""), "--image: expected the name of an image"),
        (("--schedule", "every day"), "--schedule 'every day': expected the five fields minute"),
        (("--mount", "a:/x", "--mount", "b:/x/"), "--mount b:/x/: expected one volume at each"),
        (("--", "--runner=Bogus"), "Beam flags: --runner: expected a runner that can be used"),
        (("--env", "A={{workflow.uid}}"), "--env A={{workflow.uid}}: expected no `{{`, where"),
        (("--data", "/d/{{SPAN}}"), "--data /d/{{SPAN}}: expected no `{{`, where orchestrators"),
    ],
)
def test_what_could_not_run_there_is_refused_with_nothing_written(
    more, told, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = refusal(*COMPILE, "--to", "argo", *more)
    assert text.startswith(told)
    assert list(tmp_path.iterdir()) == []


def test_kubeflow_is_given_its_schedules_elsewhere():
    done = millrace(*COMPILE, "--to", "kubeflow", "--schedule", "0 3 * * *")
    assert (done.returncode, done.stderr) == (
        2,
        "millrace: --schedule 0 3 * * *: expected --to argo beside it. Received: --to kubeflow, "
        "where a pipeline is given its schedule when it is there: create a recurring run of it.\n",
    )


def test_the_same_command_run_by_the_clock_takes_the_span_that_is_new_by_then(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from etils.epath import Path\n"
        "from millrace import Dag, Examples, RawFiles, Source\n"
        "def read(source: RawFiles, out: Path) -> Examples:\n"
        "    (out / 'text').write_text(source.path.read_text())\n"
        "    return Examples(out).write_summary({'train': 1})\n"
        "def recipe(dag: Dag, data: str | None, serving_root: Path) -> None:\n"
        "    dag.step(read, source=Source(data))\n"
    )
    line = ("run", "mine:recipe", "--data", tmp_path / "{YYYY}-{MM}-{DD}.csv", "--json")
    found = []
    for day in ("2026-11-28", "2026-11-29"):
        (tmp_path / f"{day}.csv").write_text(day)
        for _ in range(2):  # twice a day
            done = json.loads(millrace(*line, "--root", tmp_path / "root", cwd=tmp_path).stdout)
            (step,) = done["steps"]
            found.append((step["status"], (Path(step["output"]) / "text").read_text()))
    assert found == [
        *(("ran", "2026-11-28"), ("cached", "2026-11-28")),
        *(("ran", "2026-11-29"), ("cached", "2026-11-29")),
    ]


def test_a_pipeline_with_its_root_in_an_object_store_needs_a_store_and_no_volume():
    command = (*COMPILE, "--to", "kubeflow", "--root", "s3://lake/x")
    assert millrace(*command).returncode == 2
    done = millrace(*command, "--secret", "MILLRACE_STORE=pg:url")
    assert (done.returncode, done.stderr) == (0, "")
    assert "s3://lake/x" in done.stdout
