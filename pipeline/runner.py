"""Runs a DAG: each step from the cache where its key is known, else staged and recorded.

An output folder is staged, then renamed or uploaded, then recorded: it is whole or it is not there.
Steps work on folders of this machine; of what is in an object store they are given copies.
Steps run one after another in this process: TensorFlow is imported once, and on one
machine the long steps already use every core (see docs/architecture.md for the figures).
"""

import contextlib
import dataclasses
import datetime
import logging
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from etils.epath import Path

from millrace.components.artifacts import Anomalies, Artifact, Examples, Model, TrainedModel
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.user_code import frames
from millrace.pipeline import (
    circumstances,
    damage,
    earlier,
    excerpt,
    explain,
    fingerprint,
    given,
    rehearsal,
    steplog,
)
from millrace.pipeline.dag import Dag, Input, Source, Step
from millrace.pipeline.errors import (
    StoreError,
    UsageError,
    WiringError,
    describe_error,
    describe_failure,
)
from millrace.pipeline.leases import LEASE_SECONDS
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord, now
from millrace.pipeline.rehearsal import Rehearsal
from millrace.pipeline.results import Observer, RunResult, StepResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest
from millrace.pipeline.store import Store, new_run_id
from millrace.serving import remote
from millrace.serving.errors import RemoteError

_log = logging.getLogger(__name__)

_LARGE = (Examples, Model, TrainedModel)  # of these, an outcome shows what is in small files
_SMALL = 1 << 20  # bytes of such a file
_TOLD = {"millrace.components", "millrace.serving.tensorflow_import"}  # whose messages are shown


