"""Names that become folders: of served models, which URLs and configurations hold too, and of
steps, which `--set step.option=value` takes apart at the dot. And the words in a name of any kind.
"""

import os
import re
from typing import Annotated

from pydantic import AfterValidator

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_STEP = re.compile(r"\w[\w-]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST_STEP = 128  # bytes: a file system takes 255, and the names of locks add some


def model(name: str) -> str:
    """`name`, if a model can be served by it.

    Raises:
        ValueError: it could lead out of the serving root, or hide in it.
    """
    if not _MODEL.fullmatch(name):
        raise ValueError(
            "expected 1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or digit. "
            f"Received: {name!r}. Choose such a name."
        )
    return name


def step(name: str) -> str:
    """`name`, if a step can be called so.

    Raises:
        ValueError: it could not be a folder's, or be confused with its option's.
    """
    if not _STEP.fullmatch(name) or len(os.fsencode(name)) > _LONGEST_STEP:
        raise ValueError(
            f"expected letters, digits, `_` or `-`, {_LONGEST_STEP} bytes at most. "
            f"Received: {name!r}. Choose such a name."
        )
    return name


def words(name: str) -> list[str]:
    """The words of `name`, in lower case, parted by case, digits or signs: `PassengerId`."""
    return [word.lower() for word in _WORD.findall(name)]


ModelName = Annotated[str, AfterValidator(model)]
