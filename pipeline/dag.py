"""The graph of steps that a recipe wires: components, what they read, and how they are set."""

import dataclasses
import difflib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from millrace.components.artifacts import Artifact, RawFiles
from millrace.components.errors import ComponentError
from millrace.components.files import names
from millrace.components.options.component_spec import MISSING, ComponentSpec
from millrace.pipeline import given, options
from millrace.pipeline.errors import UsageError, WiringError
from millrace.pipeline.tracking.options import NOWHERE, Tracking

Component = Callable[..., Artifact]


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A file or folder of the user's, outside the root."""

    path: str
    artifact_type: type[Artifact] = RawFiles


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """One component at work in a DAG: what it reads and how it is set."""

    name: str
    component: Component
    spec: ComponentSpec
    inputs: "dict[str, Input]"
    options: dict[str, Any]
    lent: "dict[str, OptionsOf]"  # option -> whose it is

    @property
    def upstream(self) -> "list[Step]":
        """The steps whose outputs of this run it reads."""
        found = (node.of if isinstance(node, Previous) else node for node in self.inputs.values())
        return [node for node in found if isinstance(node, Step)]

    def dumped_options(self) -> dict[str, Any]:
        """The options as plain JSON types."""
        return {
            name: options.dump(self.spec.options[name][0], value)
            for name, value in sorted(self.options.items())
        }


@dataclasses.dataclass(frozen=True)
class OptionsOf:
    """What the step called `step` will run with: its option `option`, or all, as JSON by name.

    `option` may name what is within one, as in `features.label`.

    A step that runs another step's work over and over, as a tuner does, starts from them.
    """

    step: str
    option: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Previous:
    """The newest earlier output of step `of` that differs from this run's, or nothing.

    With `blessed`, only an output that an Evaluation blessed counts.
    """

    of: Step
    blessed: bool = False


Input = Step | Source | Previous | None


