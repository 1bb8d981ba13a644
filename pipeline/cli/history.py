"""Commands that read the store: runs, show, explain, compare, logs, lineage, verify."""

from typing import Annotated

import typer

from millrace.components.files.printable import printable
from millrace.pipeline.cli import completion
from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    RootOption,
    RunArgument,
    app,
    open_root,
    open_store,
    print_json,
)


@app.command(rich_help_panel="Look back")
def runs(
    tag: Annotated[
        list[str] | None, typer.Option(help="Only runs with this tag, or these; see `tag`.")
    ] = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """List the runs, the newest first."""
    from millrace.pipeline.console import print_table, stdout_console

    place = open_root(root)
    store = open_store(place, must_exist=True)
    with store.session() as session:
        tags = store.tags(session)
        rows = [
            {
                "run": run.id,
                "recipe": run.recipe,
                "model": run.pipeline,
                "status": store.status(session, run, place),
                "started": run.started.isoformat(" ", "seconds"),
                "tags": tags.get(run.id, []),
                "note": run.note or "",
            }
            for run in store.runs(session, tag or ())
        ]
    if as_json:
        print_json(rows)
        return
    columns = ("run", "recipe", "model", "status", "started", "tags")
    cells = [[*(row[name] for name in columns[:-1]), ", ".join(row["tags"])] for row in rows]
    print_table(stdout_console(), columns, cells)


@app.command(rich_help_panel="Look back")
def show(
    run_id: RunArgument,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Show one run: its steps, their outputs, its report."""
    from millrace.pipeline import report
    from millrace.pipeline.console import print_steps, print_table, stdout_console

    place = open_root(root)
    store = open_store(place, must_exist=True)
    with store.session() as session:
        record = store.find_run(session, run_id)
        statuses = store.step_statuses(session, record, place)
        tags = store.tags(session, [record.id])[record.id]
        shown = report.run_json(record, store.status(session, record, place), statuses, tags)
        if as_json:
            print_json(shown)
            return
        console = stdout_console()
        console.print(f"{record.id}  {record.recipe}  {shown['status']}")
        if tags:
            console.print(f"tags     {', '.join(tags)}", markup=False)
        if record.note:
            console.print(f"note     {record.note}", markup=False)
        console.print(f"command  {record.arguments.get('command', '')}", markup=False)
        console.print(f"report   {place.kept_report(record.id)}", markup=False)
        if console.is_terminal:
            print_steps(console, shown["steps"])
            return
        rows = [
            (
                s["step"],
                s["status"],
                f"{s['seconds']:.1f} s",
                s["artifact"],
                f"{s['output']} (gone)" if s["gone"] else s["output"] or s["error"],
                ", ".join(s["reads"]),
            )
            for s in shown["steps"]
        ]
        print_table(console, ("step", "status", "time", "artifact", "output", "reads"), rows)


@app.command(rich_help_panel="Look back")
def explain(
    run_id: RunArgument,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Say of each step of a run why it ran or was reused."""
    from millrace.pipeline.console import print_table, stdout_console

    place = open_root(root)
    store = open_store(place, must_exist=True)
    with store.session() as session:
        record = store.find_run(session, run_id)
        statuses = store.step_statuses(session, record, place)
        rows = [(e.step, statuses[e.id], "; ".join(e.reasons)) for e in record.executions]
    columns = ("step", "status", "because")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(stdout_console(), columns, rows)


@app.command(rich_help_panel="Look back")
def compare(
    first: RunArgument,
    second: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="The run to compare with it.", autocompletion=completion.runs
        ),
    ],
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Compare two runs: what differs in their options, inputs, code and versions, and figures."""
    from millrace.components.display import numbers
    from millrace.pipeline import comparison
    from millrace.pipeline import runs as recorded
    from millrace.pipeline.console import print_table, stdout_console

    place = open_root(root)
    store = open_store(place, must_exist=True)
    with store.session() as session:
        records = [store.find_run(session, run) for run in (first, second)]
        ids = [record.id for record in records]
        found = list(comparison.differences(*records))
    figures = comparison.figures(*(recorded.open_run(run, place.name).metrics for run in ids))
    if as_json:
        said = [{"step": step, "differs": reason} for step, reason in found]
        told = {each.name: [each.before, each.now] for each in figures}
        print_json({"runs": ids, "differences": said, "metrics": told})
        return
    console = stdout_console()
    if found:
        print_table(console, ("step", "differs"), found)
    else:
        console.print("Every step of both is set alike.")
    if not figures:
        return
    cells = [
        (
            each.name,
            *(
                numbers.short(one) if one is not None else ""
                for one in (each.before, each.now, each.change)
            ),
        )
        for each in figures
    ]
    print_table(console, ("figure", *ids, "change"), cells)


@app.command(rich_help_panel="Look back")
def logs(
    run_id: RunArgument,
    step: Annotated[
        str, typer.Argument(metavar="[STEP]", help="One step; by default all, in their order.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on while the run does.")
    ] = False,
    root: RootOption = DEFAULT_ROOT,
) -> None:
    """Print what the steps of a run printed."""
    from millrace.pipeline import following

    place = open_root(root)
    for line in following.lines(open_store(place, must_exist=True), place, run_id, step, follow):
        print(printable(line), flush=follow)


@app.command(rich_help_panel="Look back")
def lineage(
    artifact: Annotated[str, typer.Argument(help="An artifact's number or path.")],
    down: Annotated[bool, typer.Option("--down", help="Show what was made from it.")] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Show what an artifact was made from, or what was made from it."""
    from millrace.pipeline import given
    from millrace.pipeline import lineage as family
    from millrace.pipeline.console import print_tree, stdout_console

    given.utf8(artifact, "lineage")
    store = open_store(open_root(root), must_exist=True)
    with store.session() as session:
        found = family.find_artifact(session, artifact, store.within)
        tree = family.descendants(found, store.root) if down else family.ancestors(found)
        if as_json:
            print_json(family.as_json(tree))
        else:
            print_tree(stdout_console(), tree)


@app.command(rich_help_panel="Look back")
def verify(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Move what is damaged to ROOT/damaged; the next run makes it again."
        ),
    ] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Read every output and pushed version, and name each file that is not as it was written.

    Exits with 1 if any is damaged, repaired or not, or if all of them lie elsewhere.
    """
    from millrace.pipeline import verification
    from millrace.pipeline.console import print_table, stdout_console

    place = open_root(root)
    found = verification.verify(open_store(place, must_exist=True), place, repair=repair)
    if as_json:
        damaged = [one.as_json() for one in found.damaged]
        counts = {"checked": found.checked, "gone": found.gone, "elsewhere": found.elsewhere}
        print_json({**counts, "damaged": damaged})
    else:
        console = stdout_console()
        rows = [
            (one.step, one.run, each.file, each.problem)
            for one in found.damaged
            for each in one.files
        ]
        if rows:
            print_table(console, ("step", "run", "file", "problem"), rows)
        console.print(
            f"{found.checked} outputs read, {len(found.damaged)} damaged; "
            f"{found.gone} more are gone or superseded"
        )
        if found.elsewhere:
            console.print(
                f"{found.elsewhere} lie elsewhere and were not read: of other roots, or of this "
                "one before it was moved here"
            )
        for one in found.damaged:
            if one.set_aside:
                console.print(f"set aside  {one.path} -> {one.set_aside}", markup=False)
        if found.damaged:
            console.print(
                "Run their recipes again, which makes them again."
                if repair
                else "`millrace verify --repair` sets them aside; the next run makes them again."
            )
    if found.damaged or (found.elsewhere and not found.checked):
        raise typer.Exit(1)
