"""What the page of compared runs shows, as plain JSON values, each run under a letter."""

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from millrace.components.artifacts import Statistics
from millrace.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store
from millrace.pipeline.ui.contents import compared, compared_models
from millrace.pipeline.ui.contents import run as run_contents
from millrace.pipeline.ui.contents.compared import ERRORS, Compared
from millrace.pipeline.ui.contents.run import Address

MOST = 6  # runs: more no eye compares
LETTERS = string.ascii_uppercase
_FEATURES = 30  # whose distance is told
_DRAWN = 6  # of these, as histograms
_MODULES = 60


def contents(
    store: Store, session: Session, root: Root, runs: Sequence[RunRecord], address: Address
) -> dict[str, Any]:
    """All sections of a comparison of `runs`, two or more."""
    found = [
        compared.of_run(session, letter, run) for letter, run in zip(LETTERS, runs, strict=False)
    ]
    return {
        "runs": [_head(store, session, root, each, address) for each in found],
        "figures": figures(found),
        "options": options(found),
        "code": code(found),
        "data": data(found),
        "curves": compared_models.curves(found),
        "confusions": compared_models.confusions(found),
        "residuals": compared_models.residuals(found, address),
        "forecasts": compared_models.forecasts(found),
        "rows": compared_models.rows(found, address),
        "drift": drift(found),
    }


def _head(
    store: Store, session: Session, root: Root, each: Compared, address: Address
) -> dict[str, Any]:
    blessed = each.evaluation.properties.get("blessed") if each.evaluation else None
    return {
        "letter": each.letter,
        "id": each.run.id,
        "page": address("runs", each.run.id),
        "recipe": each.run.recipe,
        "model": each.run.pipeline,
        "status": store.status(session, each.run, root),
        "verdict": {None: "", True: "blessed", False: "not blessed"}[blessed],
        "started": each.run.started.isoformat(timespec="seconds"),
        "note": each.run.note or "",
        "command": each.run.arguments.get("command", ""),
    }


def figures(runs: Sequence[Compared]) -> dict[str, Any]:
    """Every figure of every run with its interval; of two runs also the change."""
    told = [compared.summary(each.evaluation) for each in runs]
    kept = [_kept(each.evaluation) for each in runs]
    names = dict.fromkeys(name for one in kept for name in one)
    places = {(one.get("split"), one.get("count")) for one in told if one}
    rows = []
    for name in names:
        values = [one.get(name) for one in kept]
        ends = [(summary.get("intervals") or {}).get(name) for summary in told]
        rows.append(
            {
                "name": name,
                "values": [
                    {"value": value, "interval": interval}
                    for value, interval in zip(values, ends, strict=True)
                ],
                "bars": [[each.letter, value] for each, value in zip(runs, values, strict=True)],
                "ends": ends,
                "change": _change(values),
            }
        )
    return {
        "rows": rows,
        "judged": [
            f"{one['count']:,} rows of {one['split']}" if "count" in one else "" for one in told
        ],
        "same_rows": len(places) == 1
        and compared.are_same([compared.examples(each) for each in runs]),
    }


def _change(values: Sequence[float | None]) -> float | None:
    if len(values) != 2 or values[0] is None or values[1] is None:
        return None
    return values[1] - values[0]


def _kept(evaluation: ArtifactRecord | None) -> dict[str, float]:
    properties = evaluation.properties if evaluation else {}
    return {name: value for name, value in properties.items() if name != "blessed"}


def options(runs: Sequence[Compared]) -> dict[str, Any]:
    """The options that are not alike in all runs, and the steps that only some have."""
    by_step = [{one.step: one for one in each.executions} for each in runs]
    steps = list(dict.fromkeys(step for each in by_step for step in each))
    differing, alone = [], []
    for step in steps:
        have = [each.get(step) for each in by_step]
        if None in have:
            letters = [each.letter for each, one in zip(runs, have, strict=True) if one]
            alone.append({"step": step, "runs": letters})
        values = [run_contents.flat(one.ingredients["options"]) if one else {} for one in have]
        for name in dict.fromkeys(name for each in values for name in each):
            texts = [each.get(name) for each in values]
            known = [text for text, one in zip(texts, have, strict=True) if one is not None]
            if len(known) > 1 and len(set(known)) > 1:
                differing.append({"option": f"{step}.{name}", "values": texts})
    return {"rows": differing, "steps": alone}


