"""What the parameters of a component are taken for."""

import pytest
from etils.epath import Path

from millrace.components.artifacts import Examples, Model, RawFiles, Statistics
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import ComponentError
from millrace.components.options.component_spec import MISSING, ComponentSpec
from tests.components.tuning.toy import toy


def count(
    examples: Examples,
    before: Statistics | None,
    out: Path,
    resume: Path,
    *,
    run_on: BeamOptions,
    size: int,
    note: str = "",
) -> Model: ...


def test_inputs_options_and_what_is_given_are_told_apart():
    spec = ComponentSpec.of(count)
    assert spec.inputs == {"examples": (Examples, False), "before": (Statistics, True)}
    assert spec.given == {"out", "resume", "run_on"}
    assert spec.options == {"size": (int, MISSING), "note": (str, "")}
    assert spec.output is Model


def test_a_decorated_component_is_read_as_the_function_below():
    assert set(ComponentSpec.of(toy).options) == {"rate", "epochs", "model", "pause", "fail"}


def test_a_parameter_without_a_type_hint_is_named():
    def untyped(source, out: Path) -> Examples: ...

    with pytest.raises(ComponentError, match=r"missing type hint for `source`. Add one"):
        ComponentSpec.of(untyped)


def test_a_component_must_return_an_artifact():
    def nothing(source: RawFiles, out: Path) -> int: ...

    with pytest.raises(ComponentError, match="return annotation that is an Artifact"):
        ComponentSpec.of(nothing)
