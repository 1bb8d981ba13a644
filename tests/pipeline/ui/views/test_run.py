"""The page of a run, and of what its steps printed."""

import json

import pytest

from millrace.pipeline.records import RunRecord, now


@pytest.fixture
def begun(toy):
    """A run of a command of ours that is at work, and has begun no step."""

    def begun(command, status="running"):
        run = RunRecord(
            id="r1",
            recipe="digits",
            pipeline="digits",
            root=toy.root.name,
            arguments={"command": command, "data": None},
            status=status,
            started=now(),
        )
        toy.store.begin_run(run)

    return begun


def _rows(shown):
    return {row["step"]: row for row in shown["steps"]["rows"]}


def test_a_first_run_says_so_once_and_not_at_every_step(toy, pages):
    run = toy.run().run
    shown = pages.json(f"runs/{run}")
    assert shown["steps"]["is_first_run"] is True
    assert {tuple(row["reasons"]) for row in shown["steps"]["rows"]} == {()}
    assert pages.get(f"runs/{run}").count("not run before") == 0


def test_each_step_says_why_it_ran_or_from_where_it_was_reused(toy, pages):
    first, second = toy.run().run, toy.run("train.epochs=2").run
    shown = pages.json(f"runs/{second}")
    rows = _rows(shown)
    assert shown["steps"]["is_first_run"] is False
    assert rows["train"]["reasons"] == ["option epochs changed from 1 to 2"]
    assert rows["read"]["status"] == "cached"
    assert rows["read"]["reused"] == {"id": first, "page": f"/mill/runs/{first}"}


def test_what_a_step_read_and_wrote_is_linked(toy, pages):
    shown = pages.json(f"runs/{toy.run().run}")
    train = _rows(shown)["train"]
    (examples,) = train["inputs"]
    assert (examples["name"], examples["step"], examples["type"]) == (
        "examples",
        "read",
        "Examples",
    )
    assert examples["page"] == f"/mill/artifacts/{examples['number']}"
    assert train["output"]["type"] == "Model"


def test_the_graph_has_an_edge_for_each_output_that_is_read(toy, pages):
    graph = pages.json(f"runs/{toy.run().run}")["graph"]
    assert [box["name"] for box in graph["boxes"]] == [
        "read",
        "count",
        "validate",
        "train",
        "judge",
    ]
    edges = [["read", "count"], ["count", "validate"], ["read", "train"], ["train", "judge"]]
    assert graph["edges"] == edges
    assert graph["boxes"][0]["state"] == "ran"
    assert graph["boxes"][0]["link"] == "#step-read"


