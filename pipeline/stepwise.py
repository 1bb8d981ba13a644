"""A run whose steps run one by one, each in a process of its own, as an orchestrator starts them.

The first of them begins the run, under the name that all of them give, and records what it is of:
the recipe, the data as it was found then, and what each step reads and is set to. The others must
be of the same, and read what the steps before them wrote in this run, whatever other runs do.
"""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from millrace.components.artifacts import Artifact
from millrace.pipeline import circumstances, damage, spans
from millrace.pipeline.dag import Dag, Input, Previous, Source, Step
from millrace.pipeline.errors import UsageError
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord, now
from millrace.pipeline.results import Observer, RunResult, StepResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import NamedRun, RunRequest
from millrace.pipeline.runner import Runner, has_anomalies, outcomes
from millrace.pipeline.store import Store

_DONE = ("ran", "cached")
_NO_NAMES = ("latest", "null", "none")  # one with a meaning, and what is left of a missing one
_STATE = {"running": "is running", "failed": "has failed", "killed": "was killed"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # the names of folders, see `Root`


@dataclasses.dataclass(frozen=True)
class Progress:
    """What became of one step, and how far its run has come.

    Attributes:
        step: what became of it.
        status: done, failed or anomalies: that of a run of this step alone.
        run: every step of the run so far; skipped are those that no process has begun.
        next: the steps that can run now.
    """

    step: StepResult
    status: str
    run: RunResult
    next: tuple[str, ...]

    @property
    def of_step(self) -> RunResult:
        """The step alone, as if it had been a run."""
        made = {name: one for name, one in self.run.artifacts.items() if name == self.step.step}
        return RunResult(self.run.run, self.status, (self.step,), made)


def named(
    store: Store, root: Root, run: str, recipe: str, data: str | None, which: str
) -> NamedRun:
    """The run with the id `run`, and what its data are: as they were found when it began.

    Args:
        store: the record of runs.
        root: where links to several spans are put.
        run: a name for it, an orchestrator's own id of the run for example.
        recipe: what it is a run of.
        data: what the user gave, see `spans.resolve`.
        which: of the spans.

    Raises:
        UsageError: `run` cannot be a name; the run is not one of single steps, or began with
            another root, recipe or data; or the data of a new one cannot be found.
    """
    if not _NAME.fullmatch(run) or run.lower() in _NO_NAMES:
        raise UsageError(
            "--run: expected 1 to 100 letters, digits, `.`, `_` or `-`, the first a letter or "
            f"digit, and not {' or '.join(_NO_NAMES)}. Received: {run!r}. Put `-` for other signs."
        )
    record = store.recorded_run(run)
    if record is None:
        places = spans.places(data, which)
        return NamedRun(run, which, places, spans.gathered(root, places))
    if "steps" not in record.arguments:
        raise UsageError(
            f"--run {run}: expected a run of single steps. Received: one of `millrace run`. "
            "Give another name."
        )
    _check_same("--root", record, record.root, root.name)
    _check_same("the recipe", record, record.recipe, recipe)
    _check_same("--data", record, record.arguments["data"], data)
    _check_same("--spans", record, record.arguments["spans"], which)
    found = record.arguments["found"] or ()
    places = (found,) if isinstance(found, str) else tuple(found)  # an older version's is a path
    return NamedRun(run, which, places, spans.gathered(root, places))


def run_step(
    request: RunRequest,
    root: Root,
    store: Store,
    observer: Observer,
    interruption: Callable[[], BaseException | None] = lambda: None,
) -> Progress:
    """Run the one chosen step of a named run, or take its output from the cache.

    A step of the same name that is at work on the run is waited for.

    Raises:
        UsageError: the run is of something else, or a step that this one reads has not run in it;
            nothing was run.
    """
    dag, run = request.dag, _named(request)
    dag.check_complete()
    (name,) = request.selection.chosen(dag)
    step = dag.find(name)
    runner = Runner(request, root, store, observer, interruption)
    outputs = _outputs(store, root, request, step)
    sources = runner.read_sources([step])
    if (begun := store.recorded_run(run.id)) is not None:
        _check(begun, request, root, sources, store)
    with root.running(run.id, shared=True), contextlib.ExitStack() as work:
        work.enter_context(store.at_work(root, run.id, name))
        root.sweep()
        store.mark_dead(root)
        root.discard(name, run.id, store.tries(run.id, name), store.places(run.id, name))
        with store.alone(root, run.id):
            _check(store.join_run(_record(request, root)), request, root, sources, store)
            store.settle_run(run.id, "running")
            _mark_dead_steps(store, root, run.id, step)
        try:
            result = runner.run_step(step, outputs)
        finally:
            with store.alone(root, run.id):
                work.close()  # first, so that the last one to look sees nobody at work
                _mark_dead_steps(store, root, run.id, step)
                results, so_far = _so_far(store, root, request)
                store.settle_run(run.id, so_far)
    status = _status(request, (result,))
    whole = RunResult(run.id, so_far, results, _artifacts(store, root, request))
    return Progress(result, status, whole, tuple(_ready(dag, whole)))


def progress(store: Store, root: Root, request: RunRequest) -> RunResult:
    """How far the named run of `request` has come. Status: see `RunRecord`."""
    results, status = _so_far(store, root, request)
    artifacts = _artifacts(store, root, request)
    return RunResult(_named(request).id, status, results, artifacts)


def _so_far(store: Store, root: Root, request: RunRequest) -> tuple[tuple[StepResult, ...], str]:
    """What became of each step, and the status of the run."""
    dag, run = request.dag, _named(request).id
    begun = store.executions(run)
    results = tuple(_result(name, begun.get(name)) for name in dag.steps)
    # A process that is at work may not have recorded yet that it has begun.
    is_at_work = any(store.is_at_work(root, run, name) for name in dag.steps)
    return results, "running" if is_at_work else _status(request, results)


def _artifacts(store: Store, root: Root, request: RunRequest) -> dict[str, Artifact]:
    """The outputs that are in place, by step, as far as they are looked at."""
    # A store of an earlier version may name outputs of other roots, in an object store even.
    records = {
        name: one.output
        for name, one in store.executions(_named(request).id).items()
        if one.output is not None and root.contains(one.output.uri)
    }
    steps = request.dag.steps
    found = outcomes(request.dag, {name: records[name] for name in steps if name in records})
    return {name: one for name, one in found.items() if one.path.exists()}


def _named(request: RunRequest) -> NamedRun:
    if request.named is None:
        raise ValueError("expected the request of a step of a named run")
    return request.named


def _status(request: RunRequest, results: tuple[StepResult, ...]) -> str:
    found = [one.status for one in results]
    for status in ("running", "failed", "killed"):
        if status in found:
            return status
    steps = request.dag.steps
    if request.fail_on_anomaly and any(has_anomalies(steps[one.step], one) for one in results):
        return "anomalies"
    return "partial" if "skipped" in found else "done"


def _result(name: str, execution: ExecutionRecord | None) -> StepResult:
    if execution is None:
        return StepResult(name, "skipped")
    output = execution.output.place if execution.output else None
    reasons = tuple(execution.reasons)
    status: Any = execution.status
    return StepResult(name, status, execution.seconds, output, reasons, execution.error)


def _ready(dag: Dag, run: RunResult) -> Iterator[str]:
    """The steps that have not begun, and read nothing that is not there yet."""
    done = {one.step for one in run.steps if one.status in _DONE}
    for one in run.steps:
        above = {step.name for step in dag.steps[one.step].upstream}
        if one.status not in (*_DONE, "running") and above <= done:
            yield one.step


def _mark_dead_steps(store: Store, root: Root, run: str, own: Step) -> None:
    """Those whose process died; of `own`, all before this one, which has its lock."""
    store.mark_dead_steps(run, lambda step: step != own.name and store.is_at_work(root, run, step))


def _outputs(
    store: Store, root: Root, request: RunRequest, step: Step
) -> dict[str, ArtifactRecord]:
    """What the steps that `step` reads from have written in this run, by name.

    Raises:
        UsageError: one has not run in it, or its output is damaged or gone.
    """
    run = _named(request).id
    begun = store.executions(run) if step.upstream else {}
    found: dict[str, ArtifactRecord] = {}
    for above in step.upstream:
        record, problem = _output(begun.get(above.name), root)
        if record is None or problem:
            raise UsageError(
                f"Step {step.name}: expected the output of step {above.name} in run {run}. "
                f"Received: {problem}. Run `millrace step {request.recipe} {above.name} "
                f"--run {run}` first, with the same options."
            )
        found[above.name] = record
    return found


def _output(execution: ExecutionRecord | None, root: Root) -> tuple[ArtifactRecord | None, str]:
    """What `execution` wrote, and why that cannot be read; no reason where it can."""
    if execution is None:
        return None, "none"
    if execution.status not in _DONE or execution.output is None:
        return None, f"a step that {_STATE.get(execution.status, 'wrote nothing')}"
    if not root.contains(execution.output.uri):
        return None, "one that lies under another root"
    harm = damage.look(execution.output)
    if harm is None:
        return None, "one that is no longer in place"
    return execution.output, damage.described(harm) if harm else ""


def _record(request: RunRequest, root: Root) -> RunRecord:
    """The run as its first step begins it."""
    run = _named(request)
    return RunRecord(
        id=run.id,
        recipe=request.recipe,
        pipeline=request.dag.name,
        root=root.name,
        arguments={
            "command": request.command,
            "data": request.data,
            "spans": run.spans,
            "found": list(run.places),
            "steps": _plan(request.dag),
            "made_with": circumstances.found(),
        },
        status="running",
        started=now(),
    )


def _plan(dag: Dag) -> dict[str, Any]:
    """What each step is, reads and is set to, as plain JSON."""
    return {
        name: {
            "component": f"{step.component.__module__}:{step.component.__qualname__}",
            "inputs": {key: _described(node) for key, node in step.inputs.items()},
            "options": step.dumped_options(),
        }
        for name, step in dag.steps.items()
    }


def _described(node: Input) -> str | None:
    match node:
        case Step():
            return f"step {node.name}"
        case Source():
            return f"{node.artifact_type.__name__} {spans.origin(node.path)}"
        case Previous():
            return f"{'last blessed' if node.blessed else 'earlier'} {node.of.name}"
    return None


def _check(
    run: RunRecord, request: RunRequest, root: Root, sources: list[ArtifactRecord], store: Store
) -> None:
    """Refuse a step of something else than what the recorded `run` is of.

    Raises:
        UsageError: names the first difference, and what to give instead.
    """
    _check_same("the recipe", run, run.recipe, request.recipe)
    _check_same("--name", run, run.pipeline, request.dag.name)
    _check_same("--root", run, run.root, root.name)
    before, given = (dict(_flat(plan)) for plan in (run.arguments["steps"], _plan(request.dag)))
    for place in sorted({*before, *given}):
        _check_same(place, run, before.get(place), given.get(place))
    read = {
        (record.uri, record.type): record.digest
        for execution in store.executions(run.id).values()
        for record in execution.inputs.values()
        if execution.status in _DONE
    }
    for source in sources:
        if read.get((source.uri, source.type), source.digest) != source.digest:
            raise UsageError(
                f"{source.uri}: expected what run {run.id} has read before. Received: other "
                "content. Give another --run, to begin a run of the files as they are now."
            )


def _flat(plan: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings, by the keys that lead to them between dots."""
    if isinstance(plan, Mapping) and plan:
        for key, value in plan.items():
            # As in `trainer.epochs`: an option is named without its group.
            below = place if key in ("options", "inputs") else f"{place}.{key}".strip(".")
            yield from _flat(value, below)
    else:
        yield place, plan


def _check_same(place: str, run: RunRecord, before: Any, given: Any) -> None:
    if before != given:
        raise UsageError(
            f"Run {run.id}: expected {place} {before!r}, with which it began. Received: {given!r}. "
            "Give the same to every step of a run, or another --run to begin a new one."
        )
