"""Patterns of file names that say a file's class, such as `{class}.{number}.jpg`."""

import re
from collections import Counter
from collections.abc import Sequence

from millrace.components.errors import OptionError

_FIELDS = {  # no field reaches beyond a folder's name, so that matching takes no time to speak of
    "class": r"(?P<class>[^/]*[^/\W][^/]*)",
    "split": r"(?P<split>[^/]+)",
    "number": r"[0-9]+",
    "name": r"[^/]*",
    "ext": r"[A-Za-z0-9]+",
}
_FIELD = re.compile(r"\{([^{}]*)\}")
_USUAL = (  # the first that fits a folder's files is proposed
    "{class}.{number}.{ext}",
    "{class}_{number}.{ext}",
    "{class}-{number}.{ext}",
    "{class} ({number}).{ext}",
    "{class} {number}.{ext}",
    "{class}{number}.{ext}",
    "{number}_{class}.{ext}",
    "{number}-{class}.{ext}",
    "{class}_{name}.{ext}",
    "{class}-{name}.{ext}",
    "{class}.{name}.{ext}",
)
_FITTING = 0.95  # share of the files that a proposal fits


def compiled(pattern: str, option: str) -> re.Pattern[str]:
    """What a path must match, with groups `class` and maybe `split`.

    The pattern is of the last parts of a path, as many as it has: folders before them may be any.

    Args:
        pattern: text with the fields `{class}`, `{split}`, `{number}` (digits), `{ext}` (what
            follows the last dot) and `{name}` (anything).
        option: its name, for the error.

    Raises:
        OptionError: it has another field, not one `{class}`, or `{split}` twice.
    """
    found = Counter(_FIELD.findall(pattern))
    rest = _FIELD.sub("", pattern)
    if found["class"] != 1 or found["split"] > 1 or found.keys() - _FIELDS or set(rest) & {*"{}"}:
        raise OptionError(
            f"Option {option}: expected a pattern with one {{class}}, and maybe {{split}}, "
            f"{{number}}, {{name}} and {{ext}}. Received: {pattern!r}. Write e.g. "
            "{class}.{number}.jpg."
        )
    parts = _FIELD.split(pattern.strip("/"))  # text and fields in turn
    regex = "".join(
        _FIELDS[part] if place % 2 else re.escape(part) for place, part in enumerate(parts)
    )
    return re.compile(rf"(?:.*/)?{regex}", re.IGNORECASE | re.DOTALL)


def proposal(paths: Sequence[str]) -> str:
    """The usual pattern that fits nearly all of `paths`, with two classes or more; or ""."""
    for pattern in _USUAL:
        matches = [match for path in paths if (match := compiled(pattern, "").fullmatch(path))]
        classes = Counter(match["class"] for match in matches)
        is_fitting = len(matches) >= max(_FITTING * len(paths), 2 * len(classes))
        if is_fitting and len(classes) > 1 and not any(name.isdecimal() for name in classes):
            endings = {path.rpartition(".")[2].lower() for path in paths}
            return pattern.replace("{ext}", endings.pop()) if len(endings) == 1 else pattern
    return ""