class Dag:
    """Steps in the order in which a recipe added them, which is an order they can run in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: dict[str, Step] = {}
        self.tracking = NOWHERE  # of no step, and part of no key

    def step(self, component: Component, *, step_name: str = "", **bindings: Any) -> Step:
        """Add `component`; `bindings` are its inputs (steps, sources) and its options.

        Raises:
            WiringError: a binding has no parameter, an input is missing or of another type; or
                `component` is not a function that its module holds.
        """
        _check_component(component)
        try:
            spec = ComponentSpec.of(component)
        except ComponentError as error:
            raise WiringError(str(error)) from None
        name = step_name or component.__name__
        try:
            names.step(name)
        except ValueError as error:
            raise WiringError(f"Step {name!r}: {error}") from None
        if name in self.steps:
            raise WiringError(f"Step {name}: added twice. Give the second a `step_name`.")
        known = {**spec.inputs, **spec.options}
        for binding in bindings:
            if binding not in known:
                raise WiringError(
                    f"Step {name}: no parameter `{binding}`. {options.nearest(binding, known)}"
                )
        inputs = {key: bindings.get(key) for key in spec.inputs}
        for key, node in inputs.items():
            _check_input(name, key, node, *spec.inputs[key])
        lent = {key: node for key, node in bindings.items() if isinstance(node, OptionsOf)}
        settings = {
            key: options.check(annotation, bindings.get(key, default), f"{name}.{key}")
            for key, (annotation, default) in spec.options.items()
            if bindings.get(key, default) is not MISSING and key not in lent
        }
        step = Step(name, component, spec, inputs, settings, lent)
        self.steps[name] = step
        return step

    def configure(self, assignments: Iterable[str] | Mapping[str, Any]) -> None:
        """Set options of the steps, in order.

        `tracking=mlflow` says where else runs are logged; see `tracking.options`.
        `step.input=FOLDER` gives an input an artifact of an earlier run, such as the
        TrainedModel to start from.

        Args:
            assignments: `step.option=value` each; or values by `step.option`, of the option's type
                or text as after the equals sign.

        Raises:
            UsageError: an assignment is malformed, names nothing, or its value does not fit.
        """
        if isinstance(assignments, Mapping):
            pairs = list(assignments.items())
        else:
            pairs = [self._parted(assignment) for assignment in assignments]
        for place, value in pairs:
            self._set(place, value)
        self._lend()

    def _set(self, place: str, value: Any) -> None:
        step_name, *keys = place.split(".")
        if step_name == "tracking":
            self.tracking = options.assign(Tracking, self.tracking, keys, value, place)
            return
        if not keys:
            raise UsageError(
                f"--set {place}: expected step.option. Received: no dot. For example "
                "trainer.epochs."
            )
        if step_name not in self.steps and (whole := self._ending_in(place)):
            raise UsageError(
                f"--set {place}: pipeline {self.name} has no step `{step_name}`. "
                f"Did you mean `{whole[0]}`?"
            )
        step, option = self.find(step_name), keys.pop(0)
        spec = step.spec
        if option in spec.inputs and not keys:
            path = given.anywhere(os.fspath(value), f"--set {place}")
            step.inputs[option] = Source(path, spec.inputs[option][0])
            return
        if option in step.lent:
            lent = step.lent[option]
            raise UsageError(
                f"--set {place}: expected `{lent.step}.{lent.option or '…'}`, from which step "
                f"{step.name} takes it. Received: {step.name}.{option}. Set that instead."
            )
        known = {name: kind for name, (kind, _) in (spec.options | spec.inputs).items()}
        if option not in spec.options:
            raise UsageError(
                f"--set {place}: step {step.name} has no option `{option}`. "
                f"{self._nearest(option, step, known)}"
            )
        current = step.options.get(option, spec.options[option][1])
        annotation = known.pop(option)
        step.options[option] = options.assign(annotation, current, keys, value, place, known)

    def _parted(self, assignment: str) -> tuple[str, str]:
        """The place and the value of `step.option=value`."""
        place, equals, text = assignment.partition("=")
        if not equals or ("." not in place and place != "tracking"):
            found = self._ending_in(place) if equals else []
            example = f"{found[0]}={text}" if found else "trainer.epochs=3"
            raise UsageError(
                f"--set: expected step.option=value. Received: {assignment!r}. "
                + (f"Did you mean `{example}`?" if found else f"For example `--set {example}`.")
            )
        return place, text

    def _nearest(self, word: str, step: Step, known: Mapping[str, Any]) -> str:
        """A sentence that offers what `word` may be meant for: of `step`, at any level, or another.

        `known` are the annotations of what `step` has, by their names.
        """
        places = list(self._places())
        of_step = [place for place in places if place.startswith(f"{step.name}.")]
        exact = [place for place in (*of_step, *places) if place.endswith(f".{word}")]
        ends = {place.rpartition(".")[2]: place for place in reversed(of_step)}
        ends |= {name: f"{step.name}.{name}" for name in known}
        if not exact and (within := options.within(word, known)):
            return within
        found = exact or [ends[each] for each in difflib.get_close_matches(word, ends, n=1)]
        return f"Did you mean `{found[0]}`?" if found else options.nearest(word, known)

    def _ending_in(self, place: str) -> list[str]:
        """What can be set that ends in `place`: the same without its step's name."""
        return [each for each in self._places() if each.endswith(f".{place}")]

    def _places(self) -> Iterator[str]:
        """All that can be set, as after `--set`, at every level."""
        for step in self.steps.values():
            for name, (annotation, default) in step.spec.options.items():
                if name not in step.lent:
                    value = step.options.get(name, default)
                    rows = options.rows(f"{step.name}.{name}", annotation, value)
                    yield from (row.option for row in rows)

    def _lend(self) -> None:
        """Give each option that is another step's options what those are by now."""
        for step in self.steps.values():
            for option, lent in step.lent.items():
                lender = self.find(lent.step)
                step.options[option] = _lendable(lender, lent.option)

    def check_complete(self) -> None:
        """Refuse to start with an option that has no value, or one set key by key to a bad whole.

        Raises:
            UsageError: names the step, the option and how to give it.
        """
        for step in self.steps.values():
            for name, (annotation, _) in step.spec.options.items():
                if name not in step.options:
                    raise UsageError(
                        f"Step {step.name}: option `{name}` ({options.describe(annotation)}) "
                        f"has no default. Give it with `--set {step.name}.{name}=…`."
                    )
                options.check(annotation, step.options[name], f"{step.name}.{name}")

    def find(self, name: str) -> Step:
        """The step called `name`.

        Raises:
            UsageError: there is none; offers the nearest.
        """
        if name not in self.steps:
            raise UsageError(
                f"Pipeline {self.name}: no step `{name}`. {options.nearest(name, self.steps)}"
            )
        return self.steps[name]

    def ancestors(self, step: Step) -> set[str]:
        """Names of the steps that `step` needs, itself included."""
        found = {step.name}
        for parent in step.upstream:
            found |= self.ancestors(parent)
        return found

    def descendants(self, step: Step) -> set[str]:
        """Names of the steps that need `step`, itself included."""
        found = {step.name}
        for other in self.steps.values():
            if found & {parent.name for parent in other.upstream}:
                found.add(other.name)
        return found


def _lendable(lender: Step, path: str) -> Any:
    """The value of the option at `path` of `lender`; all of them as JSON where it is empty."""
    if not path:
        return lender.dumped_options()
    option, *fields = path.split(".")
    return functools.reduce(getattr, fields, lender.options[option])


def _check_component(component: Component) -> None:
    """Refuse what could change without its module's source showing it.

    A partial, a bound method or a function made by another has values in it that are written
    nowhere; what a module holds under its own name is settled by the module's source.
    """
    module, name = (getattr(component, each, "") for each in ("__module__", "__qualname__"))
    held: Any = sys.modules.get(module)
    for part in name.split("."):
        held = getattr(held, part, None)
    if held is not component or not inspect.isfunction(component):
        raise WiringError(
            f"Component {name or component!r}: expected a function that its module holds under "
            f"its own name, so that a change of it is seen. Received: {component!r}. Define it "
            "with `def` at the top of a module, decorated with functools.wraps if at all, and "
            "give options to `dag.step`; import it again if its file was edited."
        )


def _check_input(step: str, key: str, node: Input, wanted: type[Artifact], optional: bool) -> None:
    if node is None and optional:
        return
    origin = node.of if isinstance(node, Previous) else node
    received: Any = origin
    if isinstance(origin, Step):
        received = origin.spec.output
    elif isinstance(origin, Source):
        received = origin.artifact_type
    if not (isinstance(received, type) and issubclass(received, wanted)):
        raise WiringError(
            f"Step {step}: input `{key}` expected {wanted.__name__}. Received: "
            f"{getattr(received, '__name__', received)}. Wire a step that returns one."
        )
