"""Spans: data that arrives in parts, each in a place of its own named by a pattern.

TFX's patterns: `{SPAN}` stands for a whole number, `{YYYY}`, `{MM}` and `{DD}` for a date, and
`{VERSION}` for a number that tells apart the attempts at one span, of which the highest counts.
`{SPAN:4}` and `{VERSION:2}` have that many digits. `*` stands for anything.
Source: tfx/components/example_gen/utils.py, tfx/proto/range_config.proto.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Sequence

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.serving import remote

_FIELD = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::(\d{1,3}))?\}")
_DATE = ("YYYY", "MM", "DD")
_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2}
_EPOCH = datetime.date(1970, 1, 1)
_ROLLING = re.compile(r"latest(?::(\d{1,9}))?(?::(\d{1,9}))?")


@dataclasses.dataclass(frozen=True, order=True)
class FoundSpan:
    """A path that fits a pattern. A date's span is its day since 1970-01-01."""

    span: int
    version: int
    path: str


def is_pattern(path: str) -> bool:
    """Whether `path` names spans."""
    return _FIELD.search(path) is not None


def resolve(pattern: str, spans: str = "latest") -> list[str]:
    """The paths of the spans requested, in their order, each span's highest version.

    Args:
        pattern: a path with `{SPAN}`, or `{YYYY}`, `{MM}` and `{DD}`, and maybe `{VERSION}`; one
            without any is returned as it is.
        spans: `latest`, `latest:7` (the newest seven), `latest:7:1` (before the newest one), a
            span (`12` or `2024-01-31`) or an inclusive range (`3..12`, `2024-01-01..2024-01-31`,
            `3..`, `..12`).

    Raises:
        OptionError: pattern or spans are malformed.
        DataError: there is no such span; says which there are.
    """
    if not is_pattern(pattern):
        return [pattern]
    _check(pattern)
    found = newest_versions(_listed(pattern))
    if not found:
        raise DataError(
            f"{pattern}: expected a path that fits it. Received: none. Check the pattern and the "
            "folder before its first `{`."
        )
    chosen = select(found, spans, is_date="{YYYY}" in pattern)
    if not chosen:
        named = [_named(item.span, "{YYYY}" in pattern) for item in found]
        there = named[0] if named[0] == named[-1] else f"{named[0]} to {named[-1]}"
        raise DataError(
            f"{pattern}, spans {spans!r}: expected one span or more. Received: none; there are "
            f"{there}. Choose among these, or wait for the data."
        )
    return [item.path for item in chosen]


def newest_versions(found: Iterable[FoundSpan]) -> list[FoundSpan]:
    """The paths of each span's highest version, by span and path."""
    known = sorted(found)
    highest = {item.span: item.version for item in known}  # the last of a span is its highest
    return [item for item in known if item.version == highest[item.span]]


def select(found: Sequence[FoundSpan], spans: str, *, is_date: bool) -> list[FoundSpan]:
    """Those of `found` whose span `spans` requests; see `resolve`.

    Raises:
        OptionError: `spans` is malformed.
    """
    numbers = sorted({item.span for item in found})
    rolling = _ROLLING.fullmatch(spans)
    if rolling:
        count, skipped = int(rolling[1] or 1), int(rolling[2] or 0)
        kept = set(numbers[: len(numbers) - skipped][-count:]) if count else set()
    else:
        first, dots, last = spans.partition("..")
        low = _number(first, spans, is_date) if first else numbers[0]
        high = low if not dots else _number(last, spans, is_date) if last else numbers[-1]
        kept = {number for number in numbers if low <= number <= high}
    return [item for item in found if item.span in kept]


def match(pattern: str, path: str) -> FoundSpan | None:
    """What `path` holds in the places of the pattern's fields; None if it does not fit.

    A field that comes twice must hold the same both times.
    """
    hit = re.fullmatch(_regex(pattern), path)
    if hit is None:
        return None
    fields = hit.groupdict()
    span = fields.get("SPAN")
    if span is None:
        try:
            date = datetime.date(*(int(fields[name]) for name in _DATE))
        except ValueError:  # such as a 30th of February
            return None
        span = str((date - _EPOCH).days)
    return FoundSpan(int(span), int(fields.get("VERSION") or 0), path)


def _check(pattern: str) -> None:
    names = [name for name, _ in _FIELD.findall(pattern)]
    dates = [name for name in _DATE if name in names]
    if ("SPAN" in names) == bool(dates) or (dates and len(dates) < len(_DATE)):
        raise OptionError(
            f"Source {pattern}: expected {{SPAN}}, or {{YYYY}}, {{MM}} and {{DD}} together. "
            f"Received: {', '.join(names)}. Correct the pattern."
        )


def _regex(pattern: str) -> str:
    """A regular expression for whole paths, a group per field."""
    parts: list[str] = []
    seen: set[str] = set()
    place = 0
    for field in _FIELD.finditer(pattern):
        parts.append(_literal(pattern[place : field.start()]))
        name, width = field[1], field[2] or _WIDTHS.get(field[1])
        digits = rf"\d{{{width}}}" if width else r"\d+"
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{digits})")
        seen.add(name)
        place = field.end()
    return "".join([*parts, _literal(pattern[place:])])


def _literal(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^/]*")


def _listed(pattern: str) -> list[FoundSpan]:
    """All paths that fit, wherever they lie."""
    if remote.is_remote(pattern):
        return _listed_remotely(remote.url(pattern))
    expanded = str(Path(pattern).expanduser())
    start = _FIELD.search(expanded)
    fixed = expanded[: start.start() if start else 0]
    root, slash, _ = fixed.rpartition("/")
    folder = Path(root or ("/" if slash else "."))
    below = expanded[len(root) + len(slash) :]
    globbed = _FIELD.sub("*", below)
    paths = [str(path) for path in folder.glob(globbed)]
    whole = expanded if slash else f"{folder}/{below}".removeprefix("./")
    return [item for path in paths if (item := match(whole, path.removeprefix("./")))]


def _listed_remotely(pattern: str) -> list[FoundSpan]:
    """All files and folders of an object store that fit."""
    start = _FIELD.search(pattern)
    folder = pattern[: start.start() if start else 0].rpartition("/")[0]
    depth = pattern.removeprefix(f"{folder}/").count("/") + 1
    below = {"/".join(name.split("/")[:depth]) for name in remote.files(folder)}
    return [item for name in sorted(below) if (item := match(pattern, f"{folder}/{name}"))]


def _number(text: str, spans: str, is_date: bool) -> int:
    try:
        if is_date:
            return (datetime.date.fromisoformat(text) - _EPOCH).days
        return int(text)
    except ValueError as error:
        form = "dates such as 2024-01-31" if is_date else "whole numbers"
        raise OptionError(
            f"Spans: expected latest, latest:N, latest:N:SKIPPED, or {form} as one, FIRST..LAST, "
            f"FIRST.. or ..LAST. Received: {spans!r}. Correct it."
        ) from error


def _named(span: int, is_date: bool) -> str:
    return str(_EPOCH + datetime.timedelta(days=span)) if is_date else str(span)