class Runner:
    """One run of one DAG under one root."""

    def __init__(
        self,
        request: RunRequest,
        root: Root,
        store: Store,
        observer: Observer,
        interruption: Callable[[], BaseException | None] = lambda: None,
    ) -> None:
        """Run what `request` says under `root`.

        Args:
            request: the steps, their options, and which of them to run.
            root: where outputs go.
            store: the record of runs.
            observer: is notified of each step.
            interruption: what has been raised to end the process. A library that a step calls may
                wrap that in an error of its own, or drop it.
        """
        self.request = request
        self.dag = request.dag
        self.root = root
        self.store = store
        self.observer = observer
        self.beam = BeamOptions(request.beam_flags)
        self._interruption = interruption
        self.run_id = request.named.id if request.named else new_run_id()
        self._outputs: dict[str, ArtifactRecord] = {}
        self._sources: dict[Source, ArtifactRecord] = {}
        self._states: dict[Source, fingerprint.State] = {}
        self._rehearsal = Rehearsal()
        self._passed_over: list[str] = []  # earlier outputs that the next step might have read

    def run(self) -> RunResult:
        """Run the chosen steps in order and stop at the first that fails.

        Raises:
            UsageError: the selection, an option, a source or the root does not fit; nothing was
                run.
        """
        self.dag.check_complete()
        chosen = self.request.selection.chosen(self.dag)
        self.read_sources(self.dag.steps.values())
        lent = {
            name: self._lend(step, chosen)
            for name, step in self.dag.steps.items()
            if name not in chosen
        }
        self._rehearsal = Rehearsal.of(self.dag, chosen)
        results: list[StepResult] = []
        with self.root.running(self.run_id):
            self._keep_command()
            self.root.sweep()
            self.store.mark_dead(self.root)
            self.store.begin_run(self._record())
            status = "killed"
            try:
                with self._lease():
                    status = self._run_steps(lent, results)
            except BaseException:
                with contextlib.suppress(RemoteError):
                    self.root.keep_run(self.run_id)
                raise
            finally:
                self.root.staging(self.run_id).rmtree(missing_ok=True)
                self.store.finish_run(self.run_id, status)
        artifacts = outcomes(self.dag, self._outputs)
        return RunResult(self.run_id, status, tuple(results), artifacts)

    def _record(self) -> RunRecord:
        began, lease = now(), datetime.timedelta(seconds=LEASE_SECONDS)
        return RunRecord(
            id=self.run_id,
            recipe=self.request.recipe,
            pipeline=self.dag.name,
            root=self.root.name,
            arguments={
                "command": self.request.command,
                "data": self.request.data,
                "made_with": circumstances.found(),
            },
            status="running",
            started=began,
            lease=began + lease if self.root.is_remote else None,
        )

    def _lease(self) -> contextlib.AbstractContextManager[None]:
        """Let other machines know that this run lives, which cannot see its lock."""
        return self.store.leased(self.run_id) if self.root.is_remote else contextlib.nullcontext()

    def _keep_command(self) -> None:
        """Write to an object store now, so that one which refuses does so before anything is run.

        Raises:
            UsageError: the bucket is not there, or not for these credentials.
            RemoteError: it cannot be reached.
        """
        if not self.root.is_remote:
            return
        (self.root.run(self.run_id) / "command").write_text(self.request.command)
        try:
            self.root.keep_run(self.run_id)
        except RemoteError as error:
            if isinstance(error.__cause__, FileNotFoundError | PermissionError):
                raise UsageError(str(error)) from error
            raise

    def read_sources(self, steps: Iterable[Step]) -> list[ArtifactRecord]:
        """The files of the user's that `steps` read, as they are now.

        Raises:
            UsageError: one is not there, or cannot be read.
        """
        for node in [node for step in steps for node in step.inputs.values()]:
            if isinstance(node, Source) and node not in self._sources:
                path = given.source(node.path, "Source")
                self._states[node] = fingerprint.state(path)  # before it is read
                self._sources[node] = self.store.source(path, node.artifact_type.__name__)
        return list(self._sources.values())

    def run_step(self, step: Step, outputs: Mapping[str, ArtifactRecord]) -> StepResult:
        """Run `step` alone, whose sources have been read, of a run that is recorded.

        Args:
            step: of the DAG.
            outputs: what the steps that it reads from have written in this run.
        """
        self._outputs.update(outputs)
        staged = [self.root.staging(self.run_id) / f"{step.name}{end}" for end in ("", ".resume")]
        try:
            for folder in staged:  # of an earlier try, that was killed
                folder.rmtree(missing_ok=True)
            self._stop_if_interrupted()
            result = self._run_step(step)
        finally:
            for folder in staged:
                folder.rmtree(missing_ok=True)
        self.observer.ended(result)
        return result

    def _run_steps(self, lent: Mapping[str, StepResult], results: list[StepResult]) -> str:
        status = "done"
        fails: StepResult | None = None
        for step in self.dag.steps.values():
            self._stop_if_interrupted()
            if status == "done" and step.name not in lent and not fails:
                fails = self._rehearsed()
            if fails and fails.step == step.name:
                result = fails
            elif status != "done" or fails:
                result = StepResult(step.name, "skipped")
            elif step.name in lent:
                result = lent[step.name]
            else:
                result = self._run_step(step)
            results.append(result)
            self.observer.ended(result)
            if result.status == "failed":
                status = "failed"
            elif self.request.fail_on_anomaly and has_anomalies(step, result):
                status = "anomalies"
        return status

    def _rehearsed(self) -> StepResult | None:
        """The step that fails by a person's own code on a few of the data, before a long step."""
        if early := self._rehearsal.early():
            ingest, given_by = early
            source = self._states[given_by].place
            if excerpt.is_long(pathlib.Path(source)) and not self._is_cached(ingest):
                found = self._tried(ingest, self._rehearsal.plan_early(ingest, source))
                return self._failed_early(found) if found.step else None
        first = self._rehearsal.due(self._outputs)
        if first is None or self._is_cached(first):
            return None
        made = {name: record.fetch() for name, record in self._inputs(first).items() if record}
        found = self._tried(first, self._rehearsal.plan(made["examples"], made.get("analysis")))
        if found.is_passed:
            self._rehearsal.settle()
        return self._failed_early(found) if found.step else None

    def _inputs(self, step: Step) -> dict[str, ArtifactRecord | None]:
        return {name: self._resolve(node) for name, node in step.inputs.items()}

    def _is_cached(self, step: Step) -> bool:
        inputs = self._inputs(step).items()
        digests = {name: record.digest if record else None for name, record in inputs}
        key = fingerprint.ingredients(step, digests).key
        return earlier.cached(self.store, self.root, step, key)[0] is not None

    def _tried(self, first: Step, plan: rehearsal.Plan) -> rehearsal.Outcome:
        self.observer.line(first, f"a few rows first: {', '.join(plan.own)}")
        folder = self.root.staging(self.run_id) / "rehearsal"
        return rehearsal.carried_out(plan, folder, lambda step: self.root.log(self.run_id, step))

    def _failed_early(self, found: rehearsal.Outcome) -> StepResult:
        step = self.dag.find(found.step)
        parts = fingerprint.ingredients(step, dict.fromkeys(step.inputs))
        with self.store.session() as session:
            execution = self._execution(step, parts, ["its code was tried on a few rows"])
            self.store.begin_execution(session, execution, {})
        self.store.finish_execution(execution.id, "failed", error=found.said)
        return StepResult(step.name, "failed", reasons=tuple(execution.reasons), error=found.said)

    def _stop_if_interrupted(self) -> None:
        if (interruption := self._interruption()) is not None:
            raise interruption

    def _run_step(self, step: Step) -> StepResult:
        """Reuse what the step's key is known for, or run it.

        Files are read and hashed between the transactions, which other runs wait for.
        """
        with self.store.looking(self.root):  # what is found stays, as it is recorded by then
            begun = self._begin(step)
        for note in begun.notes:
            self.observer.line(step, note)
        if begun.hit is not None:
            return StepResult(step.name, "cached", 0.0, begun.hit.place, tuple(begun.why))
        result = self._execute(step, begun)
        if result.status == "ran":
            self._set_aside(step, begun.damaged)
        return result

    def _begin(self, step: Step) -> "_Begun":
        """Find what `step` reads and what it can reuse, and record that it has begun with that."""
        forced = step.name in self.request.selection.force
        inputs = {name: self._resolve(node) for name, node in step.inputs.items()}
        notes, self._passed_over = self._passed_over, []
        digests = {name: record.digest if record else None for name, record in inputs.items()}
        files = fingerprint.file_states(step.dumped_options())  # before they are read
        parts = fingerprint.ingredients(step, digests)
        hit, damaged = (
            (None, []) if forced else earlier.cached(self.store, self.root, step, parts.key)
        )
        if hit is not None:
            notes += _passed_over(damaged)
        with self.store.session() as session:
            if hit is None:
                before = self.store.last_execution(session, self.dag.name, step.name)
                why = explain.reasons(
                    parts,
                    before.ingredients if before else None,
                    forced=forced,
                    damage="; ".join(damage.described(found) for _, found in damaged),
                )
            else:
                why = [f"nothing changed since run {hit.place.name.partition('~')[0]}"]
            execution = self._execution(step, parts, [*why, *notes])
            self.store.begin_execution(session, execution, inputs)
            if hit is not None:
                execution.status, execution.ended = "cached", now()
                self.store.add_event(session, execution, "output", "output", hit)
                self._outputs[step.name] = hit
            else:
                self.observer.started(step, why)
        return _Begun(execution, inputs, files, hit, why, notes, damaged)

    def _execution(
        self, step: Step, parts: fingerprint.Ingredients, reasons: list[str]
    ) -> ExecutionRecord:
        component = step.component
        return ExecutionRecord(
            run_id=self.run_id,
            step=step.name,
            component=f"{component.__module__}:{component.__qualname__}",
            key=parts.key,
            ingredients=dataclasses.asdict(parts),
            reasons=reasons,
            status="running",
            started=now(),
        )

    def _execute(self, step: Step, begun: "_Begun") -> StepResult:
        execution, inputs = begun.execution, begun.inputs
        try:
            damage.require_models_whole(self.store, inputs)
            record = self._produce(step, begun)
        except BaseException as error:
            ended_by = self._interruption() or error
            # First, in case that the disk is full: the store needs some room.
            (self.root.staging(self.run_id) / step.name).rmtree(missing_ok=True)
            message = describe_failure(ended_by)
            if isinstance(ended_by, Exception) and not isinstance(ended_by, OptionError):
                message = damage.blamed(self.store, inputs) or message
            if isinstance(ended_by, Exception):
                message = self._changed_meanwhile(step, begun) or message
            done = self.store.finish_execution(execution.id, "failed", error=message)
            if not isinstance(ended_by, Exception):
                raise ended_by from None
            return StepResult(
                step.name,
                "failed",
                done.seconds,
                reasons=tuple(execution.reasons),
                error=message,
                can_resume=not _is_of_the_command(step, ended_by),
            )
        done = self.store.finish_execution(execution.id, "ran", output=record)
        self._outputs[step.name] = record
        return StepResult(step.name, "ran", done.seconds, record.place, tuple(execution.reasons))

    def _produce(self, step: Step, begun: "_Begun") -> ArtifactRecord:
        """Run the component into staging and move its output into place."""
        staged = self.root.staging(self.run_id) / step.name
        staged.mkdir(parents=True, exist_ok=True)
        own = step.component.__module__.partition(".")[0]
        packages = {*_TOLD, *({own} - {"millrace"})}
        log = self.root.log(self.run_id, step.name)
        spare = self.root.staging(self.run_id) / f"{step.name}.resume"
        with (
            self.root.resume(step.name, begun.execution.key, spare) as resume,
            steplog.capture(
                log,
                packages,
                lambda text: self.observer.line(step, text),
                lambda text: self.observer.passing(step, text),
            ),
        ):
            artifacts = {
                name: _artifact(step, name, record) for name, record in begun.inputs.items()
            }
            run_on = self._run_on(step, artifacts.values())
            given: dict[str, Any] = {"out": staged, "run_on": run_on, "resume": resume}
            artifact = step.component(
                **artifacts,
                **{name: given[name] for name in step.spec.given},
                **step.options,
            )
            _check_output(step, artifact, staged)
            self._check_unchanged(step, begun)
            self._stop_if_interrupted()
        digest, files = damage.measure(artifact)
        properties = artifact.properties()
        known = self.store.places(self.run_id, step.name)
        if self.request.named and self.root.is_remote:
            # A try that was taken for dead may go on to upload to the place of its number.
            earlier = range(1, self.store.tries(self.run_id, step.name))
            known |= {remote.url(self.root.artifact(step.name, self.run_id, n)) for n in earlier}
        final = self.root.commit(staged, step.name, self.run_id, known)
        return ArtifactRecord(
            type=artifact.type_name,
            uri=remote.url(final),
            digest=digest,
            properties=properties,
            created=now(),
            files=damage.uploaded(files, final),
        )

    def _run_on(self, step: Step, inputs: Iterable[Artifact | None]) -> BeamOptions:
        """The Beam options; workers elsewhere see no disk of this machine if the root is on none.

        Where it is on one, they see it as well: it is shared.
        """
        if not self.root.is_remote:
            return self.beam
        place = remote.url(self.root.exchange(self.run_id, step.name))
        return self.beam.exchanging(place, [str(each.path) for each in inputs if each])

    def _check_unchanged(self, step: Step, begun: "_Begun") -> None:
        """Refuse an output that may have been made of other files than its key says.

        Raises:
            DataError: data that `step` has read, or a file that its options name, is not what it
                was when it was fingerprinted.
        """
        for node in step.inputs.values():
            if isinstance(node, Source):
                self._require(self._states[node], self._sources[node].digest)
        for name, before in begun.files.items():
            self._require(before, begun.execution.ingredients["inputs"][f"file {name}"])

    def _changed_meanwhile(self, step: Step, begun: "_Begun") -> str:
        """What `step`, which has failed, has read and was changed meanwhile, told as an error."""
        try:
            self._check_unchanged(step, begun)
        except DataError as error:
            return describe_error(error)
        except (StoreError, OSError) as error:  # nobody can know; the step's own error is told
            _log.warning("step %s: its data cannot be compared: %s", step.name, error)
        return ""

    def _require(self, before: fingerprint.State, digest: str) -> None:
        # Times may change where contents do not: then the files are read again.
        path = before.place
        is_there = path.exists()
        if not is_there or (
            fingerprint.state(path) != before and self.store.source_digest(path) != digest
        ):
            raise before.changed()

    def _lend(self, step: Step, chosen: set[str]) -> StepResult:
        """The newest output of a step that was not chosen, if one that was reads it.

        Others have none: what an earlier run made, maybe of other data, is not this run's outcome.
        """
        if not any(step in self.dag.steps[name].upstream for name in chosen):
            return StepResult(step.name, "skipped")
        record = earlier.newest(self.store, self.root, self.dag.name, step)
        self._outputs[step.name] = record
        return StepResult(step.name, "skipped", output=record.place)

    def _resolve(self, node: Input) -> ArtifactRecord | None:
        if isinstance(node, Source):
            return self._sources[node]
        if isinstance(node, Step):
            return self._outputs[node.name]
        if node is None:
            return None
        record, damaged = earlier.other(
            self.store, self.root, self.dag.name, node, self._outputs[node.of.name]
        )
        self._passed_over += _passed_over(damaged)
        return record

    def _set_aside(self, step: Step, damaged: earlier.Damaged) -> None:
        """Move what has been made again out of the way, and say where to."""
        kept = damage.parts_of(self._outputs[step.name]).values()
        for record, found in damaged:
            place = damage.set_aside(self.root, record, found, kept)
            if place is not None:
                self.observer.line(step, f"the damaged output lies in {place} now")


