"""A person's own functions called on a few rows, before the first long step.

Preprocessing, a model, a loss or a metric that cannot work is else found by `transform` or
`trainer`, after passes over all of the data. As soon as there are examples, a process of its own
takes some rows of each split through the very steps `analyze`, `transform` and, for one epoch
without callbacks, `trainer`. Where reading the data in takes long itself, a small part of the files
goes through that step and these before it: of that, which may lack classes and kinds of cells, only
what fails on any data ends the run. It leaves nothing behind, and whatever fails otherwise than by
own code is left to the step itself. A run without own code, or whose steps come from the cache,
rehearses nothing.

`python -m millrace.pipeline.rehearsal FILE` is that process.
"""

import dataclasses
import json
import logging
import os
import pathlib
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.analyze import analyze
from millrace.components.artifacts import Analysis, Artifact, Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import ModelError, OptionError
from millrace.components.files.tfrecord import read_records, write_records
from millrace.components.models.auto_options import hold
from millrace.components.options.component_spec import ComponentSpec
from millrace.components.trainer import trainer
from millrace.components.transform import transform
from millrace.components.user_code import frames, modules
from millrace.pipeline import excerpt, fingerprint
from millrace.pipeline.dag import Dag, Source, Step
from millrace.pipeline.errors import describe_failure
from millrace.serving import lifeline

_log = logging.getLogger(__name__)

ROWS = 64  # of each split, from up to so many files
_FILES = 8
_PATIENCE = 120.0  # seconds
_WHOLE = ("trainer",)  # steps that a few rows may not suit, though they suit all of them
# What goes wrong on any rows.
_CERTAIN = (NameError, ImportError, AttributeError, TypeError, SyntaxError)
# What goes wrong on any data, as told: an error from a worker has no other kind than its text.
_MISSPELT = re.compile(r"(Name|Import|ModuleNotFound|Syntax)Error: |AttributeError: module '")
_SHORT = {"epochs": 1, "callbacks": (), "calibrate": False, "tensorboard": False}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is called on the few rows.

    Attributes:
        examples: the folder of all rows; empty before they have been read in.
        analysis: the folder of their analysis, where there is one; else the few rows' own is made.
        steps: name, component and options of each, in order.
        own: the texts by which the options name own code.
        source: the person's files, which the first step reads, where there are no examples.
    """

    examples: str
    analysis: str
    steps: tuple[tuple[str, Any, dict[str, Any]], ...]
    own: tuple[str, ...]
    source: str = ""


class Rehearsal:
    """Which steps of a run are tried on a few rows, and when.

    Before `analyze`, and by its outcome before `transform`, for those whose rehearsal before that
    said nothing; and before the step that reads a person's files in.
    """

    def __init__(self, steps: Sequence[Step] = (), ingest: Step | None = None) -> None:
        """Try these, in order, and the step `ingest`, which makes what they read."""
        self._steps = steps
        self._ingest = ingest
        self._before: list[Any] = [analyze, transform]  # those that it is still due before

    @classmethod
    def of(cls, dag: Dag, chosen: set[str]) -> "Rehearsal":
        """That of the chosen steps of `dag`: of none, where no option names own code."""
        found = [
            step
            for step in dag.steps.values()
            if step.component in (analyze, transform, trainer) and step.name in chosen
        ]
        if not (found and found[0].component is analyze and any(named(found))):
            return cls()
        ingest = found[0].inputs["examples"]
        if isinstance(ingest, Step) and ingest.name in chosen:
            return cls(found, ingest)
        return cls(found)

    def early(self) -> tuple[Step, Source] | None:
        """The step that reads a person's files in, and these; said once."""
        ingest, self._ingest = self._ingest, None
        found = ingest and _source(ingest)
        return (ingest, found) if ingest and found else None

    def plan_early(self, ingest: Step, source: Path) -> Plan:
        """What is called on a small part of `source`, which `ingest` is to read."""
        steps = (ingest, *self._steps)
        return Plan(
            "",
            "",
            tuple((step.name, step.component, _shortened(step)) for step in steps),
            tuple(named(self._steps)),
            str(source),
        )

    def due(self, made: Collection[str]) -> Step | None:
        """The step before which it is due now that the steps in `made` have run; said once."""
        first = next((step for step in self._steps if step.name not in made), None)
        if first is None or first.component not in self._before:
            return None
        inputs = [node for node in first.inputs.values() if isinstance(node, Step)]
        if not all(node.name in made for node in inputs):
            return None
        self._before.remove(first.component)
        return first

    def settle(self) -> None:
        """Try nothing again: all was well."""
        self._before.clear()

    def plan(self, examples: Path, analysis: Path | None = None) -> Plan:
        """What is called on some of `examples`, and by which `analysis`."""
        left = [step for step in self._steps if not (analysis and step.component is analyze)]
        return Plan(
            str(examples),
            str(analysis or ""),
            tuple((step.name, step.component, _shortened(step)) for step in left),
            tuple(named(self._steps)),
        )


def named(found: Sequence[Step]) -> Iterator[str]:
    """The texts in the options of these steps that name code of a person's own."""
    for step in found:
        for text in fingerprint.texts(step.dumped_options()):
            if any(map(modules.is_own, fingerprint.named_modules(text))):
                yield text.partition("(")[0].strip()