def test_the_verdict_and_figures_come_with_intervals_and_what_was_before(toy, pages):
    run = toy.run().run
    (folder,) = toy.root.path.glob("artifacts/judge/*")
    metrics = {
        "metrics": {"accuracy": 0.5},
        "intervals": {"accuracy": [0.25, 0.75]},
        "baseline": {"metrics": {"accuracy": 0.375}},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    outcome = pages.json(f"runs/{run}")["outcome"]
    assert (outcome["verdict"], outcome["reasons"]) == ("blessed", ["told so"])
    figure = {"name": "accuracy", "value": 0.5, "interval": [0.25, 0.75], "was": 0.375}
    assert outcome["figures"] == [figure]
    assert "0.25 to 0.75, 95 %" in pages.get(f"runs/{run}")


def test_figures_are_shown_though_the_files_are_gone(toy, pages):
    run = toy.run().run
    (folder,) = toy.root.path.glob("artifacts/judge/*")
    folder.rmtree()
    outcome = pages.json(f"runs/{run}")["outcome"]
    assert outcome["figures"] == [{"name": "accuracy", "value": 0.5, "interval": None, "was": None}]


def test_a_step_that_failed_is_shown_with_its_whole_error_and_how_to_go_on(toy, pages):
    run = toy.run("train.fail=data").run
    shown = pages.json(f"runs/{run}")
    (failure,) = shown["failures"]
    assert failure["step"] == "train"
    assert failure["error"] == "train: expected text. Received: none. Add some."
    assert failure["resume"] == "millrace run toy"
    assert any("DataError" in line for line in failure["lines"])
    assert shown["head"]["status"] == "failed"
    assert "Add some." in pages.get(f"runs/{run}")


def test_steps_that_wait_are_drawn_while_the_run_is_at_work(toy, begun, pages):
    begun("millrace run digits --set trainer.epochs=8")
    with toy.root.running("r1"):
        shown = pages.json("runs/r1")
        assert 'data-live="2"' in pages.get("runs/r1")
        assert 'action="/mill/runs/r1/stop"' in pages.get("runs/r1")
    states = {row["status"] for row in shown["steps"]["rows"]}
    assert states == {"waiting"}
    assert ["trainer", "export"] in shown["graph"]["edges"]
    rows = _rows(pages.json("runs/r1"))
    assert rows["trainer"]["status"] == "skipped"  # it was killed


def test_options_changed_from_the_default_are_marked(begun, pages):
    begun("millrace run digits --set trainer.epochs=8 --set trainer.model=dense", "done")
    shown = pages.json("runs/r1")["options"]
    rows = {row["option"]: row for group in shown["groups"] for row in group["rows"]}
    assert shown["changed"] == 2
    epochs = rows["trainer.epochs"]
    assert (epochs["value"], epochs["default"], epochs["is_changed"]) == ("8", "15", True)
    assert epochs["meaning"].startswith("passes over the train split")
    assert (rows["trainer.model"]["value"], rows["trainer.model"]["default"]) == ("dense", "cnn")
    assert rows["trainer.seed"]["is_changed"] is False


def test_options_of_a_recipe_that_is_not_ours_are_shown_as_recorded(toy, pages):
    shown = pages.json(f"runs/{toy.run('train.epochs=3').run}")["options"]
    rows = {row["option"]: row["value"] for group in shown["groups"] for row in group["rows"]}
    assert shown["has_defaults"] is False
    assert (rows["train.epochs"], rows["train.model.width"], rows["train.limit"]) == (
        "3",
        "1",
        "none",
    )


def test_the_environment_is_what_the_run_was_made_with(toy, pages):
    found = pages.json(f"runs/{toy.run().run}")["environment"]
    assert found["command"] == "millrace run toy"
    assert found["made_with"]["python"].startswith("3.")
    assert "pydantic" in found["versions"]


def test_tags_and_a_note_are_written_and_taken_away(toy, pages):
    run = toy.run().run
    toy.store.tag(run, ["old"])
    page = f"runs/{run}"
    status, headers, _ = pages.post(f"{page}/describe", page, tags="keep, good", note="a\r\nb ")
    assert (status, headers["Location"]) == (303, f"/mill/{page}")
    head = pages.json(page)["head"]
    assert (head["tags"], head["note"]) == (["good", "keep"], "a\nb")


def test_a_run_is_found_by_the_beginning_of_its_id_and_as_the_latest(toy, pages):
    run = toy.run().run
    assert pages.json("runs/latest")["head"]["id"] == run
    assert pages.json(f"runs/{run[:-2]}")["head"]["page"] == f"/mill/runs/{run}"
    assert pages.ask("GET", "/mill/runs/none")[0] == 404


def test_what_a_step_printed_is_shown_and_only_what_is_new_is_sent(toy, pages):
    run = toy.run("train.fail=bug").run
    shown = pages.json(f"runs/{run}/log/train")
    assert "ZeroDivisionError: one by zero" in shown["text"]
    assert shown["next"] == shown["size"] == toy.root.log(run, "train").stat().length
    later = pages.json(f"runs/{run}/log/train?from={shown['size'] - 4}")
    assert later["text"] == shown["text"][-4:]
    assert pages.json(f"runs/{run}/log/train?from=99999999")["text"] == ""
    assert pages.get(f"runs/{run}/log/train/raw") == shown["text"]


def test_of_a_step_at_work_only_whole_lines_are_sent(toy, pages):
    run = toy.run().run
    with toy.store.session() as session:
        record = session.get_one(RunRecord, run)
        record.status, record.ended = "running", None
        record.executions[-1].status = "running"
    with toy.root.running(run):
        toy.root.log(run, "judge").write_text("one\ntw")
        shown = pages.json(f"runs/{run}/log/judge")
    assert (shown["text"], shown["next"], shown["is_live"]) == ("one\n", 4, True)


@pytest.mark.parametrize("step", ["none", "..%2f..%2fmillrace.db", "%2e%2e"])
def test_no_file_but_the_log_of_a_step_that_began_is_read(toy, pages, step):
    run = toy.run().run
    for path in (f"/mill/runs/{run}/log/{step}", f"/mill/runs/{run}/log/{step}/raw"):
        assert pages.ask("GET", path)[0] == 404


def test_a_run_that_is_not_at_work_cannot_be_stopped(toy, pages):
    run = toy.run().run
    status, _, text = pages.post(f"runs/{run}/stop", f"runs/{run}")
    assert status == 404
    assert "expected one that is at work" in text


def test_what_a_step_and_its_options_say_is_escaped(toy, pages):
    run = toy.run("train.note=<script>1</script>", "train.fail=bug").run
    toy.root.log(run, "train").write_text("<img src=x onerror=alert(1)>\n")
    for path in (f"runs/{run}", f"runs/{run}/log/train"):
        text = pages.get(path)
        assert "<script>1" not in text
        assert "<img" not in text
