"""A user's preprocessing function as options and specs name it; no TensorFlow.

`analyze` records the function's name and the digest of the code that it reaches. Both are in
`analysis.json`, so an edit of the function changes the analysis, and every step that depends on it
runs again. The same goes for a file whose full name is a string in the function's module; a file
opened by a name built at run time is not tracked.
"""

import dataclasses

from millrace.components.user_code import references, source_code

PLACE = "analyze.features.preprocess"


@dataclasses.dataclass(frozen=True)
class Hook:
    """A user's function, at one state of its source.

    Attributes:
        function: `package.module:function`.
        code: SHA-256 of the syntax trees that its module reaches, in hexadecimal.
    """

    function: str
    code: str


def settle(function: str) -> Hook | None:
    """The hook for the option `function`; None if that is empty.

    Raises:
        OptionError: it cannot be found or imported.
    """
    if not function:
        return None
    references.load(function, PLACE)
    return Hook(function, digest(function))


def digest(function: str) -> str:
    """The digest of what `function`, of the form `package.module:function`, reaches."""
    return source_code.digest(function.partition(":")[0])
