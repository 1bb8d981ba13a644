"""What people write in a column of classes, and the classes that it means."""

import ast
import collections
import itertools
import logging
import re
from collections.abc import Mapping

from millrace.components.errors import DataError
from millrace.components.example_gen.texts.options import LabelSets
from millrace.components.features import class_names

MOST_CLASSES = 1000
_ROWS_EACH, _FEW = 2, 10  # rows of a class on average, unless there are no more than a few classes
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_log = logging.getLogger("millrace.components.example_gen.text")


def settle(
    step: str, place: object, counts: Mapping[str, int], sets: LabelSets = "refuse"
) -> dict[str, str]:
    """The class that each of the labels in `counts` means, which are without spaces around them.

    `True` and `TRUE` are one class, and so are `1` and `1.0`: that which most rows have.

    Args:
        step: for the log.
        place: the file and its column, for errors.
        counts: how many rows have each.
        sets: what becomes of several labels in one cell: refused, taken as a class of their own,
            or the first of them.

    Raises:
        DataError: cells hold several labels, or there are fewer than two classes, or too many.
    """
    parts = {label: _listed(label) for label in counts}
    parts |= class_names.lists(label for label, listed in parts.items() if not listed)
    several = sorted(label for label, listed in parts.items() if len(listed) > 1)
    if several and sets == "refuse":
        rows = sum(counts[label] for label in several)
        every = sorted(set(itertools.chain.from_iterable(parts.values())))
        raise DataError(
            f"{place}: expected one label a row. Received: several in {rows} rows, such as "
            f"{several[0]!r}, of the labels {', '.join(every[:5])}"
            f"{', …' if len(every) > 5 else ''}. Set {step}.label_sets=first to take the first of "
            f"each, or {step}.label_sets=whole to make each combination a class."
        )
    plain = {
        label: listed[0] if len(listed) == 1 or (listed and sets == "first") else label
        for label, listed in parts.items()
    }
    found = _merged(step, plain, counts)
    _check(place, set(found.values()), sum(counts.values()))
    return found


def _listed(label: str) -> list[str]:
    """The labels in a list as JSON or Python writes it; empty where `label` is none."""
    if not (label.startswith("[") and label.endswith("]")):
        return []
    try:
        members = ast.literal_eval(label)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [str(member).strip() for member in members]


def _merged(step: str, plain: Mapping[str, str], counts: Mapping[str, int]) -> dict[str, str]:
    """`plain` with one spelling for each class that is written in several ways."""
    rows = collections.Counter[str]()
    for label, name in plain.items():
        rows[name] += counts[label]
    classes = class_names.merged(rows)
    for first, *others in classes:
        if others:
            _log.info("%s: class %r is also written %s", step, first, _quoted(others))
    folded = collections.defaultdict[str, list[str]](list)
    for first, *_ in classes:
        folded[first.casefold()].append(first)
    for alike in folded.values():
        if len(alike) > 1:
            _log.warning(
                "%s: classes %s differ in case alone. Write them alike if they are one class",
                *(step, _quoted(alike)),
            )
    spelling = {name: first for first, *others in classes for name in (first, *others)}
    return {label: spelling[name] for label, name in plain.items()}


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _check(place: object, classes: set[str], rows: int) -> None:
    """Raise DataError if there are fewer than two classes, or too many to be classes."""
    remedy = "Name the column of classes by the option label."
    if len(classes) < 2:
        found = f"only {next(iter(classes))!r}" if classes else "none"
        raise DataError(f"{place}: expected at least two classes. Received: {found}. {remedy}")
    if len(classes) > MOST_CLASSES:
        raise DataError(
            f"{place}: expected at most {MOST_CLASSES} classes. Received: {len(classes)}, such as "
            f"{min(classes)!r}. {remedy}"
        )
    if len(classes) > _FEW and rows < _ROWS_EACH * len(classes):
        raise DataError(
            f"{place}: expected classes of {_ROWS_EACH} rows or more each on average. Received: "
            f"{len(classes)} classes in {rows} rows, such as {min(classes)!r}. {remedy}"
        )


def in_order(classes: set[str]) -> tuple[str, ...]:
    """Class names in the order of their labels: by number if all are numbers, else by text."""
    if all(_WHOLE.fullmatch(name) for name in classes):
        return tuple(sorted(classes, key=lambda name: (int(name), name)))
    return tuple(sorted(classes))
