"""What a run is requested to do: which pipeline, on what data, and which of its steps."""

import dataclasses
import os
from collections.abc import Iterable

from millrace.components.beam.options import BeamOptions
from millrace.components.errors import OptionError
from millrace.components.training.options import Strategy
from millrace.pipeline.dag import Dag, Step
from millrace.pipeline.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which steps to run: all, or those between any of `first` and any of `last`, or `only` one."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    only: str | None = None
    force: tuple[str, ...] = ()

    def chosen(self, dag: Dag) -> set[str]:
        """Names of the steps to run; the others lend their newest outputs.

        Raises:
            UsageError: a name is not a step of `dag`, or the choices exclude one another.
        """
        if self.only and (self.first or self.last):
            raise UsageError("--only: expected alone. Received: --from or --to beside it.")
        names = set(dag.steps)
        if self.only:
            names = {dag.find(self.only).name}
        if self.first:
            names &= set().union(*(dag.descendants(dag.find(step)) for step in self.first))
        if self.last:
            names &= set().union(*(dag.ancestors(dag.find(step)) for step in self.last))
        if not names:
            raise UsageError(
                f"--from {' '.join(self.first)} --to {' '.join(self.last)}: expected a step on "
                "the way from the one to the other. Received: none. The order is "
                f"{', '.join(dag.steps)}."
            )
        for name in self.force:
            if dag.find(name).name not in names:
                raise UsageError(
                    f"--force {name}: expected a step of this run. Received: one that --only, "
                    "--from or --to leaves out. Leave one of them out."
                )
        return names


ALL_STEPS = Selection()


@dataclasses.dataclass(frozen=True)
class NamedRun:
    """A run whose steps run one by one, each by a command of its own.

    Attributes:
        id: the name that all of them give.
        spans: which of those that the data names, as given.
        places: the paths and URLs that these stood for as the run began.
        found: the one path on this machine where all of that is.
    """

    id: str
    spans: str
    places: tuple[str, ...]
    found: str | None


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """One run, as a person requests it.

    Attributes:
        dag: its steps, with their options.
        recipe: by which name the record of runs lists it.
        command: what to type to run it again.
        data: the user's own, as given; None where the recipe brings its data.
        selection: which steps to run.
        beam_flags: for Beam, such as `--direct_num_workers=2`.
        fail_on_anomaly: stop after a validator that found anomalies.
        warm: fork the processes that steps start from one that has imported TensorFlow.
        named: the run that the one chosen step belongs to; None makes a run of its own.

    Raises:
        UsageError: Beam does not take the flags, or a chosen step is to train on machines of which
            TF_CONFIG tells nothing.
    """

    dag: Dag
    recipe: str
    command: str
    data: str | None = None
    selection: Selection = ALL_STEPS
    beam_flags: tuple[str, ...] = ()
    fail_on_anomaly: bool = False
    warm: bool = True
    named: NamedRun | None = None

    def __post_init__(self) -> None:
        check_flags(self.beam_flags)
        check_machines(self.dag.steps[name] for name in self.selection.chosen(self.dag))


def _needs_machines(step: Step) -> bool:
    kind, _ = step.spec.options.get("strategy", (None, None))
    return kind == Strategy and step.options["strategy"] == "multi_worker"


def check_machines(steps: Iterable[Step]) -> None:
    """Refuse a step that trains on several machines where this is not the first of them.

    Raises:
        UsageError: one does.
    """
    if not any(_needs_machines(step) for step in steps):
        return
    from millrace.components.training.cluster import Cluster

    try:
        Cluster.led(os.environ)
    except OptionError as error:
        raise UsageError(str(error)) from None


def check_flags(beam_flags: tuple[str, ...], *, asking: bool = True) -> None:
    """Refuse flags that Beam does not take; see `BeamOptions.check`.

    Raises:
        UsageError: there is one.
    """
    try:
        BeamOptions(beam_flags).check(asking=asking)
    except OptionError as error:
        raise UsageError(str(error)) from None
