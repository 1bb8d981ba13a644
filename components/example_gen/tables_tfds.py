"""Tables of TensorFlow Datasets to `Examples`, one feature per column."""

from etils.epath import Path

from millrace.components.artifacts import Examples, Property
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, Shares, SplitRule
from millrace.components.example_gen.shards.tally import finish
from millrace.components.files.paths import LocalPath
from millrace.components.options.ranges import Shards, Share, ShareBelowOne

_STEP = "tfds_table_example_gen"


def tfds_table_example_gen(
    out: Path,
    *,
    run_on: BeamOptions,
    dataset: str,
    label: str | None = None,
    data_dir: LocalPath | None = None,
    manual_dir: LocalPath | None = None,
    download: bool = True,
    only: tuple[str, ...] = (),
    splits: Shares = DEFAULT_SHARES,
    eval_from_train: ShareBelowOne = 0.1,
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Take a set of TensorFlow Datasets whose features are numbers, texts and classes.

    A class becomes its name; a vector of a fixed length one column per component,
    `features_0` and so on. Features of other kinds are left out.

    Args:
        out: becomes the records.
        run_on: where Beam runs.
        dataset: its name, with a config and a version if need be: `penguins/processed`.
        label: the feature to predict, whose records without it are counted and left out. None:
            the one that TFDS supervises with, else one with a name such as label, else the last.
        data_dir: where TFDS keeps prepared sets; its own default if not given.
        manual_dir: files downloaded by hand, where the set asks for that or there is no
            network.
        download: whether to prepare the set if `data_dir` does not hold it yet.
        only: the splits to take, by TFDS's names; empty for all.
        splits: share of each split, chosen by each row's content; used where the set has but
            one split.
        eval_from_train: share of train to hold out as `eval`, where the set has a test split
            and no validation split.
        max_rejected: share of unusable records above which the step fails.
        shards: files per split; 0 makes one per 64 MiB, and no more than the set has.

    Raises:
        DataError: the set is not available, or has no columns.
        OptionError: there is no such set, split or label, or the shares are not valid.
    """
    from millrace.components.example_gen.tensorflow_datasets import sets
    from millrace.components.example_gen.tensorflow_datasets.tables import (
        TableRecords,
        columns_of,
        label_of,
        write_rows,
    )

    rule = SplitRule.of(_STEP, splits, eval_from_train)
    builder = sets.find(_STEP, dataset, data_dir)
    columns = columns_of(_STEP, builder)
    truth = label_of(_STEP, builder, columns, label)
    sets.prepare(_STEP, builder, manual_dir, download=download)
    listing = sets.list_splits(_STEP, builder, only)
    source = TableRecords(Path(builder.data_path), columns, rule, truth)
    examples = Examples(out)
    tally = write_rows(run_on, examples, source, listing, shards=shards)
    notes: dict[str, Property] = {"columns": len(columns), "label": truth}
    return finish(_STEP, examples, tally, (), max_rejected, what="rows", notes=notes)
