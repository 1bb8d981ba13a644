"""What a text names, found and made: a class of Keras, or a person's own class, function or object.

The forms that a person's own piece may have are those that Keras takes: an object that is ready, a
class, or a function that makes one.
"""

import copy
import difflib
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from millrace.components.errors import OptionError
from millrace.components.user_code import calls, references
from millrace.components.user_code.calls import Call

NOTHING: dict[str, Any] = {}


def read(text: str, place: str) -> Call:
    """`text` as a call.

    Raises:
        OptionError: it has another form; names `place`, the option.
    """
    try:
        return calls.parse(text)
    except ValueError as error:
        raise OptionError(f"{place}: {error}") from None


def find(call: Call, library: ModuleType, place: str) -> Any:
    """What `call` names: of a person's own module, else the class of `library`, in any case.

    Raises:
        OptionError: there is none; offers the nearest.
    """
    if call.module:
        found = references.take(call.name, place)
        if found is None:
            references.load(call.name, place)  # which says what there is
        return found
    classes = [name for name in dir(library) if inspect.isclass(getattr(library, name))]
    for name in classes:
        if calls.folded(name) == calls.folded(call.name):
            return getattr(library, name)
    near = difflib.get_close_matches(call.name, classes, n=3)
    raise OptionError(
        f"{place}: expected a class of {library.__name__}, or package.module:name of your own. "
        f"Received: {call.name}. "
        + (f"Did you mean {', '.join(near)}?" if near else f"There are: {', '.join(classes)}.")
    )


def made(
    text: str,
    library: ModuleType,
    kind: type,
    place: str,
    given: Mapping[str, Any] = NOTHING,
    *,
    or_function: bool = False,
) -> Any:
    """The object of `kind` that `text` names, or a function that is made in its place.

    A class or a function is called with the arguments in `text`, and with those of `given` that
    it takes. An object that is ready is copied: one training shall not see the state of another.

    Raises:
        OptionError: it cannot be found or imported, does not take the arguments, or is, or makes,
            something else.
    """
    call = read(text, place)
    found = find(call, library, place)
    if isinstance(found, kind):
        refuse_arguments(call, place)
        return _copied(found)
    if not callable(found):
        raise _other(text, found, kind, place)
    result = called(found, call, place, given)
    if not isinstance(result, kind) and not (or_function and callable(result)):
        raise _other(text, result, kind, place)
    return result


def called(
    function: Callable[..., Any], call: Call, place: str, given: Mapping[str, Any] = NOTHING
) -> Any:
    """What `function` returns for the arguments of `call`, and those of `given` that it takes.

    Raises:
        OptionError: it does not take the arguments of `call`.
    """
    check_arguments(function, call, place)
    return function(*call.positional, **call.named, **taken(function, call, given))


def check_arguments(function: Callable[..., Any], call: Call, place: str) -> None:
    """Refuse arguments of `call` that `function` does not take; others may be missing.

    Raises:
        OptionError: it does not take them.
    """
    signature = _signature(function)
    if signature is None:
        return
    try:
        signature.bind_partial(*call.positional, **call.named)
    except TypeError as error:
        raise OptionError(
            f"{place}={call.name}: expected arguments among {signature}. Received: "
            f"{', '.join([*map(str, call.positional), *call.named])}: {error}. Correct them."
        ) from None


def taken(function: Callable[..., Any], call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `given` that `function` has parameters for, and `call` does not set itself."""
    signature = _signature(function)
    if signature is None:
        return {}
    parameters = signature.parameters.values()
    anything = any(each.kind is each.VAR_KEYWORD for each in parameters)
    known = {each.name for each in parameters if each.kind is not each.POSITIONAL_ONLY}
    bound = signature.bind_partial(*call.positional, **call.named).arguments
    return {
        name: value
        for name, value in given.items()
        if (anything or name in known) and name not in bound and name not in call.named
    }


def missing(function: Callable[..., Any], call: Call) -> list[str]:
    """The parameters without a default that `call` leaves to be given by position."""
    signature = _signature(function)
    if signature is None:
        return []
    return [
        each.name
        for each in list(signature.parameters.values())[len(call.positional) :]
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        and each.name not in call.named
    ]


def refuse_arguments(call: Call, place: str) -> None:
    """Refuse arguments to an object that is ready.

    Raises:
        OptionError: there are some.
    """
    if call.positional or call.named:
        raise OptionError(
            f"{place}={call.name}: expected no arguments, since this is an object that is made "
            "already. Received: some. Name its class, or a function that makes it."
        )


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # of a class built in
        return None


def _copied(found: Any) -> Any:
    try:
        return copy.deepcopy(found)
    except Exception:  # it holds what cannot be copied, such as a file: then it is shared
        return found


def _other(text: str, found: Any, wanted: type, place: str) -> OptionError:
    name = f"{wanted.__module__.partition('.')[0]}'s {wanted.__name__}"
    return OptionError(
        f"{place}={text}: expected {name}, or a class or a function that makes one. Received: "
        f"one of the type {type(found).__name__}. Name another, or let the function return it."
    )
