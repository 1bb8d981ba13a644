"""Options of steps from text: `--set step.option=value`, refused as wrong usage.

How text becomes values is `components.options.settings`; here are the options as a command
shows them.
"""

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from millrace.components.errors import OptionError
from millrace.components.options import descriptions, settings
from millrace.components.options.settings import (
    dataclass_members,
    describe,
    dump,
    nearest,
    nearest_option,
    within,
)
from millrace.pipeline.errors import UsageError

if TYPE_CHECKING:
    from millrace.pipeline.dag import Dag

__all__ = [
    "OptionRow",
    "assign",
    "check",
    "describe",
    "dump",
    "nearest",
    "nearest_option",
    "rows",
    "within",
]

REQUIRED = "(required)"


def check(annotation: Any, value: Any, place: str) -> Any:
    """`value` converted to `annotation`.

    Raises:
        UsageError: it does not fit; names `place`.
    """
    try:
        return settings.check(annotation, value, place)
    except OptionError as error:
        raise UsageError(str(error)) from None


def assign(
    annotation: Any,
    current: Any,
    keys: Sequence[str],
    value: Any,
    place: str,
    others: Mapping[str, Any] = settings.NO_OTHERS,
) -> Any:
    """`current` with what is at `keys` below it replaced by `value`, text or not, converted.

    What is not there is looked for in `others`, the annotations of other options by their names.

    Raises:
        UsageError: there is nothing at `keys`, or the value does not fit; names `place`.
    """
    try:
        return settings.assign(annotation, current, keys, value, place, others)
    except OptionError as error:
        raise UsageError(str(error)) from None


class OptionRow(NamedTuple):
    """What can be set.

    Attributes:
        option: as after `--set`.
        type: in words.
        value: what it is set to.
        meaning: what its docstring says, on a line.
    """

    option: str
    type: str
    value: Any
    meaning: str


class Settable(NamedTuple):
    """The same for a form: with the annotation that its text is checked by."""

    option: str
    annotation: Any
    value: Any
    meaning: str


def rows(place: str, annotation: Any, value: Any, meaning: str = "") -> Iterator[OptionRow]:
    """What can be set at `place`, which means `meaning`; a dataclass field by field."""
    for each in settable(place, annotation, value, meaning):
        yield OptionRow(each.option, describe(each.annotation), each.value, each.meaning)


def settable(place: str, annotation: Any, value: Any, meaning: str = "") -> Iterator[Settable]:
    """What can be set at `place`, which means `meaning`; a dataclass field by field."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        yield Settable(place, annotation, value, meaning)
        return
    if dataclass_members(annotation):
        yield Settable(place, annotation, getattr(value, "kind", ""), meaning)
    hints = typing.get_type_hints(type(value), include_extras=True)
    said = descriptions.of(type(value))
    for name in _fields(type(value)):
        if name != "kind":
            below = getattr(value, name)
            yield from settable(f"{place}.{name}", hints[name], below, said.get(name, ""))


def of_dag(dag: "Dag") -> Iterator[Settable]:
    """What can be set in `dag`, step by step, as it is set; without what a step has from another.

    An option that has no value yet has `REQUIRED` for one.
    """
    for step in dag.steps.values():
        said = descriptions.of(step.component)
        for option, (annotation, _) in step.spec.options.items():
            if option not in step.lent:
                value = step.options.get(option, REQUIRED)
                place = f"{step.name}.{option}"
                yield from settable(place, annotation, value, said.get(option, ""))


def _fields(kind: type) -> list[str]:
    """The names of a dataclass's fields: its own before those that it shares with its like."""
    names = [name for each in kind.__mro__ for name in inspect.get_annotations(each)]
    return list(dict.fromkeys(names))
