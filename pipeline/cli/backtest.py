"""The command `backtest`: a forecaster trained from scratch for each fold of its last split."""

import csv
import dataclasses
import statistics
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    RootOption,
    SettingsOption,
    app,
    open_root,
    print_json,
)
from millrace.pipeline.cli.execute import EXIT, carry_out, command_line
from millrace.pipeline.errors import UsageError

if TYPE_CHECKING:
    from millrace.components.artifacts import Evaluation
    from millrace.pipeline.dag import Dag
    from millrace.pipeline.recipes.own import OwnWiring
    from millrace.pipeline.recipes.row import Recipe
    from millrace.pipeline.results import RunResult

_INGEST, _JUDGE = "series_example_gen", "evaluator"
_RIVALS = ("constant", "naive", "seasonal_naive", "moving_average")
_FIGURES = ("mae", *(f"{name}_mae" for name in _RIVALS), "mase")


@dataclasses.dataclass(frozen=True)
class Fold:
    """What became of one fold.

    Attributes:
        fold: its number, from 1.
        train_rows: rows of the series that the model was trained on.
        start, end: ISO 8601 in UTC, where the first and the last forecast of the fold begin.
        rows: forecasts judged.
        blessed: the evaluator's verdict.
        metrics: the figures of model and baselines, by name.
    """

    fold: int
    train_rows: int
    start: str
    end: str
    rows: int
    blessed: bool
    metrics: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Failure:
    """What became of the fold that the backtest stopped at.

    Attributes:
        fold: its number, from 1.
        status: of its run.
        run: which that is.
        step: the one that failed; empty where none did.
        error: what it said.
    """

    fold: int
    status: str
    run: str
    step: str
    error: str


@app.command(rich_help_panel="Run")
def backtest(
    recipe: Annotated[str, typer.Argument(help="A recipe of a series: co2, forecaster, …")],
    data: Annotated[str | None, typer.Option(help="Your own data: a CSV or a folder.")] = None,
    folds: Annotated[int, typer.Option(help="Parts of the test period.", min=2)] = 5,
    origin: Annotated[
        Literal["expanding", "sliding"],
        typer.Option(help="Train on all that came before, or on as many rows each time."),
    ] = "expanding",
    settings: SettingsOption = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Train a forecaster from scratch for each part of its test period; nothing is pushed.

    Each fold is trained on what came before it and judged on it, beside the naive forecast and the
    moving average on the same rows. Folds that were run before come from the cache. A fold that
    fails ends it; those before it are reported, and the failure.
    """
    from millrace.components.artifacts import Evaluation, Examples
    from millrace.pipeline import given
    from millrace.pipeline.recipes import catalog
    from millrace.pipeline.run_request import RunRequest, Selection

    row = catalog.find(recipe)
    _check_kind(row, recipe)
    place = open_root(root)
    copy = given.data(data)
    found: list[Fold] = []
    for fold in range(1, folds + 1):
        dag = row.wire(f"{row.name}-fold-{fold}", copy, place.serving)
        _check_steps(dag, recipe)
        cut = {"folds": folds, "fold": fold, "origin": origin}
        catalog.configure(dag, settings or [], row)
        dag.configure([f"{_INGEST}.{name}={value}" for name, value in cut.items()])
        typer.echo(f"fold {fold} of {folds}", err=as_json)
        request = RunRequest(dag, recipe, command_line(), data, Selection(last=(_JUDGE,)))
        result = carry_out(request, place, as_json=as_json)
        evaluation = result.output(Evaluation)
        if evaluation is None:
            _tell(recipe, found, as_json=as_json, failure=_failure(fold, result))
            typer.echo(f"Backtest stopped: fold {fold} of {folds} {result.status}.", err=True)
            raise typer.Exit(EXIT[result.status] or 1)
        train_rows = Examples(result.artifacts[_INGEST].path).summary["notes"]["rows_train"]
        found.append(_fold(fold, train_rows, evaluation))
    _tell(recipe, found, as_json=as_json)


def _fold(number: int, train_rows: int, evaluation: "Evaluation") -> Fold:
    with evaluation.forecasts_file.open() as file:
        times = {line["time"] for line in csv.DictReader(file)}
    return Fold(
        number,
        train_rows,
        min(times),
        max(times),
        evaluation.count,
        evaluation.blessed,
        evaluation.metrics,
    )


def _failure(number: int, result: "RunResult") -> Failure:
    step = next((step for step in result.steps if step.status == "failed"), None)
    told = (step.step, step.error) if step else ("", "")
    return Failure(number, result.status, result.run, *told)


def _tell(recipe: str, found: list[Fold], *, as_json: bool, failure: Failure | None = None) -> None:
    """Print each fold, and mean and sample deviation over them, which needs two."""
    from millrace.components.display import numbers
    from millrace.pipeline.console import print_table, stdout_console

    # A series that never changes has no scaled error: shown is what every fold has.
    names = [name for name in _FIGURES if all(name in fold.metrics for fold in found)]
    figures = {name: [fold.metrics[name] for fold in found] for name in names if found}
    mean = {name: statistics.fmean(values) for name, values in figures.items()}
    deviation = {name: statistics.stdev(of) for name, of in figures.items() if len(of) > 1}
    if as_json:
        each = [dataclasses.asdict(fold) for fold in found]
        told = {"recipe": recipe, "folds": each, "mean": mean, "deviation": deviation}
        print_json(told | ({"failure": dataclasses.asdict(failure)} if failure else {}))
        return
    if not found:
        return
    columns = ("fold", "train rows", "from", "to", "rows")
    lines: list[tuple[list[object], dict[str, float]]] = [
        ([of.fold, of.train_rows, of.start, of.end, of.rows], of.metrics) for of in found
    ]
    for name, over in (("mean", mean), ("± sd", deviation)):
        if over:
            lines.append(([name, "", "", "", ""], over))
    table = [[*cells, *(numbers.short(of[name], 4) for name in names)] for cells, of in lines]
    print_table(stdout_console(), (*columns, *names), table)


def _check_kind(row: "Recipe | OwnWiring", recipe: str) -> None:
    """Refuse a recipe that is known to be of other data before it asks for that."""
    from millrace.pipeline.recipes.row import Recipe

    if isinstance(row, Recipe) and row.features.kind != "series":
        raise UsageError(
            f"Recipe {recipe}: expected one of a series. Received: one of the kind "
            f"{row.features.kind}. `millrace recipes` tells each recipe's kind; forecaster takes "
            "your own series."
        )


def _check_steps(dag: "Dag", recipe: str) -> None:
    if _INGEST not in dag.steps or _JUDGE not in dag.steps:
        raise UsageError(
            f"Recipe {recipe}: expected one of a series, with the steps {_INGEST} and {_JUDGE}. "
            f"Received: {', '.join(dag.steps)}. `millrace recipes` tells each recipe's kind."
        )
