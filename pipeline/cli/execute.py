"""Commands that run steps: recipes, run, infer."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    RootOption,
    app,
    open_root,
    open_store,
    print_json,
)

if TYPE_CHECKING:
    from pipeline.dag import Dag
    from pipeline.root import Root
    from pipeline.selection import Selection

EXIT = {"done": 0, "failed": 1, "anomalies": 3}
INTERRUPTED = 130  # as shells have it: 128 + SIGINT


@app.command(rich_help_panel="Run")
def recipes(
    name: Annotated[str, typer.Argument(help="Show this recipe's steps and options.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the recipes, or the steps and options of one."""
    from pipeline import recipes as table
    from pipeline.console import print_table, stdout_console

    rows = [table.find(name)] if name else list(table.RECIPES.values())
    if name:
        _print_options(table.find(name))
    elif as_json:
        fields = ("name", "kind", "data", "summary")
        print_json([{field: getattr(row, field) for field in fields} for row in rows])
    else:
        cells = [(row.name, row.kind, row.data, row.summary) for row in rows]
        print_table(stdout_console(), ("recipe", "kind", "data", "summary"), cells)


@app.command(rich_help_panel="Run")
def run(
    recipe: Annotated[str, typer.Argument(help="A name from `millrace recipes`.")],
    beam_flags: Annotated[
        list[str] | None, typer.Argument(metavar="[-- BEAM FLAGS]", help="Flags for Beam.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Your own data: a folder or a file.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STEP.OPTION=VALUE", help="Set an option of a step."),
    ] = None,
    first: Annotated[str | None, typer.Option("--from", help="Start at this step.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Stop after this step.")] = None,
    only: Annotated[str | None, typer.Option(help="Run this step alone.")] = None,
    force: Annotated[list[str] | None, typer.Option(help="Run it even if cached.")] = None,
    name: Annotated[str, typer.Option(help="Name of the model; default the recipe's.")] = "",
    schema: Annotated[
        str | None, typer.Option(help="A curated schema.pbtxt, instead of the inferred one.")
    ] = None,
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="Stop with exit code 3 on anomalies.")
    ] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe: every step, or those asked for; unchanged steps come from the cache."""
    from pipeline import recipes as table
    from pipeline.selection import Selection

    place = open_root(root)
    row = table.find(recipe)
    dag = row.wire(name or row.name, data, place.serving, schema)
    dag.configure(settings or [])
    selection = Selection(first, last, only, tuple(force or []))
    _execute(
        dag,
        place,
        recipe,
        selection=selection,
        data=data,
        beam_flags=beam_flags or [],
        fail_on_anomaly=fail_on_anomaly,
        as_json=as_json,
    )


@app.command(rich_help_panel="Run")
def infer(
    model: Annotated[str, typer.Argument(help="The name of a pushed model.")],
    data: Annotated[str, typer.Option(help="A file or folder of inputs.")],
    beam_flags: Annotated[
        list[str] | None, typer.Argument(metavar="[-- BEAM FLAGS]", help="Flags for Beam.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STEP.OPTION=VALUE", help="Set an option of the step."),
    ] = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Predict a whole folder in Beam with the model that was pushed last."""
    from pipeline import recipes as table
    from pipeline.pushed import last_push

    place = open_root(root)
    pushed, evaluation = last_push(open_store(place, must_exist=True), model)
    dag = table.bulk_inference(model, pushed, evaluation, data)
    dag.configure(settings or [])
    _execute(dag, place, "infer", data=data, beam_flags=beam_flags or [], as_json=as_json)


def _execute(
    dag: "Dag",
    place: "Root",
    recipe: str,
    *,
    data: str | None,
    beam_flags: list[str],
    as_json: bool,
    selection: "Selection | None" = None,
    fail_on_anomaly: bool = False,
) -> NoReturn:
    """Run `dag`, tell how it goes and how it ended, and exit with the code for that."""
    from pipeline import page, report
    from pipeline.console import RunProgress, lasting_console
    from pipeline.runner import Runner

    command = shlex.join(["millrace", *sys.argv[1:]])
    store = open_store(place)
    with lasting_console(2 if as_json else 1) as console, RunProgress(console, dag.steps) as shown:
        runner = Runner(
            dag,
            place,
            store,
            shown,
            beam_flags=beam_flags,
            selection=selection,
            fail_on_anomaly=fail_on_anomaly,
        )
        try:
            result = runner.run(recipe=recipe, arguments={"command": command, "data": data})
        except KeyboardInterrupt:
            console.print(f"\nInterrupted.\nresume  {command}", markup=False)
            raise typer.Exit(INTERRUPTED) from None
        page.write(place, store, result)
        for line in report.closing_lines(place, result, command):
            console.print(line, markup=False)
    if as_json:
        print_json(report.result_json(result, recipe))
    raise typer.Exit(EXIT[result.status])


def _print_options(recipe: Any) -> None:
    """Every step of a recipe with its options, their types and values."""
    from etils.epath import Path

    from pipeline import options
    from pipeline.console import print_table, stdout_console

    data = "DATA" if recipe.data.startswith("--data") else None
    dag = recipe.wire(recipe.name, data, Path("serving"))
    rows = [
        row
        for step in dag.steps.values()
        for option, (annotation, _) in step.signature.options.items()
        for row in options.rows(
            f"{step.name}.{option}", annotation, step.options.get(option, "(required)")
        )
    ]
    print_table(stdout_console(), ("option", "type", "value"), rows)
