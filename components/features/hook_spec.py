"""A person's own preprocessing as options and specs name it; no TensorFlow.

`analyze` settles it: the function's name and the digest of the code that it reaches. Both stand
in `analysis.json`, so that an edit of the function is a change of the analysis, and everything
that follows from it is made anew. So is other content of a file that its module names whole, in a
string; a file that is opened by a name made at run time is not seen.
"""

import dataclasses

from millrace.components.user_code import references, source_code

PLACE = "analyze.features.preprocess"


@dataclasses.dataclass(frozen=True)
class Hook:
    """One function of a person's own, at one state of its source.

    Attributes:
        function: `package.module:function`.
        code: SHA-256 of the syntax trees that its module reaches, in hexadecimal.
    """

    function: str
    code: str


def settle(function: str) -> Hook | None:
    """The hook for the option `function`; None where that is empty.

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
