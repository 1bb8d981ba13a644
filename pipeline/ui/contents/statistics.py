"""Statistics by feature, the splits side by side, with what validation found about them.

Histograms of one feature share their axis, so that two splits can be compared by eye.
"""

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.artifacts import Anomalies, Statistics
from millrace.components.statistics import reading
from millrace.components.statistics.table import FeatureRow
from millrace.components.statistics.table import rows as rows_of

FEATURES = 40  # of a page
_TOP = 3  # most frequent values named
_VALUES = 12  # drawn
_WORTH = 0.2  # the share of the records that these must have


def gather(statistics: Statistics, anomalies: Anomalies | None, start: int = 0) -> dict[str, Any]:
    """What a page shows of `statistics`.

    Args:
        statistics: what `statistics_gen` wrote.
        anomalies: what was found about them, if they were validated.
        start: the number of the first feature.

    Raises:
        DataError: a file of it is damaged.
    """
    by_feature: dict[str, list[FeatureRow]] = collections.defaultdict(list)
    for row in rows_of(statistics, top=_TOP):
        by_feature[row.feature].append(row)
    marks = _marks(anomalies)
    # What was found comes first, the rest by name.
    names = sorted(by_feature, key=lambda name: (name not in marks, name))
    chosen = names[start : start + FEATURES]
    numeric = {name for name in chosen if by_feature[name][0].type in ("INT", "FLOAT")}
    buckets = _buckets(statistics, numeric)
    return {
        "splits": statistics.splits,
        "count": len(names),
        "start": start,
        "next": start + FEATURES if start + FEATURES < len(names) else None,
        "features": [
            _feature(name, by_feature[name], buckets, marks.get(name, ())) for name in chosen
        ],
        "whole": marks.get("", []),
        "is_validated": anomalies is not None,
    }


def _feature(
    name: str,
    rows: Sequence[FeatureRow],
    buckets: Mapping[tuple[str, str], Any],
    marks: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "name": name,
        "type": rows[0].type,
        "splits": [_split(row) for row in rows],
        "histograms": {
            row.split: buckets[row.split, name] for row in rows if buckets.get((row.split, name))
        },
        "frequent": _frequent(rows) if rows[0].type == "STRING" else None,
        "marks": list(marks),
    }


def _frequent(rows: Sequence[FeatureRow]) -> dict[str, Any] | None:
    """How often the most frequent values are in each split; None where hardly one recurs."""
    counts: collections.Counter[str] = collections.Counter()
    for row in rows:
        counts.update({value: int(count) for value, count in row.buckets})
    names = [name for name, _ in counts.most_common(_VALUES)]
    if sum(counts[name] for name in names) < _WORTH * sum(row.count for row in rows):
        return None
    return {
        "names": names,
        "series": [
            {"name": row.split, "y": [dict(row.buckets).get(name, 0) for name in names]}
            for row in rows
        ],
    }


def _split(row: FeatureRow) -> dict[str, Any]:
    total = row.count + row.missing
    return {
        "name": row.split,
        "count": row.count,
        "missing": row.missing,
        "missing_share": row.missing / total if total else 0.0,
        **{
            name: getattr(row, name)
            for name in ("mean", "std_dev", "min", "median", "max", "unique")
        },
        "top": [list(each) for each in row.top],
    }


def _buckets(statistics: Statistics, names: set[str]) -> dict[tuple[str, str], Any]:
    """By split and feature: the low and high end and the count of each bucket, the finite ones."""
    found = {}
    for split in statistics.splits:
        for feature in reading.read(statistics, split).features:
            name = reading.name_of(feature)
            if name in names:
                standard = reading.histogram_of(feature, statistics_pb2.Histogram.STANDARD)
                found[split, name] = [
                    [bucket.low_value, bucket.high_value, bucket.sample_count]
                    for bucket in (standard.buckets if standard else ())
                    if abs(bucket.low_value) < float("inf")
                    and abs(bucket.high_value) < float("inf")
                ]
    return found


def _marks(anomalies: Anomalies | None) -> dict[str, list[dict[str, Any]]]:
    """By feature what was found wrong, and the distances measured; the empty name is the split."""
    marks: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    if anomalies is None:
        return marks
    for each in anomalies.found:
        marks[each["feature"]].append(
            {"split": each["split"], "kind": each["kind"], "text": each["description"]}
        )
    return marks
