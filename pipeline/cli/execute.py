"""Commands that run steps: recipes, run, infer, skew."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from millrace.pipeline.cli import completion, stopping
from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    AnomalyOption,
    BeamFlags,
    DataOption,
    ExtrasOption,
    JsonOption,
    ModelArgument,
    NameOption,
    RecipeArgument,
    RootOption,
    SchemaOption,
    SettingsOption,
    SpansOption,
    WarmOption,
    app,
    open_root,
    open_store,
    print_json,
)

if TYPE_CHECKING:
    from millrace.pipeline.results import RunResult
    from millrace.pipeline.root import Root
    from millrace.pipeline.run_request import RunRequest

EXIT = {"done": 0, "failed": 1, "anomalies": 3}
INTERRUPTED = 130  # as shells have it: 128 + SIGINT


@app.command(rich_help_panel="Run")
def recipes(
    name: Annotated[
        str,
        typer.Argument(
            help="A recipe, to see its options, or your own package.module or file.py.",
            autocompletion=completion.recipes,
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List the recipes, also of a module of your own, or the steps and options of one."""
    from millrace.pipeline.console import print_table, stdout_console
    from millrace.pipeline.recipes import catalog, own

    if name and not own.is_place(name):
        _print_options(catalog.find(name), as_json=as_json)
        return
    rows = own.listed(name) if name else list(catalog.RECIPES.items())
    cells = [(called, row.kind, row.data, row.summary) for called, row in rows]
    if as_json:
        fields = ("name", "kind", "data", "summary")
        print_json([dict(zip(fields, row, strict=True)) for row in cells])
    else:
        print_table(stdout_console(), ("recipe", "kind", "data", "summary"), cells)


@app.command(rich_help_panel="Run")
def run(
    recipe: RecipeArgument,
    beam_flags: BeamFlags = None,
    data: DataOption = None,
    spans: SpansOption = "latest",
    settings: SettingsOption = None,
    first: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="STEP",
            help="Start at this step, or these.",
            autocompletion=completion.steps,
        ),
    ] = None,
    last: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="STEP",
            help="Stop after this step, or these.",
            autocompletion=completion.steps,
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="Run this step alone.", autocompletion=completion.steps),
    ] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP", help="Run it even if cached.", autocompletion=completion.steps
        ),
    ] = None,
    name: NameOption = "",
    schema: SchemaOption = None,
    extras: ExtrasOption = None,
    fail_on_anomaly: AnomalyOption = False,
    warm: WarmOption = True,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe: every step, or those named; unchanged steps come from the cache."""
    from millrace.pipeline.recipes import catalog
    from millrace.pipeline.run_request import RunRequest, Selection

    place = open_root(root)
    dag = catalog.wire(
        recipe,
        place,
        data=data,
        spans=spans,
        settings=settings or [],
        name=name,
        schema=schema,
        extras=extras or [],
    )
    request = RunRequest(
        dag,
        recipe,
        command_line(),
        data,
        Selection(tuple(first or []), tuple(last or []), only, tuple(force or [])),
        tuple(beam_flags or []),
        fail_on_anomaly,
        warm,
    )
    execute(request, place, as_json=as_json)


@app.command(rich_help_panel="Run")
def infer(
    model: ModelArgument,
    data: Annotated[
        str,
        typer.Option(
            help="A folder or an archive of pictures, texts or CSVs; a CSV of rows or of series."
        ),
    ],
    beam_flags: BeamFlags = None,
    settings: SettingsOption = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Predict many inputs in Beam with the model that was pushed last.

    Each file of a folder is a picture or a text. Of a table, of a series and of a file of texts,
    rows are read as the model's training data was; of a series the forecast follows its last row.
    """
    from millrace.pipeline import given
    from millrace.pipeline.origin import folders
    from millrace.pipeline.pushed import last_push
    from millrace.pipeline.recipes import wiring
    from millrace.pipeline.run_request import RunRequest

    place = open_root(root)
    copy = given.data(data) or data
    given.model_name(model, "Model")
    store = open_store(place, must_exist=True)
    pushed, evaluation = last_push(store, model)
    dag = wiring.bulk_inference(model, pushed, evaluation, copy, folders(store, model))
    dag.configure(settings or [])
    flags = tuple(beam_flags or [])
    request = RunRequest(dag, "infer", command_line(), data, beam_flags=flags)
    execute(request, place, as_json=as_json)


@app.command(rich_help_panel="Models")
def skew(
    model: ModelArgument,
    log: Annotated[str, typer.Option(help="The folder of a request log, or a file of it.")],
    beam_flags: BeamFlags = None,
    settings: SettingsOption = None,
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="Exit with code 3 on anomalies.")
    ] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Compare the requests to a served model with the data that it was trained on.

    `millrace serve --log FOLDER` writes such a log; so does any model server with a
    `logging_config`.
    """
    from millrace.pipeline import given
    from millrace.pipeline.pushed import training_of
    from millrace.pipeline.recipes import wiring
    from millrace.pipeline.run_request import RunRequest

    place = open_root(root)
    copy = given.data(log, "--log") or log
    given.model_name(model, "Model")
    dag = wiring.serving_skew(model, training_of(open_store(place, must_exist=True), model), copy)
    dag.configure(settings or [])
    flags = tuple(beam_flags or [])
    request = RunRequest(
        dag, "skew", command_line(), log, beam_flags=flags, fail_on_anomaly=fail_on_anomaly
    )
    execute(request, place, as_json=as_json)


def execute(request: "RunRequest", root: "Root", *, as_json: bool) -> NoReturn:
    """Carry out `request`, show the outcome, and exit with the code for that."""
    from millrace.pipeline import report

    result = carry_out(request, root, as_json=as_json)
    if as_json:
        print_json(report.result_json(result, request.recipe))
    raise typer.Exit(EXIT[result.status])


def carry_out(request: "RunRequest", root: "Root", *, as_json: bool) -> "RunResult":
    """Carry out `request` with its progress on this terminal."""
    from millrace.pipeline import running
    from millrace.pipeline.console import lasting_console

    store = open_store(root)
    with lasting_console(2 if as_json else 1) as console:
        try:
            return running.carry_out(request, root, store, console, stopping.asked)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def command_line() -> str:
    """The command that runs, as it can be typed again."""
    return shlex.join(["millrace", *sys.argv[1:]])


def _print_options(recipe: Any, *, as_json: bool) -> None:
    """Every step of a recipe with its options, their types, values and meanings."""
    from millrace.pipeline import options
    from millrace.pipeline.console import print_options, print_table, stdout_console
    from millrace.pipeline.recipes import catalog

    dag = catalog.without_data(recipe)
    rows = [
        options.OptionRow(each.option, options.describe(each.annotation), each.value, each.meaning)
        for each in options.of_dag(dag)
    ]
    console = stdout_console()
    if as_json:
        print_json([{**row._asdict(), "value": str(row.value)} for row in rows])
    elif console.is_terminal:
        print_options(console, rows)
    else:
        print_table(console, options.OptionRow._fields, rows)
