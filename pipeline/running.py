"""A run from request to report, for the command line and for Python alike."""

import contextlib
import pathlib
from collections.abc import Callable, Collection, Iterator

from rich.console import Console

from millrace.components.user_code import source_code
from millrace.pipeline import report, stepwise, warm_up
from millrace.pipeline.console import RunProgress
from millrace.pipeline.errors import Stopped, describe_error
from millrace.pipeline.results import Observer, RunResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest
from millrace.pipeline.runner import Runner
from millrace.pipeline.stepwise import Progress
from millrace.pipeline.store import Store
from millrace.pipeline.tracking.observer import Tracked, of_run
from millrace.pipeline.ui import report_file
from millrace.serving.errors import MillraceError


def carry_out(
    request: RunRequest,
    root: Root,
    store: Store,
    console: Console,
    interruption: Callable[[], BaseException | None] = lambda: None,
) -> RunResult:
    """Carry out `request` under `root`: show its progress and outcome, and write its report.

    Args:
        request: what to do.
        root: where outputs go.
        store: the record of runs.
        console: shows progress and outcome. Descriptors 1 and 2 of the process lead to a step's
            log while it runs: it writes to another one (see `console.lasting_console`).
        interruption: see `Runner`.

    Raises:
        UsageError: the selection, an option or a source does not fit; nothing was run.
        RemoteError: the root's object store cannot be reached.
        KeyboardInterrupt, Stopped: the run was interrupted; `console` says how to resume it, and
            where its report is.
    """
    request.dag.tracking.check_usable()
    with _shown(request, root, console) as shown:
        runner = Runner(request, root, store, shown, interruption)
        observer = Tracked(shown, request, console, of_run(request, root, runner.run_id))
        runner.observer = observer
        try:
            result = runner.run()
        except (KeyboardInterrupt, Stopped):
            with contextlib.suppress(MillraceError, OSError):  # it may not have begun
                report_file.write(root, store, runner.run_id)
                console.print(f"\nreport  {root.report(runner.run_id)}", markup=False)
                root.keep_run(runner.run_id)
            observer.end("killed")
            raise
        except Exception:
            observer.end("failed")
            raise
        with _of_no_consequence(console):
            report_file.write(root, store, result.run)
            root.keep_run(result.run)
        observer.end(result.status)
        with _of_no_consequence(console):
            for line in report.closing_lines(root, result, request.command):
                console.print(line, markup=False)
    return result


def carry_out_step(
    request: RunRequest,
    root: Root,
    store: Store,
    console: Console,
    interruption: Callable[[], BaseException | None] = lambda: None,
) -> Progress:
    """Carry out the one chosen step of a named run, and write the report of the run so far.

    See `carry_out`.

    Raises:
        UsageError: the step cannot run in that run; see `stepwise.run_step`.
        KeyboardInterrupt, Stopped: it was interrupted; `console` says how to resume it.
    """
    request.dag.tracking.check_usable()
    run = request.named.id if request.named else ""
    with _shown(request, root, console) as shown:
        observer = Tracked(shown, request, console, of_run(request, root, run))
        done = stepwise.run_step(request, root, store, observer, interruption)
        with _of_no_consequence(console), store.alone(root, done.run.run):
            report_file.write(root, store, done.run.run)
            root.keep_step(done.run.run, done.step.step)
        observer.end(done.run.status)
        with _of_no_consequence(console):
            for line in report.closing_lines(root, done.of_step, request.command):
                console.print(line, markup=False)
        console.print(report.progress_line(done.run, done.next), markup=False)
    return done


@contextlib.contextmanager
def _of_no_consequence(console: Console) -> Iterator[None]:
    """Tell what keeps a run from being shown in the block: it has ended as it is recorded."""
    try:
        yield
    except (MillraceError, OSError) as error:
        advice = "`millrace verify` says what is damaged."
        console.print(f"report  not complete: {describe_error(error)} {advice}", markup=False)


def _named_in(request: RunRequest) -> Collection[str]:
    """The steps that will be told of."""
    return request.selection.chosen(request.dag) if request.named else request.dag.steps


@contextlib.contextmanager
def _shown(request: RunRequest, root: Root, console: Console) -> Iterator[Observer]:
    """An observer that shows on `console` what goes on, and how to resume it if that is stopped."""
    with (
        source_code.remembered(pathlib.Path(root.syntax_file)),
        RunProgress(console, _named_in(request)) as progress,
        warm_up.warmed_up(progress, request) as observer,
    ):
        try:
            yield observer
        except (KeyboardInterrupt, Stopped) as error:
            console.print(f"\n{describe_error(error)}\nresume  {request.command}", markup=False)
            raise
