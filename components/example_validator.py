"""Every split's statistics checked against the schema, and compared with the previous run's."""

import logging
from typing import TYPE_CHECKING

from etils.epath import Path

from millrace.components.artifacts import Anomalies, Schema, Statistics

if TYPE_CHECKING:
    from millrace.components.validation.findings import Anomaly

logger = logging.getLogger(__name__)


def example_validator(
    statistics: Statistics,
    schema: Schema,
    previous: Statistics | None,
    out: Path,
    *,
    training: Statistics | None = None,
) -> Anomalies:
    """Find anomalies: what the schema does not allow, drift from the last run, skew.

    Whether an anomaly stops the run is not decided here. A split is compared with the split
    of the same name in `previous` (drift) and with `train` (skew), where the schema sets
    thresholds for it.

    Args:
        statistics: of the data to judge.
        schema: what it must satisfy, and the thresholds.
        previous: statistics of an earlier run; without them no drift is measured.
        out: gets `Split-<name>/SchemaDiff.pb`, `anomalies.json` and `distances.json`.
        training: has the `train` to compare with, where `statistics` are of other data, such
            as the requests that a model got.

    Raises:
        DataError: the schema or a split's statistics cannot be read.
    """
    # Imported here: the command line imports this module for its signature alone.
    from millrace.components.schema.text import read as read_schema
    from millrace.components.statistics.reading import read
    from millrace.components.validation.split import Controls, validate

    rules = read_schema(schema.file)
    splits = statistics.splits
    learnt = training or statistics
    train = read(learnt, "train") if "train" in learnt.splits else None
    artifact = Anomalies(out)
    found: list[dict[str, str]] = []
    measured: list[dict[str, str | float]] = []
    for split in splits:
        earlier = read(previous, split) if previous and split in previous.splits else None
        is_train = split == "train" and training is None
        controls = Controls(previous=earlier, train=None if is_train else train)
        findings, distances, message = validate(read(statistics, split), rules, controls)
        artifact.file(split).parent.mkdir(parents=True, exist_ok=True)
        artifact.file(split).write_bytes(message.SerializeToString(deterministic=True))
        found += [_record(split, finding) for finding in findings]
        measured += [{"split": split, **vars(distance)} for distance in distances]
    artifact.write(found, measured)
    logger.info("%d anomalies in %s", len(found), ", ".join(splits))
    return artifact


def _record(split: str, finding: "Anomaly") -> dict[str, str]:
    """A finding for `anomalies.json`, and a line of the log."""
    about = f"{split}: {finding.feature or 'all records'}"
    logger.warning("%s: %s. %s", about, finding.short.rstrip("."), finding.description)
    return {
        "split": split,
        "feature": finding.feature,
        "kind": finding.kind,
        "description": finding.description,
    }
