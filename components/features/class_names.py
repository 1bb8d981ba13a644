"""What the names of classes tell: several in one cell, one written in several ways, or none."""

import collections
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

MARKS = ("|", ";", ",")  # between labels in one cell
_MOST = 0.8  # share of the names with a mark whose every part comes again

_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]*)?")
_YES_OR_NO = frozenset(("true", "false", "yes", "no", "ja", "nein", "oui", "non", "sí", "si"))
_WORDS_FOR_NONE = frozenset(
    (
        *("unknown", "unk", "n/a", "na", "nan", "none", "null", "nil", "missing", "?", "-", "--"),
        *("undefined", "unspecified", "not available", "not applicable", "not known", "tbd"),
        *("unbekannt", "keine angabe", "k.a.", "inconnu", "desconocido", "sconosciuto"),
    )
)


def lists(names: Iterable[str], marks: Sequence[str] = MARKS) -> dict[str, list[str]]:
    """The labels of each name that has the mark between labels; empty if there is no such mark.

    It is one of `marks` if all labels of a list stand alone in other cells; if nearly all lists
    have only labels that come again; or if a label comes again at another place, as in `a|b` and
    `b|c`. A blank is one in the first case only. `New York, NY` and `Sci-Fi|Fantasy` are classes.
    """
    every = [name for name in names if name]
    for mark in marks:
        parted = {name: _parts(name, mark) for name in every}
        if _are_lists(list(parted.values()), mark):
            return {name: parts for name, parts in parted.items() if mark in name and parts}
    return {}


def _parts(name: str, mark: str) -> list[str]:
    return [part.strip() for part in name.split(mark) if part.strip()]


def _are_lists(names: Sequence[Sequence[str]], mark: str) -> bool:
    several = [parts for parts in names if len({*parts}) > 1]
    alone = {parts[0] for parts in names if len(parts) == 1}
    if not several or any(alone.issuperset(parts) for parts in several):
        return bool(several)
    if mark == " ":
        return False
    times = collections.Counter(itertools.chain.from_iterable({*parts} for parts in names))
    again = [all(times[part] > 1 for part in parts) for parts in several]
    linked = [any(times[part] > 1 for part in parts) for parts in several]
    places = {place for parts in several for place in enumerate(parts)}
    if mark != ",":  # a sentence may go on after one: `No`, `No, never`
        places |= {(-1, part) for part in alone}
    moves = max(collections.Counter(part for _, part in places).values()) > 1
    least = _MOST * len(several)
    return sum(again) >= least or (moves and sum(linked) >= least)


def merged(rows: Mapping[str, int]) -> list[list[str]]:
    """The names in `rows` that are certainly one class, together; that of most rows first."""
    spellings = collections.defaultdict[object, list[str]](list)
    for name in sorted(rows, key=lambda name: (-rows[name], name)):
        spellings[meaning(name)].append(name)
    return list(spellings.values())


def meaning(name: str) -> object:
    """What is equal for names that are certainly one class: `True` and `TRUE`, `1` and `1.0`."""
    if name.lower() in _YES_OR_NO:
        return name.lower()
    return float(name) if _NUMBER.fullmatch(name) else name


def means_none(name: str) -> bool:
    """Whether `name` is a word that people write where there is no value: `unknown`, `?`."""
    return re.sub(r"[\s_]+", " ", name.strip().casefold()) in _WORDS_FOR_NONE
