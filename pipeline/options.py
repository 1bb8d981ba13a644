"""Options of steps from text: `--set step.option=value`, refused as wrong usage.

How text becomes values is `components.options.settings`; here are the options as a command
shows them.
"""

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from millrace.components.errors import OptionError
from millrace.components.options import settings
from millrace.components.options.settings import (
    dataclass_members,
    describe,
    dump,
    nearest,
    nearest_option,
)
from millrace.pipeline.errors import UsageError

__all__ = ["assign", "check", "describe", "dump", "nearest", "nearest_option", "rows"]


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


def rows(place: str, annotation: Any, value: Any) -> Iterator[tuple[str, str, Any]]:
    """What can be set at `place`, its type, and its value; a dataclass field by field."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        yield place, describe(annotation), value
        return
    if dataclass_members(annotation):
        yield place, describe(annotation), getattr(value, "kind", "")
    hints = typing.get_type_hints(type(value), include_extras=True)
    for name in _fields(type(value)):
        if name != "kind":
            yield from rows(f"{place}.{name}", hints[name], getattr(value, name))


def _fields(kind: type) -> list[str]:
    """The names of a dataclass's fields: its own before those that it shares with its like."""
    names = [name for each in kind.__mro__ for name in inspect.get_annotations(each)]
    return list(dict.fromkeys(names))
