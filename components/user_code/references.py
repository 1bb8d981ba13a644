"""A person's own code by name: `package.module:function`, found and imported when it is needed.

Options name code in this form (a model, preprocessing, a recipe), so that they stay plain text
that a command line, a record and another process can hold. Standard library only.
"""

import difflib
import importlib
import re
import traceback
from collections.abc import Callable
from typing import Any

from millrace.components.errors import OptionError

_FORM = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")


def split(reference: str) -> tuple[str, str] | None:
    """The module and the name in `reference`, or None where it is of another form."""
    match = _FORM.fullmatch(reference)
    return (match["module"], match["name"]) if match else None


def load(reference: str, place: str) -> Callable[..., Any]:
    """The function that `reference` names.

    Args:
        reference: `package.module:function`.
        place: the option that holds it, for the error.

    Raises:
        OptionError: it is of another form, its module cannot be found or imported, or holds no
            such function.
    """
    module, name = _parts(reference, place)
    found = getattr(_import(module, place), name, None)
    if found is None:
        raise OptionError(
            f"{place}: expected a function `{name}` in the module {module}. "
            f"Received: none. {_nearest(module, name)}"
        )
    if not callable(found):
        raise OptionError(
            f"{place}: expected a function. Received: {reference}, which is of the type "
            f"{type(found).__name__}. Name a function of {module}."
        )
    return found


def take(reference: str, place: str) -> Any:
    """What `reference` names, function or not; None where its module has no such name.

    Raises:
        OptionError: it is of another form, or its module cannot be found or imported.
    """
    module, name = _parts(reference, place)
    return getattr(_import(module, place), name, None)


def import_module(module: str, place: str) -> None:
    """Import `module`, for what that registers.

    Raises:
        OptionError: it cannot be found or imported.
    """
    _import(module, place)


def _parts(reference: str, place: str) -> tuple[str, str]:
    parts = split(reference)
    if parts is None:
        raise OptionError(
            f"{place}: expected package.module:function. Received: {reference!r}. "
            "Name the module as in an import, a colon, and the function, such as mine.model:build."
        )
    return parts


def _import(module: str, place: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise OptionError(
                f"{place}: expected a module that Python can find. Received: {module}, and there "
                f"is no {error.name}. Run millrace in the folder that holds it, or put that "
                "folder on PYTHONPATH."
            ) from error
        raise _broken(module, place, error) from error
    except Exception as error:
        raise _broken(module, place, error) from error


def _broken(module: str, place: str, error: Exception) -> OptionError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{last.filename}:{last.lineno}"
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}"
    return OptionError(
        f"{place}: expected a module that can be imported. Received: {module}, which fails at "
        f"{where} with {type(error).__name__}: {error}. Fix it; `python -m {module}` shows more."
    )


def _nearest(module: str, name: str) -> str:
    own = [key for key in vars(importlib.import_module(module)) if not key.startswith("_")]
    near = difflib.get_close_matches(name, own, n=1)
    return f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(sorted(own))}."
