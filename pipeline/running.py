"""A run from request to report, for the command line and for Python alike."""

import pathlib
from collections.abc import Callable

from rich.console import Console

from millrace.components.user_code import source_code
from millrace.pipeline import page, report, warm_up
from millrace.pipeline.console import RunProgress
from millrace.pipeline.errors import Stopped, describe_error
from millrace.pipeline.results import RunResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest
from millrace.pipeline.runner import Runner
from millrace.pipeline.store import Store


def carry_out(
    request: RunRequest,
    root: Root,
    store: Store,
    console: Console,
    interruption: Callable[[], BaseException | None] = lambda: None,
) -> RunResult:
    """Carry out `request` under `root`: show its progress and outcome, and write its page.

    Args:
        request: what to do.
        root: where outputs go.
        store: the record of runs.
        console: shows progress and outcome. Descriptors 1 and 2 of the process lead to a step's
            log while it runs: it writes to another one (see `console.lasting_console`).
        interruption: see `Runner`.

    Raises:
        UsageError: the selection, an option or a source does not fit; nothing was run.
        KeyboardInterrupt, Stopped: the run was interrupted; `console` says how to resume it.
    """
    with (
        source_code.remembered(pathlib.Path(root.syntax_file)),
        RunProgress(console, request.dag.steps) as progress,
        warm_up.warmed_up(progress, request) as observer,
    ):
        try:
            result = Runner(request, root, store, observer, interruption).run()
        except (KeyboardInterrupt, Stopped) as error:
            console.print(f"\n{describe_error(error)}\nresume  {request.command}", markup=False)
            raise
        page.write(root, store, result)
        for line in report.closing_lines(root, result, request.command):
            console.print(line, markup=False)
    return result
