"""What the parameters of a component mean, read from its signature.

A component is a function: parameters annotated with an `Artifact` are inputs, `out`, `run_on` and
`resume` come from its caller, every other parameter is an option, and the return annotation
is its one output. TFX says the same in classes, with a `ComponentSpec` for each component.
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from millrace.components.artifacts import Artifact
from millrace.components.errors import ComponentError

GIVEN = ("out", "run_on", "resume")  # parameters that the caller of a component fills
MISSING = inspect.Parameter.empty  # the default of an option that has none


@dataclasses.dataclass(frozen=True)
class ComponentSpec:
    """The parameters of a component, by what they are.

    Attributes:
        inputs: each one's type of artifact, and whether it is optional.
        options: each one's annotation, and its default or `MISSING`.
        given: those of `GIVEN` that it takes.
        output: the type of artifact that it returns.
    """

    inputs: dict[str, tuple[type[Artifact], bool]]
    options: dict[str, tuple[Any, Any]]
    given: frozenset[str]
    output: type[Artifact]

    @classmethod
    def of(cls, component: Callable[..., Any]) -> "ComponentSpec":
        """Read `component`.

        Raises:
            ComponentError: a parameter or the return value lacks an annotation that fits.
        """
        name = component.__qualname__
        hints = typing.get_type_hints(component, include_extras=True)
        output = hints.get("return")
        if not (isinstance(output, type) and issubclass(output, Artifact)):
            raise ComponentError(
                f"Component {name}: expected a return annotation that is an Artifact. "
                f"Received: {output}. Annotate the one artifact that it returns."
            )
        inputs, options, given = {}, {}, set()
        for parameter in inspect.signature(component).parameters.values():
            if parameter.name not in hints:
                raise ComponentError(
                    f"Component {name}: missing type hint for `{parameter.name}`. Add one."
                )
            annotation = hints[parameter.name]
            if parameter.name in GIVEN:
                given.add(parameter.name)
            elif artifact := _artifact_type(annotation):
                inputs[parameter.name] = artifact
            else:
                options[parameter.name] = (annotation, parameter.default)
        return cls(inputs, options, frozenset(given), output)


def _artifact_type(annotation: Any) -> tuple[type[Artifact], bool] | None:
    """The artifact type of an input's annotation and whether it is optional."""
    members = [annotation]
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        members = list(typing.get_args(annotation))
    artifacts = [kind for kind in members if isinstance(kind, type) and issubclass(kind, Artifact)]
    return (artifacts[0], type(None) in members) if artifacts else None
