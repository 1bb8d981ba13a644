"""Paths that a person gives: in names that can be written down, and of this machine or a URL.

Standard library and pydantic only: the command line reads options of this type in milliseconds.
"""

import pathlib
import re
from typing import Annotated

from pydantic import AfterValidator

from millrace.components.files.printable import one_line
from millrace.components.files.walk import is_utf8
from millrace.serving import remote

_SHOWN = 100  # characters of a text that tell which one it is
_REMOTE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/+(?P<rest>.*)", re.DOTALL)


def check(path: str) -> str:
    """`path`, if it can be one of this machine; whether anything lies there is not looked at.

    Raises:
        ValueError: it is empty, a URL, or not UTF-8; says what to do.
    """
    remote = _REMOTE.fullmatch(path)
    received, advice = "", ""
    if remote and remote["scheme"].lower() == "file":
        received, advice = f"{path!r}, a URL", f"Give /{remote['rest'].lstrip('/')} instead"
    elif remote:
        received = f"{path!r}, a URL"
        advice = "Copy it here first; what can lie in an object store is --data and --root"
    elif "://" in path:
        received = f"{path!r}, like a URL"
        advice = f"If it is a path, give {re.sub(':/+', ':/', path)!r}"
    elif not is_utf8(path):
        received, advice = f"'{one_line(path)}', which is not UTF-8", "Rename it"
    elif not path or "\0" in path:
        received, advice = repr(path), "Correct it"
    if received:
        raise ValueError(f"expected a path on this machine. Received: {received}. {advice}.")
    return path


def check_anywhere(path: str) -> str:
    """`path`, if it can be one of this machine or in an object store; nothing is looked at there.

    Raises:
        ValueError: it can be neither; says what to do.
    """
    return remote.check(path) if remote.is_remote(path) else check(path)


def utf8(text: str) -> str:
    """`text`, if it was given in UTF-8: other bytes arrive as half a surrogate pair (PEP 383).

    Raises:
        ValueError: it was not; says what to do.
    """
    if not is_utf8(text):
        raise ValueError(
            f"expected UTF-8. Received: '{one_line(text)[:_SHOWN]}'. "
            "Convert it first, such as by `iconv -t utf-8`."
        )
    return text


def names_file(text: str) -> bool:
    """Whether `text`, maybe a URL, or longer than any name, is the path of a file."""
    try:
        return pathlib.Path(text).is_file()
    except (OSError, ValueError):
        return False


LocalPath = Annotated[str, AfterValidator(check)]
AnyPlace = Annotated[str, AfterValidator(check_anywhere)]