def code(runs: Sequence[Compared]) -> dict[str, Any]:
    """The modules of which the runs had other versions, one's own first, and the libraries."""
    modules, libraries = (
        [_parts(each.executions, name) for each in runs] for name in ("code", "versions")
    )
    changed = _differing(modules)
    own = [name for name in changed if not name.startswith("millrace")]
    rest = [name for name in changed if name.startswith("millrace")]
    return {
        "modules": [*own, *rest][:_MODULES],
        "count": len(changed),
        "versions": [
            {"name": name, "values": [", ".join(sorted(each.get(name, ()))) for each in libraries]}
            for name in _differing(libraries)
        ],
        "commits": _unlike(
            [(each.run.arguments.get("made_with") or {}).get("commit", "") for each in runs]
        ),
    }


def _parts(executions: Sequence[ExecutionRecord], name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in executions:
        for part, value in one.ingredients[name].items():
            found.setdefault(part, set()).add(value)
    return found


def _differing(parts: Sequence[Mapping[str, set[str]]]) -> list[str]:
    """The names that several runs have, and not alike."""
    names = sorted({name for each in parts for name in each})
    have = {name: [each[name] for each in parts if name in each] for name in names}
    return [name for name, values in have.items() if any(one != values[0] for one in values)]


def _unlike(texts: list[str]) -> list[str]:
    return texts if len(set(texts)) > 1 else []


def data(runs: Sequence[Compared]) -> dict[str, Any]:
    """What each run read from outside the root, and whether it is the same."""
    sources = [
        {
            artifact.uri: artifact.digest
            for one in each.executions
            for artifact in one.inputs.values()
            if artifact.files is None
        }
        for each in runs
    ]
    digests = [tuple(sorted(each.values())) for each in sources]
    return {
        "rows": [
            {"given": each.run.arguments.get("data") or "", "sources": list(own)}
            for each, own in zip(runs, sources, strict=True)
        ],
        "is_same": len(set(digests)) == 1,
    }


def drift(runs: Sequence[Compared]) -> dict[str, Any]:
    """How far the features of the second run's data are from the first's, the farthest first."""
    first, second = runs[:2]
    if first.statistics is None or second.statistics is None:
        return {"problem": "One of them has no statistics.", "rows": [], "count": 0}
    if first.statistics.digest == second.statistics.digest:
        return {"problem": "The statistics of both are the same.", "rows": [], "count": 0}
    try:
        folders = [Statistics(each.fetch()) for each in (first.statistics, second.statistics)]
        return _distances(folders, (first.letter, second.letter))
    except ERRORS as error:
        return {"problem": f"The statistics cannot be read: {error}", "rows": [], "count": 0}


def _distances(folders: Sequence[Statistics], letters: Sequence[str]) -> dict[str, Any]:
    from millrace.components.statistics import reading  # protobuf messages, and NumPy
    from millrace.components.validation.comparison import divergence

    shared = [split for split in folders[0].splits if split in folders[1].splits]
    if not shared:
        return {"problem": "They have no split in common.", "rows": [], "count": 0}
    split = shared[0]
    here, there = (
        {reading.name_of(each): each for each in reading.read(folder, split).features}
        for folder in folders
    )
    found = []
    for name in [name for name in here if name in there]:
        distance = divergence(here[name], there[name])
        if distance is not None:
            found.append((distance, name))
    found.sort(key=lambda each: (-each[0], each[1]))
    return {
        "problem": "",
        "split": split,
        "count": len(found),
        "only": [sorted(here.keys() - there.keys()), sorted(there.keys() - here.keys())],
        "rows": [
            {
                "feature": name,
                "distance": distance,
                "histograms": _histograms(letters, (here[name], there[name]))
                if place < _DRAWN
                else {},
            }
            for place, (distance, name) in enumerate(found[:_FEATURES])
        ],
    }


def _histograms(letters: Sequence[str], features: Sequence[Any]) -> dict[str, Any]:
    """The buckets of numbers, as `charts.histograms` draws them; none of texts."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from millrace.components.statistics import reading

    found = {}
    for letter, feature in zip(letters, features, strict=True):
        standard = reading.histogram_of(feature, statistics_pb2.Histogram.STANDARD)
        if standard is None:
            return {}
        found[letter] = [
            [each.low_value, each.high_value, each.sample_count]
            for each in standard.buckets
            if math.isfinite(each.low_value) and math.isfinite(each.high_value)
        ]
    return found
