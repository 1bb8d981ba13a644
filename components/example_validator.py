"""Every split's statistics held against the schema, and against the previous run's."""

import json
import logging

from etils.epath import Path

from components.artifacts import Anomalies, Schema, Statistics

logger = logging.getLogger(__name__)


def example_validator(
    statistics: Statistics,
    schema: Schema,
    previous: Statistics | None,
    out: Path,
) -> Anomalies:
    """Find anomalies: what the schema does not allow, drift from the last run, skew.

    Whether an anomaly stops the run is not decided here. A split is compared with the split
    of the same name in `previous` (drift) and with `train` (skew), where the schema sets
    thresholds for it.

    Args:
        statistics: of the data to judge.
        schema: what it must satisfy, and the thresholds.
        previous: statistics of an earlier run; without them no drift is measured.
        out: gets `Split-<name>/SchemaDiff.pb` and `anomalies.json`.

    Raises:
        DataError: the schema or a split's statistics cannot be read.
    """
    # Imported here: the command line imports this module for its signature alone.
    from components.schema.text import read as read_schema
    from components.statistics.reading import read
    from components.validation.split import Controls, validate

    rules = read_schema(schema.file)
    splits = statistics.splits
    train = read(statistics, "train") if "train" in splits else None
    artifact = Anomalies(out)
    found = []
    for split in splits:
        earlier = read(previous, split) if previous and split in previous.splits else None
        controls = Controls(previous=earlier, train=None if split == "train" else train)
        findings, message = validate(read(statistics, split), rules, controls)
        artifact.file(split).parent.mkdir(parents=True, exist_ok=True)
        artifact.file(split).write_bytes(message.SerializeToString(deterministic=True))
        for finding in findings:
            about = f"{split}: {finding.feature or 'all records'}"
            logger.warning("%s: %s. %s", about, finding.short.rstrip("."), finding.description)
            found.append(
                {
                    "split": split,
                    "feature": finding.feature,
                    "kind": finding.kind,
                    "description": finding.description,
                }
            )
    (artifact.path / "anomalies.json").write_text(json.dumps(found, indent=1, ensure_ascii=False))
    logger.info("%d anomalies in %s", len(found), ", ".join(splits))
    return artifact
