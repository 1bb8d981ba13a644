"""Paths and names that a person gives to a command or a recipe: refused in words, or found.

Data in an object store is found by a copy of it on this machine, which the rest works on.
"""

import os
from collections.abc import Callable

from etils.epath import Path

from millrace.components.example_gen.shards import span
from millrace.components.files import names, paths, walk
from millrace.pipeline.errors import UsageError
from millrace.serving import remote


def path(text: str, place: str) -> str:
    """`text`, if it can be a path of this machine.

    Args:
        text: as it was typed.
        place: the option that it was typed for.

    Raises:
        UsageError: it cannot.
    """
    return _checked(paths.check, text, place)


def anywhere(text: str, place: str) -> str:
    """`text`, if it can be a path of this machine or a URL of an object store.

    Raises:
        UsageError: it can be neither.
    """
    return _checked(paths.check_anywhere, text, place)


def utf8(text: str, place: str) -> str:
    """`text`, if it was given in UTF-8.

    Raises:
        UsageError: it was not.
    """
    return _checked(paths.utf8, text, place)


def model_name(name: str, place: str) -> str:
    """`name`, if a model can be served by it.

    Raises:
        UsageError: it cannot.
    """
    return _checked(names.model, utf8(name, place), place)


def _checked(check: Callable[[str], str], text: str, place: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None


def resolved(text: str | os.PathLike[str], place: str) -> Path:
    """The absolute path of `text`, `~` and links followed.

    Raises:
        UsageError: it cannot be a path of this machine, or goes round in a loop of links.
    """
    try:
        found = Path(path(os.fspath(text), place)).expanduser().resolve()
    except (RuntimeError, OSError) as error:  # of a home that nobody has, of a loop
        raise UsageError(
            f"{place}: expected a path that leads somewhere. Received: {os.fspath(text)!r}: "
            f"{error}. Correct it."
        ) from None
    path(os.fspath(found), place)  # the folder that a relative path begins in counts as well
    return found


def data(text: str | None, place: str = "--data") -> str | None:
    """`text`, if it is none, no path (`tfds:NAME`), names spans, or leads to what can be read.

    What is not there is left to the recipe, which may have a use for it. Of a URL it is the copy
    that is returned.

    Raises:
        UsageError: it is a path that cannot be read, or a URL where nothing is.
        RemoteError: its store cannot be reached.
    """
    if text and remote.is_remote(text):
        place = anywhere(text, place)
        return place if span.is_pattern(place) else str(_fetched(place))
    if text and not text.startswith("tfds:"):
        path(text, place)
        if not span.is_pattern(text) and os.path.lexists(resolved(text, place)):
            source(text, place)
    return text


def _fetched(url: str) -> Path:
    try:
        copy = remote.fetch(url)
    except FileNotFoundError:
        raise UsageError(
            f"{url}: expected a file or a folder. Received: nothing there. Check its spelling."
        ) from None
    remote.note_use(url)
    return copy


def source(text: str, place: str) -> Path:
    """What `text` names, a file or a folder that can be read, or a copy of that.

    Raises:
        UsageError: there is none.
        RemoteError: the object store cannot be reached.
    """
    if remote.is_remote(text):
        return _fetched(anywhere(text, place))
    return _found(text, place)


def _found(text: str, place: str) -> Path:
    found = resolved(text, place)
    given = os.path.expanduser(text)  # noqa: PTH111 - the link itself, where it is one
    try:
        reason = "" if found.is_dir() else walk.problem(given)
        if not reason and not os.access(found, os.R_OK):
            reason = "a folder that cannot be read"
    except FileNotFoundError:
        reason = "nothing there"
    except OSError as error:
        reason = f"what cannot be read: {error.strerror}"
    if reason == "nothing there":
        advice = "Check its spelling"
    elif "cannot be read" in reason:
        advice = "Correct its permissions"
    elif "link" in reason:
        advice = "Correct the link"
    else:
        advice = "Copy what it holds to a file"
    if reason:
        raise UsageError(f"{text}: expected a file or a folder. Received: {reason}. {advice}.")
    return found
