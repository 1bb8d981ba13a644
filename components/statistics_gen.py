"""Statistics of every split in one pass: each shard is folded where it is read, then merged.

What is counted, and how exactly, is `millrace.components.statistics`' business.
"""

import json
import logging
from typing import TYPE_CHECKING

from etils.epath import Path

from millrace.components.artifacts import Examples, Statistics
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import SHORT, shard_pass
from millrace.components.options.ranges import Count

if TYPE_CHECKING:
    from millrace.components.statistics.dataset import Dataset

logger = logging.getLogger(__name__)


def statistics_gen(
    examples: Examples,
    out: Path,
    *,
    run_on: BeamOptions,
    histogram_buckets: Count = 10,
    top_values: Count = 20,
    rank_buckets: Count = 1000,
) -> Statistics:
    """Describe every split: counts, missing values, moments, quantiles, frequent values.

    Args:
        examples: records of any features.
        out: gets `Split-<name>/FeatureStats.pb`, which TensorFlow Data Validation reads.
        run_on: how Beam runs it.
        histogram_buckets: of each numeric feature's histograms (STANDARD and QUANTILES).
        top_values: how many of each text feature's values are listed as the most frequent.
        rank_buckets: how many values the rank histogram holds; a schema can name the classes
            of a feature only where it holds them all.

    Raises:
        DataError: a record cannot be read, or a feature is of different kinds in two records.
    """
    # Imported here: the command line imports this module for its signature alone.
    from millrace.components.statistics.dataset import Dataset
    from millrace.components.statistics.proto import Detail, to_proto
    from millrace.components.statistics.reading import read

    shards = [(split, str(file)) for split in examples.splits for file in examples.files(split)]
    merged = {split: Dataset() for split in examples.splits}  # also of a split without shards
    folded = shard_pass("Fold", shards, _fold, out, run_on, worth=SHORT)
    for (split, _), dataset in zip(shards, folded, strict=True):
        merged[split].merge(dataset)
    detail = Detail(histogram_buckets, top_values, rank_buckets)
    statistics = Statistics(out)
    is_noted = (examples.path / "examples.json").exists()  # your own component may leave it out
    notes = examples.summary.get("notes", {}) if is_noted else {}
    bases = json.loads(str(notes.get("bases", "{}")))
    for split, dataset in merged.items():
        file = statistics.file(split)
        file.parent.mkdir(parents=True)
        message = to_proto(split, dataset, detail, bases)
        file.write_bytes(message.SerializeToString(deterministic=True))
        described = read(statistics, split)
        logger.info(
            "%s: %d features of %d records", split, len(described.features), described.num_examples
        )
    return statistics


def _fold(shard: tuple[str, str]) -> "Dataset":
    from millrace.components.files import columns
    from millrace.components.files.tfrecord import read_records
    from millrace.components.statistics.dataset import fold

    _, file = shard
    return fold(columns.batches(read_records(Path(file)), file), file)
