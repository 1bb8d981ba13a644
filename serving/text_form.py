r"""Protobuf messages in text form, as people write them: configurations and schemas.

protobuf's parser in Python keeps an escape that it does not know as it is, with a warning for
programmers; its parser in C++, which TensorFlow Serving uses, refuses it, and so does this one.
(Those that C++ alone reads, `\?` and `\X`, are refused as well.)
"""

import re
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

_MessageType = TypeVar("_MessageType", bound=Message)

_STRING = re.compile(r"""#.*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")  # or a comment
_ESCAPE = re.compile(r"\\(?:[4-7][0-7]{2}|.)")
_KNOWN = frozenset("abfnrtvxuU\\'\"01234567")


def parse(text: str, message: _MessageType) -> _MessageType:
    r"""`message`, with what `text` says merged into it.

    Raises:
        text_format.ParseError: it says nothing of such a message, with the line; also where an
            escape is none of protobuf's, such as `\d`, or is an octal number above 377.
    """
    if "\\" in text:
        _check_escapes(text)
    return text_format.Parse(text, message)


def _check_escapes(text: str) -> None:
    for string in _STRING.finditer(text):
        for escape in () if string[0][0] == "#" else _ESCAPE.finditer(string[0]):
            if len(escape[0]) > 2 or escape[0][1] not in _KNOWN:
                before = text[: string.start() + escape.start()]
                raise text_format.ParseError(
                    f"Unknown escape {escape[0]} in a string; a backslash is written \\\\.",
                    before.count("\n") + 1,
                    len(before) - before.rfind("\n"),
                )
