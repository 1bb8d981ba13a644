"""What `millrace backtest` asks of the runner, and what it tells; the runner is stood in for."""

import json

import pytest
from typer.testing import CliRunner

from millrace.components.artifacts import Evaluation, Examples
from millrace.pipeline.cli import backtest
from millrace.pipeline.cli.app import app
from millrace.pipeline.results import RunResult, StepResult

FAILED = RunResult(
    "r2",
    "failed",
    (StepResult("analyze", "ran"), StepResult("trainer", "failed", error="no room")),
    {},
)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Run the command; `fails` names the fold that fails. Returns its result and the DAGs run."""

    def run(*options, fails=0, recipe="co2"):
        asked = []

        def carry_out(request, root, *, as_json):
            asked.append((request.dag, request.selection))
            number = len(asked)
            return FAILED if number == fails else judged(tmp_path / str(number), number)

        monkeypatch.setattr(backtest, "carry_out", carry_out)
        command = ["backtest", recipe, "--root", str(tmp_path / "root"), *options]
        return CliRunner().invoke(app, command), asked

    return run


def judged(folder, number):
    """A run whose fold `number` has a mean absolute error of as much."""
    folder.mkdir()
    (folder / "examples").mkdir()
    examples = Examples(folder / "examples").write_summary({}, notes={"rows_train": 100 * number})
    metrics = {"mae": number, "naive_mae": 4.0, "moving_average_mae": 5.0}
    (folder / "metrics.json").write_text(json.dumps({"metrics": metrics, "count": 7}))
    (folder / "forecasts.csv").write_text(f"time,actual\n200{number}-03,1\n200{number}-01,1\n")
    evaluation = Evaluation(folder).write_verdict(blessed=True, reasons=[])
    artifacts = {"series_example_gen": examples, "evaluator": evaluation}
    return RunResult("r", "done", (), artifacts)


def test_every_fold_is_a_pipeline_of_its_own_that_stops_at_the_evaluator(ask):
    _, asked = ask("--folds", "3", "--origin", "sliding")
    assert [dag.name for dag, _ in asked] == ["co2-fold-1", "co2-fold-2", "co2-fold-3"]
    options = [dag.steps["series_example_gen"].options for dag, _ in asked]
    cuts = [(each["folds"], each["fold"], each["origin"]) for each in options]
    assert cuts == [(3, 1, "sliding"), (3, 2, "sliding"), (3, 3, "sliding")]
    assert not {"infra_validator", "pusher"} & asked[0][1].chosen(asked[0][0])


def test_the_table_has_a_line_per_fold_and_their_mean_and_deviation(ask):
    done, _ = ask("--folds", "3")
    assert done.exit_code == 0, done.output
    assert [line.split("\t") for line in done.stdout.splitlines() if "\t" in line] == [
        ["fold", "train rows", "from", "to", "rows", "mae", "naive_mae", "moving_average_mae"],
        ["1", "100", "2001-01", "2001-03", "7", "1", "4", "5"],
        ["2", "200", "2002-01", "2002-03", "7", "2", "4", "5"],
        ["3", "300", "2003-01", "2003-03", "7", "3", "4", "5"],
        ["mean", "", "", "", "", "2", "4", "5"],
        ["± sd", "", "", "", "", "1", "0", "0"],
    ]
    assert [line for line in done.stdout.splitlines() if line.startswith("fold ")] == [
        "fold 1 of 3",
        "fold 2 of 3",
        "fold 3 of 3",
    ]


def test_json_is_all_that_a_program_reads_on_standard_output(ask):
    done, _ = ask("--folds", "2", "--json")
    told = json.loads(done.stdout)
    assert [fold["train_rows"] for fold in told["folds"]] == [100, 200]
    assert (told["folds"][0]["start"], told["folds"][0]["end"]) == ("2001-01", "2001-03")
    assert told["mean"]["mae"] == 1.5
    assert done.stderr == "fold 1 of 2\nfold 2 of 2\n"


def test_a_fold_that_fails_ends_the_backtest_with_code_1(ask):
    done, asked = ask("--folds", "3", fails=2)
    assert (done.exit_code, len(asked)) == (1, 2)
    assert done.stderr == "Backtest stopped: fold 2 of 3 failed.\n"


def test_what_succeeded_before_a_failure_is_told_as_a_table(ask):
    done, _ = ask("--folds", "4", fails=2)
    lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    assert [line[0] for line in lines] == ["fold", "1", "mean"]  # one fold has no deviation
    done, _ = ask("--folds", "4", fails=1)
    assert done.stdout == "fold 1 of 4\n"


def test_what_succeeded_before_a_failure_is_told_as_json_with_the_failure(ask):
    done, _ = ask("--folds", "4", "--json", fails=3)
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [fold["fold"] for fold in told["folds"]] == [1, 2]
    assert (told["mean"]["mae"], told["deviation"]["naive_mae"]) == (1.5, 0.0)
    assert told["failure"] == {
        "fold": 3,
        "status": "failed",
        "run": "r2",
        "step": "trainer",
        "error": "no room",
    }


def test_no_fold_at_all_is_told_as_json_too(ask):
    done, _ = ask("--folds", "2", "--json", fails=1)
    told = json.loads(done.stdout)
    assert (told["folds"], told["mean"], told["failure"]["fold"]) == ([], {}, 1)


def test_a_recipe_of_other_data_is_refused_before_it_asks_for_them(ask):
    done, asked = ask(recipe="image-classifier")
    assert asked == []
    assert str(done.exception) == (
        "Recipe image-classifier: expected one of a series. Received: one of the kind image. "
        "`millrace recipes` tells each recipe's kind; forecaster takes your own series."
    )


def test_one_fold_is_no_backtest(ask):
    done, asked = ask("--folds", "1")
    assert (done.exit_code, asked) == (2, [])
