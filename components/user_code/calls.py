"""A piece by its name, with its arguments, as a person writes it in Python.

That is `package.module:name` of a person's own, or the name of a class of Keras, and behind it, in
brackets, arguments that are plain values: `mine.losses:focal(gamma=2)`, `BinaryAccuracy(
threshold=0.7)`. The text is the option, so that a command line, a record and another process can
hold it. Standard library only.
"""

import ast
import dataclasses
import re
from typing import Any

_FORM = re.compile(
    r"(?P<name>(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)|[A-Z]\w*)"
    r"(?:\((?P<arguments>.*)\))?",
    re.DOTALL,
)
_WORDS = (re.compile(r"(.)([A-Z][a-z0-9]+)"), re.compile(r"([a-z])([A-Z])"))


@dataclasses.dataclass(frozen=True)
class Call:
    """A name, and what is given to it.

    Attributes:
        name: `package.module:name`, or that of a class of Keras.
        positional: arguments without a name.
        named: arguments by their names.
    """

    name: str
    positional: tuple[Any, ...] = ()
    named: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def module(self) -> str:
        """Of a person's own piece; empty for one of Keras."""
        module, colon, _ = self.name.partition(":")
        return module if colon else ""

    @property
    def label(self) -> str:
        """What Keras would call what is made: its argument `name`, else the name in words."""
        if isinstance(given := self.named.get("name"), str):
            return given
        words = re.sub(r"\W", "", self.name.rpartition(":")[2])
        for ends in _WORDS:
            words = ends.sub(r"\1_\2", words)
        return words.lower()


def is_call(text: str) -> bool:
    """Whether `text` has the form, its arguments aside.

    A bare name begins with a capital, as those of classes do: other words are options of ours.
    """
    return _FORM.fullmatch(text.strip()) is not None


def parse(text: str) -> Call:
    """What `text` names and gives.

    Raises:
        ValueError: it has another form; says what was expected, and the fix.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"expected package.module:name, or the name of a class of Keras, and arguments in "
            f"brackets. Received: {text!r}. Write it as in mine.training:Stop(at=0.9)."
        )
    given = match["arguments"] or ""
    try:
        read: Any = ast.parse(f"_({given})", mode="eval").body
        is_one = isinstance(read, ast.Call) and isinstance(read.func, ast.Name)
        if not is_one or None in {each.arg for each in read.keywords}:
            raise ValueError(given)
        positional = tuple(ast.literal_eval(each) for each in read.args)
        named = {str(each.arg): ast.literal_eval(each.value) for each in read.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # a list as a key
        raise ValueError(
            f"expected arguments that are plain values of Python, such as gamma=2, name='own'. "
            f"Received: ({given}). Give other objects from a function of your own that makes "
            "the piece."
        ) from None
    return Call(match["name"], positional, named)


def folded(name: str) -> str:
    """`name` without its capitals and underscores: Keras's `HeNormal` is its `he_normal`."""
    return name.replace("_", "").lower()
