"""Examples: how many by split, some of them as they look, and what was set aside and why."""

import collections
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from millrace.components.artifacts import Examples
from millrace.components.features.spec import Spec
from millrace.components.files import json_files
from millrace.pipeline.ui.contents import records
from millrace.pipeline.ui.contents.records import Look, Place

PICTURES, OTHERS = 30, 12  # records of a page
_SEARCHED = 20_000  # records of a page that some are chosen from
_COLUMNS = 60
_LINES = 50_000  # of a list of what was set aside
_REASONS, _FIRST = 20, 3


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Which records are asked for.

    Attributes:
        split: whose; the first that has any, if empty.
        start: the place of the first.
        feature, value: only records in which this feature has this value; all, if empty.
    """

    split: str = ""
    start: Place = Place(0, 0)  # noqa: RUF009  # frozen
    feature: str = ""
    value: str = ""


def gather(examples: Examples, spec: Spec | None, chosen: Chosen) -> dict[str, Any]:
    """What a page shows of `examples`.

    Raises:
        DataError: a file of it is damaged, or it has no such split.
    """
    counts = examples.counts
    split = chosen.split or next((each for each in examples.splits if counts.get(each)), "")
    if split and split not in examples.splits:
        raise records.refuse(examples, split)
    found = dataclasses.replace(chosen, split=split)
    shown = _page(examples, found, Look(spec)) if split else _NOTHING
    summary = examples.summary
    return {
        "splits": [{"name": each, "count": counts.get(each, 0)} for each in examples.splits],
        "count": sum(counts.values()),
        "split": split,
        "start": str(chosen.start),
        "feature": chosen.feature,
        "value": chosen.value,
        **shown,
        "notes": {
            name: value for name, value in summary.get("notes", {}).items() if value not in ("", 0)
        },
        "set_aside": [
            _set_aside(examples, name, title)
            for name, title in _LISTS.items()
            if (examples.path / f"{name}.jsonl").exists()
        ],
    }


_NOTHING: dict[str, Any] = {
    "kind": "table",
    "columns": [],
    "records": [],
    "next": "",
    "searched": 0,
}
_LISTS = {
    "rejected": "Rejected",
    "unlabelled": "Without a label",
    "bad_cells": "Cells taken as missing",
}


def _page(examples: Examples, chosen: Chosen, look: Look) -> dict[str, Any]:
    """The records of a page, and where the next one begins."""
    shown: list[dict[str, Any]] = []
    kind, columns, most, searched = "table", dict[str, None](), OTHERS, 0
    following = ""
    for place, row in records.rows(examples, chosen.split, chosen.start):
        if len(shown) == most or searched == _SEARCHED:
            following = str(place)
            break
        searched += 1
        columns |= dict.fromkeys(sorted(row))
        if chosen.feature and not _has(row, chosen):
            continue
        cells = records.cells(row, look)
        if not shown:
            kind = records.kind_of(cells)
            most = PICTURES if kind == "picture" else OTHERS
        shown.append({"place": str(place), "caption": records.caption(cells), "cells": cells})
    return {
        "kind": kind,
        "columns": list(columns)[:_COLUMNS],
        "records": shown,
        "next": following,
        "searched": searched,
    }


def _has(row: records.Row, chosen: Chosen) -> bool:
    values = row.get(chosen.feature)
    return values is not None and chosen.value in records.texts_of(values)


def _set_aside(examples: Examples, name: str, title: str) -> dict[str, Any]:
    """What a list says, by reason, the most frequent first."""
    counts: collections.Counter[str] = collections.Counter()
    first: dict[str, list[dict[str, str]]] = {}
    total = 0
    for line in itertools.islice(_lines(examples, name), _LINES):
        total += 1
        reason = line["reason"]
        counts[reason] += 1
        if len(some := first.setdefault(reason, [])) < _FIRST:
            some.append({"source": line["source"], "position": line["position"]})
    whole = examples.summary["rejected"] if name == "rejected" else total
    return {
        "name": name,
        "title": title,
        "count": max(whole, total),
        "read": total,
        "reasons": [
            {"reason": reason, "count": count, "first": first[reason]}
            for reason, count in counts.most_common(_REASONS)
        ],
        "others": max(0, len(counts) - _REASONS),
    }


def _lines(examples: Examples, name: str) -> Iterator[dict[str, Any]]:
    file = examples.path / f"{name}.jsonl"
    return json_files.read_lines(file, source=str, reason=str, position=str)


def one(examples: Examples, split: str, place: Place, spec: Spec | None) -> dict[str, Any] | None:
    """One record with all there is of it; None where there is none at `place`."""
    if split not in examples.splits:
        raise records.refuse(examples, split)
    row = records.row(examples, split, place)
    if row is None:
        return None
    cells = records.cells(row, Look(spec, is_whole=True))
    return {
        "split": split,
        "place": str(place),
        "caption": records.caption(cells),
        "kind": records.kind_of(cells),
        "cells": cells,
    }
