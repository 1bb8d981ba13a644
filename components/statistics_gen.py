"""Statistics of every split in one pass: each shard is folded where it is read, then merged.

What is counted, and how exactly, is `millrace.components.statistics`' business; Beam only wires.
"""

import logging

from etils.epath import Path

from millrace.components.artifacts import Examples, Statistics
from millrace.components.beam.options import BeamOptions
from millrace.components.options.ranges import Count

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
    import apache_beam as beam

    from millrace.components.statistics.proto import Detail
    from millrace.components.statistics.reading import read
    from millrace.components.statistics.steps import MergeDatasets, fold_shard, write_split

    splits = examples.splits
    # A split without shards still gets statistics, of no records.
    shards = [(split, str(file)) for split in splits for file in ["", *examples.files(split)]]
    detail = Detail(histogram_buckets, top_values, rank_buckets)
    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(shards)
            | "Fold" >> beam.MapTuple(fold_shard)
            | "Merge" >> beam.CombinePerKey(MergeDatasets())
            | "Write" >> beam.Map(write_split, str(out), detail)
        )
    statistics = Statistics(out)
    for split in splits:
        described = read(statistics, split)
        logger.info(
            "%s: %d features of %d records", split, len(described.features), described.num_examples
        )
    return statistics
