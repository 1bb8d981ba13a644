"""Commands for orchestrators: step."""

from typing import Annotated

import typer

from millrace.pipeline.cli import stopping
from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    AnomalyOption,
    BeamFlags,
    DataOption,
    ExtrasOption,
    JsonOption,
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
from millrace.pipeline.cli.execute import EXIT, INTERRUPTED, command_line


@app.command(rich_help_panel="Run")
def step(
    recipe: RecipeArgument,
    name_of_step: Annotated[str, typer.Argument(metavar="STEP", help="The step to run.")],
    run_id: Annotated[
        str,
        typer.Option(
            "--run",
            metavar="ID",
            help="A name for the run, the same for all of its steps: an orchestrator's own id.",
        ),
    ],
    beam_flags: BeamFlags = None,
    data: DataOption = None,
    spans: SpansOption = "latest",
    settings: SettingsOption = None,
    name: NameOption = "",
    schema: SchemaOption = None,
    extras: ExtrasOption = None,
    fail_on_anomaly: AnomalyOption = False,
    warm: WarmOption = True,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Run one step of a named run, as an orchestrator does: a process for each step.

    The first step with a new ID begins the run. The others take the same options, read what the
    steps before them wrote in this run and in no other, and may run at once where neither reads
    from the other. An unchanged step comes from the cache. `millrace compile` writes the whole for
    Kubeflow Pipelines or Argo.
    """
    from millrace.pipeline import report, running, stepwise
    from millrace.pipeline.console import lasting_console
    from millrace.pipeline.recipes import catalog
    from millrace.pipeline.run_request import RunRequest, Selection

    place = open_root(root)
    store = open_store(place)
    named = stepwise.named(store, place, run_id, data, spans)
    dag = catalog.wire(
        recipe,
        place,
        data=named.found,
        spans=None,
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
        Selection(only=dag.find(name_of_step).name),
        tuple(beam_flags or []),
        fail_on_anomaly,
        warm,
        named,
    )
    with lasting_console(2 if as_json else 1) as console:
        try:
            done = running.carry_out_step(request, place, store, console, stopping.asked)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(report.step_json(done.of_step, done.run, done.next, recipe))
    raise typer.Exit(EXIT[done.status])