def _source(ingest: Step) -> Source | None:
    """The file or folder that `ingest` reads, where it reads that alone."""
    match list(ingest.inputs.items()):
        case [("source", Source() as found)] if found.artifact_type is RawFiles:
            return found
    return None


def _shortened(step: Step) -> dict[str, Any]:
    options = dict(step.options)
    if "max_rejected" in options:
        options["max_rejected"] = 1.0
    if step.component is trainer:
        options |= _SHORT
        options.pop("strategy", None)
        options.pop("fine_tune", None)
        hold(options, _SHORT)
    return options


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a plan: all steps were carried out, or one fails by own code, or neither."""

    is_passed: bool = False
    step: str = ""
    said: str = ""


def carried_out(wanted: Plan, folder: Path, log: Callable[[str], Path]) -> Outcome:
    """What comes of calling own code on a few rows, in a process of its own.

    Args:
        wanted: what is called.
        folder: for what it writes; gone afterwards.
        log: the file of a step, which gets what was printed where that step fails.
    """
    place = pathlib.Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    try:
        (place / "plan").write_bytes(pickle.dumps(wanted))
        paths = os.pathsep.join(filter(None, sys.path))  # own code is found as here
        command = lifeline.module("millrace.pipeline.rehearsal", str(place))
        done = lifeline.run(command, timeout=_PATIENCE, PYTHONPATH=paths, TF_CPP_MIN_LOG_LEVEL="3")
        outcome = place / "outcome.json"
        found = Outcome(**json.loads(outcome.read_text())) if outcome.exists() else Outcome()
        if found.step:
            pathlib.Path(log(found.step)).write_text(done.stdout + done.stderr)
        return found
    except (subprocess.TimeoutExpired, pickle.PicklingError, AttributeError):
        return Outcome()
    finally:
        folder.rmtree(missing_ok=True)


def main() -> None:
    """Carry out the plan in the folder that the command names, and leave the outcome there."""
    logging.basicConfig(level=logging.INFO)
    folder = Path(sys.argv[1])
    wanted: Plan = pickle.loads((folder / "plan").read_bytes())  # noqa: S301 - our own
    outcome = _rehearse(wanted, folder)
    (folder / "outcome.json").write_text(json.dumps(dataclasses.asdict(outcome)))


def _rehearse(wanted: Plan, folder: Path) -> Outcome:
    made: dict[str, Artifact] = {}
    if wanted.source:
        source = pathlib.Path(wanted.source)
        part = pathlib.Path(folder) / "source" / source.name
        if not excerpt.take(source, part):
            return Outcome()
        made["source"] = RawFiles(Path(part))
    else:
        made["examples"] = sample(Examples(wanted.examples), folder / "rows")
    if wanted.analysis:
        made["analysis"] = Analysis(Path(wanted.analysis))
    for name, component, options in wanted.steps:
        try:
            artifact = _called(component, options, made, folder / name)
        except Exception as error:
            told = describe_failure(error)
            _log.exception("%s of a few rows ended with\n%s\nThe whole traceback:", name, told)
            if not _is_told(error, name, wanted):
                return Outcome()
            few = "a few of the data" if wanted.source else f"the first {ROWS} rows"
            said = f"{told}\nThat is of {few}: no long step was begun."
            return Outcome(step=name, said=said)
        made["analysis" if component is analyze else "examples"] = artifact
    return Outcome(is_passed=True)


def _called(
    component: Any, options: Mapping[str, Any], made: Mapping[str, Artifact], out: Path
) -> Artifact:
    given: dict[str, Any] = {"out": out}
    out.mkdir(parents=True)
    if component is trainer:
        given["resume"] = out.parent / f"{out.name}.resume"
        given["resume"].mkdir()
        given |= dict.fromkeys(("rate", "hyperparameters", "warm_start"))
    else:
        given["run_on"] = BeamOptions()
    names = ComponentSpec.of(component).inputs.keys() & made.keys()
    artifact: Artifact = component(**{name: made[name] for name in names}, **given, **options)
    return artifact


def _is_told(error: Exception, step: str, wanted: Plan) -> bool:
    """Whether `error` is one of own code, which all rows would bring about as well."""
    if wanted.source:
        found = frames.find(error)
        return found is not None and _MISSPELT.match(found.said) is not None
    if isinstance(error, OptionError | ModelError) and any(
        map(str(error).__contains__, wanted.own)
    ):
        return True
    return frames.find(error) is not None and (
        bool(wanted.analysis) or step not in _WHOLE or _is_certain(error)
    )


def _is_certain(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, _CERTAIN):
            return True
        error = error.__cause__ or error.__context__
    return False


def sample(examples: Examples, out: Path) -> Examples:
    """A few rows of each split of `examples`, of several files, and what lies beside them."""
    out.mkdir(parents=True)
    counts = {}
    for file in examples.path.iterdir():
        if file.is_file():
            file.copy(out / file.name)
    few = Examples(out)
    for split in examples.splits:
        few.split_path(split).mkdir(parents=True)
        files = examples.files(split)[:_FILES]
        each = -(-ROWS // max(len(files), 1))
        rows = [row for file in files for row, _ in zip(read_records(file), range(each))]  # noqa: B905
        counts[split] = write_records(few.shard(split, 0, 1), rows)
    summary = examples.summary | {"counts": counts}
    (out / "examples.json").write_text(json.dumps(summary))
    return few


if __name__ == "__main__":
    main()
