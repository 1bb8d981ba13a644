"""Commands for orchestrators: step, compile."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from millrace.pipeline.cli import completion, stopping
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
    say,
    warn,
)
from millrace.pipeline.cli.execute import EXIT, INTERRUPTED, command_line
from millrace.pipeline.errors import UsageError

_Given = tuple[tuple[str, Sequence[str | None] | None], ...]  # options, and their values if any


@app.command(rich_help_panel="Run")
def step(
    recipe: RecipeArgument,
    name_of_step: Annotated[
        str,
        typer.Argument(metavar="STEP", help="The step to run.", autocompletion=completion.steps),
    ],
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
    named = stepwise.named(store, place, run_id, recipe, data, spans)
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


@app.command("compile", rich_help_panel="Run")
def compile_(
    recipe: RecipeArgument,
    to: Annotated[
        Literal["kubeflow", "argo"], typer.Option(help="The orchestrator that runs the steps.")
    ],
    image: Annotated[
        str, typer.Option(help="Image of every container, such as the Dockerfile's `pipeline`.")
    ],
    beam_flags: BeamFlags = None,
    data: DataOption = None,
    spans: SpansOption = "latest",
    settings: SettingsOption = None,
    name: NameOption = "",
    schema: SchemaOption = None,
    extras: ExtrasOption = None,
    fail_on_anomaly: AnomalyOption = False,
    root: Annotated[
        str,
        typer.Option(metavar="PATH", help="Where artifacts, runs and models lie, in containers."),
    ] = "/data",
    mounts: Annotated[
        list[str] | None,
        typer.Option("--mount", metavar="CLAIM:PATH", help="Mount a PersistentVolumeClaim there."),
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME=VALUE", help="Set an environment variable."),
    ] = None,
    secrets: Annotated[
        list[str] | None,
        typer.Option(
            "--secret", metavar="NAME=SECRET:KEY", help="Set one from a Secret of the cluster."
        ),
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="[STEP:]NAME=N",
            help="What a container may use: memory=8Gi, trainer:nvidia.com/gpu=1.",
        ),
    ] = None,
    schedule: Annotated[
        str, typer.Option(metavar="CRON", help='Of Argo: run by the clock, as in "0 3 * * *".')
    ] = "",
    out: Annotated[
        str, typer.Option(metavar="FILE", help="Where to write it; default standard output.")
    ] = "",
) -> None:
    """Write a recipe as YAML for Kubeflow Pipelines or Argo: a container for each step.

    Each container runs `millrace step` with the orchestrator's id of the run, so that steps which
    do not need each other run at once, a retried one goes on, and runs at once do not mix. Paths
    are those that containers see. On several machines the store must be on PostgreSQL: name it
    by `--secret MILLRACE_STORE=SECRET:KEY`. See docs/deploy.md.
    """
    from millrace.pipeline import run_request
    from millrace.pipeline.orchestrators import argo, kubeflow, workload
    from millrace.pipeline.recipes import catalog
    from millrace.pipeline.root import Root

    if schedule and to != "argo":
        raise UsageError(
            f"--schedule {schedule}: expected --to argo beside it. Received: --to {to}, where a "
            "pipeline is given its schedule when it is there: create a recurring run of it."
        )
    given: _Given = (
        ("--root", [root]),
        ("--data", [data]),
        ("--spans", [spans] if spans != "latest" else []),
        ("--set", settings),
        ("--name", [name]),
        ("--schema", [schema]),
        ("--with", extras),
    )
    beside = (("--env", variables), ("--secret", secrets), ("Beam flags", beam_flags))
    workload.check_no_templates((*given, *beside))
    workload.check_seen_by_containers({"--root": root, "--data": data, "--schema": schema})
    run_request.check_flags(tuple(beam_flags or []), asking=False)
    argo.check_schedule(schedule)
    place = Root(root)
    set_secrets, set_variables = (
        workload.secrets(secrets or []),
        workload.variables(variables or []),
    )
    if place.is_remote:
        workload.check_has_store(root, {**set_secrets, **set_variables})
    dag = catalog.wire(
        recipe,
        place,
        data=data,
        spans=None,
        settings=settings or [],
        name=name,
        schema=schema,
        extras=extras or [],
    )
    mounted = workload.mounts(mounts or [])
    planned = workload.Workload(
        name=workload.plain(dag.name),
        summary=f"millrace {recipe}",
        recipe=recipe,
        tasks=workload.tasks(dag, fail_on_anomaly=fail_on_anomaly),
        options=(
            *_options(given),
            *(["--fail-on-anomaly"] if fail_on_anomaly else []),
            *(["--", *beam_flags] if beam_flags else []),
        ),
        image=workload.image(image),
        mounts=mounted,
        variables=set_variables,
        secrets=set_secrets,
        limits=workload.limits(limits or [], dag),
    )
    is_argo = to == "argo"
    _write(argo.documents(planned, schedule) if is_argo else kubeflow.documents(planned), out)
    if not place.is_remote and not workload.is_kept(root, mounted):
        warn(
            f"--root {root}: in no --mount, so what a step writes ends with its container, and the "
            f"next one does not find it. Give --mount CLAIM:{root}, or see to a volume yourself."
        )
    if out:
        command = argo.submission(out, schedule) if is_argo else kubeflow.submission(planned, out)
        say(f"{out}: a container for each of {len(planned.tasks)} steps. Run it:\n  {command}")


def _options(given: _Given) -> list[str]:
    """The command line's words for the options that were given."""
    return [
        word
        for option, values in given
        for value in values or ()
        if value
        for word in (option, value)
    ]


def _write(documents: list[dict[str, Any]], out: str) -> None:
    """Write YAML to the file `out`, or to standard output.

    Raises:
        UsageError: there is no such folder, or another reason why it cannot be written.
    """
    import yaml

    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=100)
    if not out:
        sys.stdout.write(text)
        return
    try:
        pathlib.Path(out).expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--out {out}: expected a file that can be written, in a folder that is there. "
            f"Received: {error.strerror}. Name another, or make the folder."
        ) from None
