"""The command `millrace`. Exit codes: 0 done, 1 a step failed, 2 wrong usage, 3 anomalies.

Modules that a command needs are imported in it: `millrace --help` starts in a blink.
"""

import json
import os
import pathlib
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import UsageError
from serving.errors import MillraceError

if TYPE_CHECKING:
    from pipeline.root import Root
    from pipeline.store import Store

app = typer.Typer(
    name="millrace",
    help="From raw images to a model behind TensorFlow Serving's gRPC API, step by step.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)

EXIT = {"done": 0, "failed": 1, "anomalies": 3}

RootOption = Annotated[
    pathlib.Path,
    typer.Option("--root", envvar="MILLRACE_ROOT", help="Where artifacts, runs and models lie."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT_ROOT = pathlib.Path(".millrace")


@app.command()
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
        _print_json([{field: getattr(row, field) for field in fields} for row in rows])
    else:
        cells = [(row.name, row.kind, row.data, row.summary) for row in rows]
        print_table(stdout_console(), ("recipe", "kind", "data", "summary"), cells)


@app.command(context_settings={"allow_extra_args": False})
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
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="Stop with exit code 3 on anomalies.")
    ] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Run a recipe: every step, or those asked for; unchanged steps come from the cache."""
    from pipeline import recipes as table
    from pipeline import report
    from pipeline.console import RunProgress, lasting_console
    from pipeline.runner import Runner
    from pipeline.selection import Selection

    place = _root(root)
    row = table.find(recipe)
    dag = row.wire(name or row.name, data, place.serving)
    dag.configure(settings or [])
    command = shlex.join(["millrace", *sys.argv[1:]])
    store = _store(place)
    with lasting_console(2 if as_json else 1) as console, RunProgress(console, dag.steps) as shown:
        runner = Runner(
            dag,
            place,
            store,
            shown,
            beam_flags=beam_flags or [],
            selection=Selection(first, last, only, tuple(force or [])),
            fail_on_anomaly=fail_on_anomaly,
        )
        result = runner.run(recipe=recipe, arguments={"command": command, "data": data})
        report.write(place, store, result)
        for line in report.closing_lines(place, result, command):
            console.print(line, markup=False)
    if as_json:
        _print_json(report.result_json(result, recipe))
    raise typer.Exit(EXIT[result.status])


@app.command()
def runs(root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False) -> None:
    """List the runs, the newest first."""
    from pipeline.console import print_table, stdout_console

    store = _store(_root(root), must_exist=True)
    with store.session() as session:
        rows = [
            (run.id, run.recipe, run.pipeline, run.status, run.started.isoformat(" ", "seconds"))
            for run in store.runs(session)
        ]
    columns = ("run", "recipe", "model", "status", "started")
    if as_json:
        _print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(stdout_console(), columns, rows)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or `latest`.")],
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Show one run: its steps, their outputs, its report."""
    from pipeline import report
    from pipeline.console import print_table, stdout_console

    place = _root(root)
    store = _store(place, must_exist=True)
    with store.session() as session:
        record = store.find_run(session, run_id)
        shown = report.run_json(record)
        if as_json:
            _print_json(shown)
            return
        console = stdout_console()
        console.print(f"{record.id}  {record.recipe}  {record.status}")
        console.print(f"command  {record.arguments.get('command', '')}", markup=False)
        console.print(f"report   {place.report(record.id)}", markup=False)
        rows = [
            (
                s["step"],
                s["status"],
                f"{s['seconds']:.1f} s",
                s["artifact"],
                s["output"] or s["error"],
            )
            for s in shown["steps"]
        ]
        print_table(console, ("step", "status", "time", "artifact", "output"), rows)


@app.command()
def explain(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or `latest`.")],
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Say of each step of a run why it ran or was reused."""
    from pipeline.console import print_table, stdout_console

    store = _store(_root(root), must_exist=True)
    with store.session() as session:
        record = store.find_run(session, run_id)
        rows = [(e.step, e.status, "; ".join(e.reasons)) for e in record.executions]
    columns = ("step", "status", "because")
    if as_json:
        _print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(stdout_console(), columns, rows)


@app.command()
def lineage(
    artifact: Annotated[str, typer.Argument(help="An artifact's number or path.")],
    down: Annotated[bool, typer.Option("--down", help="Show what was made from it.")] = False,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Show what an artifact was made from, or what was made from it."""
    from pipeline import lineage as family
    from pipeline.console import print_tree, stdout_console

    store = _store(_root(root), must_exist=True)
    with store.session() as session:
        found = family.find_artifact(session, artifact)
        print_tree(stdout_console(), family.descendants(found) if down else family.ancestors(found))


@app.command()
def serve(
    models: Annotated[list[str] | None, typer.Argument(help="Default: all pushed models.")] = None,
    port: Annotated[int, typer.Option(help="gRPC port.")] = 8500,
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Serve pushed models over gRPC until interrupted."""
    from pipeline import predictions
    from serving import server

    place = _root(root)
    for model in models or []:
        predictions.check_pushed(place, model)
    server.serve_models(
        {name: str(place.serving / name) for name in models or predictions.pushed_models(place)},
        port=port,
        address=address,
    )


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    files: Annotated[list[pathlib.Path] | None, typer.Argument(help="More image files.")] = None,
    image: Annotated[list[pathlib.Path] | None, typer.Option(help="An image file.")] = None,
    sample: Annotated[int, typer.Option(help="Ask about N test images of the last run.")] = 0,
    target: Annotated[str, typer.Option(help="HOST:PORT of a server that is up.")] = "",
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Ask a served model about images; without --target a server is started for it."""
    from pipeline import predictions
    from pipeline.console import stdout_console

    place = _root(root)
    questions = predictions.from_files([*(image or []), *(files or [])])
    if sample:
        questions += predictions.from_last_run(_store(place, must_exist=True), model, sample)
    answers = predictions.ask(place, model, questions, target)
    if as_json:
        _print_json(answers.as_json())
    else:
        answers.show(stdout_console())


@app.command()
def rollback(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Withdraw a model's newest version, so that servers go back to the one before."""
    from components.pusher import rollback as withdraw

    withdrawn, serving = withdraw(str(_root(root).serving), model)
    typer.echo(f"{model}: version {withdrawn} withdrawn; version {serving} is the newest now.")


@app.command()
def doctor(root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False) -> None:
    """Say what is installed, what can be reached, what is missing and how to get it."""
    from pipeline import doctor as checks
    from pipeline.console import print_table, stdout_console

    rows = checks.examine(_root(root))
    columns = ("what", "state", "found", "advice")
    if as_json:
        _print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(stdout_console(), columns, rows)
    if any(row[1] == "broken" for row in rows):
        raise typer.Exit(1)


def main() -> None:
    """Entry point of the command `millrace`."""
    try:
        app()
    except UsageError as error:
        _fail(error, 2)
    except MillraceError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        _fail("Interrupted.", 130)


def _fail(error: object, code: int) -> None:
    print(f"millrace: {error}", file=sys.stderr)
    sys.exit(code)


def _root(path: pathlib.Path) -> "Root":
    from pipeline.root import Root

    return Root(path)


def _store(root: "Root", *, must_exist: bool = False) -> "Store":
    from pipeline.store import Store

    url = os.environ.get("MILLRACE_STORE")
    if must_exist and not url and not root.path.exists():
        raise UsageError(
            f"Root {root.path}: expected a folder that `millrace run` has written. Received: "
            "nothing there. Give the right one with --root or MILLRACE_ROOT."
        )
    try:
        root.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"Root {root.path}: expected a folder to write to. Received: {error.strerror}. "
            "Give another with --root or MILLRACE_ROOT."
        ) from None
    return Store.open(url or root.store_url)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1))


def _print_options(recipe: Any) -> None:
    """Every step of a recipe with its options, their types and values."""
    from etils.epath import Path

    from pipeline.console import print_table, stdout_console
    from pipeline.options import describe

    dag = recipe.wire(recipe.name, "DATA", Path("serving"))
    rows = [
        (f"{step.name}.{option}", describe(annotation), step.options.get(option, "(required)"))
        for step in dag.steps.values()
        for option, (annotation, _) in step.signature.options.items()
    ]
    print_table(stdout_console(), ("option", "type", "value"), rows)
