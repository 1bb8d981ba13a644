"""What options mean, in the words of the docstrings beside them."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


@functools.cache
def of(described: Callable[..., Any]) -> dict[str, str]:
    """What is said of each parameter of a function, or of each attribute of a dataclass, on a line.

    A dataclass says of the fields that it inherits what the class says that has them.
    """
    from docstring_parser import google  # imported where options are shown, not where they are read

    found: dict[str, str] = {}
    for each in reversed(inspect.getmro(described)) if inspect.isclass(described) else [described]:
        text = each.__dict__.get("__doc__") if inspect.isclass(each) else inspect.getdoc(each)
        for said in google.parse(inspect.cleandoc(text or "")).params:
            names = said.arg_name.split(", ")  # several may share what is said
            found |= dict.fromkeys(names, " ".join((said.description or "").split()))
    return found