class _Begun(NamedTuple):
    """What is known of a step when it begins."""

    execution: ExecutionRecord
    inputs: dict[str, ArtifactRecord | None]
    files: dict[str, fingerprint.State]  # that its options name
    hit: ArtifactRecord | None  # what is reused
    why: list[str]
    notes: list[str]
    damaged: earlier.Damaged  # what would have been


def has_anomalies(step: Step, result: StepResult) -> bool:
    """Whether `step` looked for anomalies and found some."""
    is_validator = issubclass(step.spec.output, Anomalies)
    if not is_validator or result.output is None:
        return False
    return bool(Anomalies(remote.fetch(result.output)).found)


def _is_of_the_command(step: Step, error: Exception) -> bool:
    """Whether another command is needed: a wrong option, or a path to what is no such data."""
    if frames.find(error) is not None:
        return False
    reads_files = any(isinstance(node, Source) for node in step.inputs.values())
    return isinstance(error, OptionError) or (reads_files and isinstance(error, DataError))


def _passed_over(damaged: earlier.Damaged) -> list[str]:
    return [f"{one.uri} is passed over: {damage.described(found)}" for one, found in damaged]


def _artifact(step: Step, name: str, record: ArtifactRecord | None) -> Artifact | None:
    return step.spec.inputs[name][0](record.fetch()) if record is not None else None


def outcomes(dag: Dag, records: Mapping[str, ArtifactRecord]) -> dict[str, Artifact]:
    """The outputs of steps as far as they are looked at when the run has ended.

    One that cannot be fetched is left out: the run has ended as it is recorded.
    """
    found = {}
    for name, record in records.items():
        kind = dag.steps[name].spec.output
        try:
            found[name] = kind(record.fetch(_SMALL if issubclass(kind, _LARGE) else None))
        except (RemoteError, OSError) as error:
            _log.warning("step %s: its output cannot be shown: %s", name, describe_error(error))
    return found


def _check_output(step: Step, artifact: Any, staged: Path) -> None:
    if type(artifact) is not step.spec.output or artifact.path != staged:
        raise WiringError(
            f"Step {step.name}: expected {step.spec.output.__name__}({staged}) as its return "
            f"value. Received: {artifact!r}. Return the annotated type over `out`."
        )
