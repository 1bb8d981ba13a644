"""What Beam runs of `statistics_gen`: fold a shard, merge, write a split."""

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.metrics.metric import Metrics
from etils.epath import Path

from millrace.components.artifacts import Statistics
from millrace.components.files.tfrecord import read_records
from millrace.components.statistics.dataset import Dataset, fold
from millrace.components.statistics.proto import Detail, to_proto


def fold_shard(split: str, file: str) -> tuple[str, Dataset]:
    """What is known of the records of `file`, and of none where `file` is empty text."""
    dataset = fold(read_records(Path(file)), file) if file else Dataset()
    Metrics.counter("statistics_gen", "records").inc(dataset.examples)
    return split, dataset


class MergeDatasets(beam.CombineFn):
    """Merge what is known of the shards of one split, in any order."""

    def create_accumulator(self) -> Dataset:
        return Dataset()

    def add_input(self, accumulator: Dataset, element: Dataset) -> Dataset:
        accumulator.merge(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Dataset]) -> Dataset:
        merged = Dataset()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: Dataset) -> Dataset:
        return accumulator


def write_split(merged: tuple[str, Dataset], out: str, detail: Detail) -> None:
    """Write `FeatureStats.pb` of a split under `out`; equal statistics give equal bytes."""
    split, dataset = merged
    file = Statistics(Path(out)).file(split)
    file.parent.mkdir(parents=True, exist_ok=True)
    message = to_proto(split, dataset, detail)
    file.write_bytes(message.SerializeToString(deterministic=True))
