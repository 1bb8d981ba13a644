"""What became of the inputs: counts, what was set aside, and the limit on it."""

import collections
import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Self

from millrace.components.artifacts import Examples, Property, Rejected
from millrace.components.errors import DataError
from millrace.components.files.printable import one_line

_NAMED = 5  # rejected inputs that an error or the log names; the rest stand in rejected.jsonl
NOTHING_MORE: dict[str, Property] = {}
_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Tally:
    """Records written by split and class name, and inputs set aside.

    Records without a class count under the name "". `failure` is the text of an error after
    which nothing more of a shard could be read; `remarks` count records by what was done to
    them, and `duplicates` those whose content an earlier one has.
    """

    written: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)
    failure: str = ""
    remarks: dict[str, int] = dataclasses.field(default_factory=dict)
    duplicates: int = 0

    def count(self, split: str, label: str, remark: str = "") -> None:
        """Note one record written, and what was done to it."""
        classes = self.written.setdefault(split, {})
        classes[label] = classes.get(label, 0) + 1
        if remark:
            self.remark(remark)

    def remark(self, remark: str) -> None:
        """Note once more what is worth counting."""
        self.remarks[remark] = self.remarks.get(remark, 0) + 1

    def add(self, other: Self) -> None:
        """Take in the tally of another shard."""
        for split, classes in other.written.items():
            mine = collections.Counter(self.written.get(split, {}))
            self.written[split] = dict(mine + collections.Counter(classes))
        self.rejected.extend(other.rejected)
        self.failure = self.failure or other.failure
        self.remarks = dict(collections.Counter(self.remarks) + collections.Counter(other.remarks))
        self.duplicates += other.duplicates

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The tally that `to_json` wrote."""
        fields = json.loads(text)
        rejected = [Rejected(**item) for item in fields["rejected"]]
        return cls(**{**fields, "rejected": rejected})

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
    tally: Tally,
    ignored: Sequence[str],
    max_rejected: float,
    *,
    what: str = "images",
    notes: Mapping[str, Property] = NOTHING_MORE,
) -> Examples:
    """Hold `tally` against the limit, tell a person what happened, and write the summary.

    Args:
        step: its name.
        examples: what was written.
        tally: what became of the inputs.
        ignored: files that are no data.
        max_rejected: the share of inputs that may be set aside.
        what: the records, in the plural, as the log calls them.
        notes: what else the summary is to hold.

    Raises:
        DataError: a shard failed, the share set aside is above `max_rejected`, or nothing was
            written.
    """
    if tally.failure:
        raise DataError(tally.failure)
    counts = {split: tally.counts[split] for split in examples.splits}
    _check_rejected(step, tally, max_rejected)
    _tell(step, counts, tally, len(ignored), what)
    kept: dict[str, Property] = {
        "found": sum(counts.values()) + len(tally.rejected) + len(ignored),
        "ignored": len(ignored),
        "classes": len(tally.classes),
        "gaps": "; ".join(tally.gaps()),
        **({"duplicates": tally.duplicates} if tally.duplicates else {}),
        **tally.remarks,
        **notes,
    }
    return examples.write_summary(counts, tally.rejected, kept)


def _tell(step: str, counts: Mapping[str, int], tally: Tally, ignored: int, what: str) -> None:
    of_classes = f" of {len(tally.classes)} classes" if tally.classes else ""
    _log.info(
        "%s: %d %s%s (%s); %d rejected, %d ignored",
        *(step, sum(counts.values()), what, of_classes),
        ", ".join(f"{split} {count}" for split, count in counts.items()),
        *(len(tally.rejected), ignored),
    )
    if tally.duplicates:
        _log.info("%d %s repeat another's content", tally.duplicates, what)
    for remark, count in sorted(tally.remarks.items()):
        _log.warning("%d %s: %s", count, what, remark)
    for line in _first(tally.rejected):
        _log.warning("rejected %s", line)
    for gap in tally.gaps():
        _log.warning("no %s in split %s", what, gap)


def _check_rejected(step: str, tally: Tally, max_rejected: float) -> None:
    rejected, written = len(tally.rejected), sum(tally.counts.values())
    found = rejected + written
    if rejected <= max_rejected * found and written:
        return
    # The next whole hundredth lets them pass; nothing does where all inputs are unusable.
    share = (100 * rejected // max(1, found) + 1) / 100
    more_by = f", or allow more by `--set {step}.max_rejected={share:g}`" if written else ""
    named = "".join(f"\n  {line}" for line in _first(tally.rejected))
    more = f"\n  and {rejected - _NAMED} more" if rejected > _NAMED else ""
    raise DataError(
        f"{step}: expected at most {max_rejected:.2%} of the inputs to be unusable. Received: "
        f"{rejected} of {found} ({rejected / max(1, found):.2%}):"
        f"{named}{more}\nCorrect or remove them{more_by}."
    )


def _first(rejected: Sequence[Rejected]) -> list[str]:
    """Those to name: the first by file and number, in whatever order the shards ended."""
    ordered = sorted(rejected, key=lambda item: (item.source, len(item.position), item.position))
    return [_line(item) for item in ordered[:_NAMED]]


def _line(item: Rejected) -> str:
    place = f"{item.source}, {item.position}" if item.position else item.source
    return f"{one_line(place)}: {item.reason}"
