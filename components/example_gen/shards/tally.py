"""What became of the inputs: counts, what was set aside, and the limit on it."""

import collections
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Self

from millrace.components.artifacts import Examples, Property, Rejected, SetAside
from millrace.components.beam.rejected import check_rejected, first_rejected
from millrace.components.errors import DataError

NOTHING_MORE: dict[str, Property] = {}
_log = logging.getLogger(__name__)


@dataclasses.dataclass
class IngestTally:
    """Records written by split and class name, and inputs set aside.

    Records without a class count under the name "". `unlabelled` rows lack the label that others
    have, `no_data` are rows that hold nothing of their own, such as totals, and may be of any
    number, `bad_cells` are taken as missing in rows that were written. `remarks` count records by
    what was done to them, and `duplicates` those whose content an earlier one has.
    """

    written: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)
    unlabelled: SetAside = dataclasses.field(default_factory=SetAside)
    bad_cells: list[Rejected] = dataclasses.field(default_factory=list)
    remarks: dict[str, int] = dataclasses.field(default_factory=dict)
    duplicates: int = 0
    no_data: list[Rejected] = dataclasses.field(default_factory=list)

    def count(self, split: str, label: str, remark: str = "") -> None:
        """Note one record written, and what was done to it."""
        classes = self.written.setdefault(split, {})
        classes[label] = classes.get(label, 0) + 1
        if remark:
            self.remark(remark)

    def remark(self, remark: str) -> None:
        """Count one more record with `remark`."""
        self.remarks[remark] = self.remarks.get(remark, 0) + 1

    def add(self, other: Self) -> None:
        """Take in the tally of another shard."""
        for split, classes in other.written.items():
            mine = collections.Counter(self.written.get(split, {}))
            self.written[split] = dict(mine + collections.Counter(classes))
        self.rejected.extend(other.rejected)
        self.no_data.extend(other.no_data)
        self.unlabelled.extend(other.unlabelled)
        self.bad_cells.extend(other.bad_cells)
        self.remarks = dict(collections.Counter(self.remarks) + collections.Counter(other.remarks))
        self.duplicates += other.duplicates

    @property
    def classes(self) -> list[str]:
        """Class names over all splits, sorted."""
        return sorted(set().union(*self.written.values()) - {""})

    @property
    def counts(self) -> dict[str, int]:
        """Records per split."""
        return {split: sum(classes.values()) for split, classes in self.written.items()}

    def gaps(self) -> list[str]:
        """Each class that a split lacks, as text `split: class, class`."""
        gaps = {
            split: [name for name in self.classes if name not in names]
            for split, names in self.written.items()
        }
        return [f"{split}: {', '.join(names)}" for split, names in gaps.items() if names]


def finish(
    step: str,
    examples: Examples,
    tally: IngestTally,
    ignored: Sequence[str],
    max_rejected: float,
    *,
    what: str = "images",
    notes: Mapping[str, Property] = NOTHING_MORE,
) -> Examples:
    """Check `tally` against the limit, log what happened, and write the summary.

    Args:
        step: its name.
        examples: what was written.
        tally: what became of the inputs.
        ignored: files that are not data.
        max_rejected: the share of inputs that may be set aside.
        what: the records, in the plural, as the log calls them.
        notes: what else the summary is to hold.

    Raises:
        DataError: the share set aside is above `max_rejected`, or nothing was written.
    """
    counts = {split: tally.counts[split] for split in examples.splits}
    written = sum(counts.values())
    check_rejected(step, tally.rejected, written + len(tally.rejected), max_rejected)
    if not written and tally.unlabelled:
        raise DataError(
            f"{step}: expected {what} with a label. Received: {len(tally.unlabelled)} without one, "
            f"such as {first_rejected(tally.unlabelled)[0]}. Name another label, or add it."
        )
    if not written:
        raise DataError(f"{step}: expected {what}. Received: none. Check the source.")
    tally.rejected.extend(tally.no_data)
    _report(step, counts, tally, len(ignored), what)
    kept: dict[str, Property] = {
        "found": written + len(tally.rejected) + len(tally.unlabelled) + len(ignored),
        "ignored": len(ignored),
        **({"unlabelled": len(tally.unlabelled)} if tally.unlabelled else {}),
        **({"bad_cells": len(tally.bad_cells)} if tally.bad_cells else {}),
        "classes": len(tally.classes),
        "gaps": "; ".join(tally.gaps()),
        **({"duplicates": tally.duplicates} if tally.duplicates else {}),
        **tally.remarks,
        **notes,
    }
    return examples.write_summary(
        counts, tally.rejected, kept, unlabelled=tally.unlabelled, bad_cells=tally.bad_cells
    )


def _report(
    step: str, counts: Mapping[str, int], tally: IngestTally, ignored: int, what: str
) -> None:
    of_classes = f" of {len(tally.classes)} classes" if tally.classes else ""
    _log.info(
        "%s: %d %s%s (%s); %d rejected, %d ignored%s%s",
        *(step, sum(counts.values()), what, of_classes),
        ", ".join(f"{split} {count}" for split, count in counts.items()),
        *(len(tally.rejected), ignored),
        f", {len(tally.unlabelled)} without a label" if tally.unlabelled else "",
        f"; {len(tally.bad_cells)} cells taken as missing" if tally.bad_cells else "",
    )
    if tally.duplicates:
        _log.info("%d %s repeat another's content", tally.duplicates, what)
    for remark, count in sorted(tally.remarks.items()):
        _log.warning("%d %s: %s", count, what, remark)
    for kind in ("rejected", "unlabelled", "bad_cells"):
        for line in first_rejected(getattr(tally, kind)):
            _log.warning("%s %s", kind.replace("_", " ").removesuffix("s"), line)
    for gap in tally.gaps():
        _log.warning("no %s in split %s", what, gap)
