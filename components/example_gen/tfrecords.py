"""Existing TFRecord files of `tf.train.Example` to `Examples`."""

import fnmatch
import re

from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.images.options import FeatureNames
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import (
    DEFAULT_SHARES,
    Shares,
    SplitName,
    SplitRule,
    canonical,
    is_split_name,
)
from millrace.components.example_gen.shards.tally import finish
from millrace.components.files.walk import is_hidden, walk
from millrace.components.options.ranges import Shards, Share, ShareBelowOne

_STEP = "import_example_gen"
_OWN_NAMES = FeatureNames()
_NO_PATTERNS: dict[str, str] = {}
_TFRECORD = re.compile(r"tfrec(ord)?s?([-_.]|$)", re.IGNORECASE)
_SPLIT_FOLDER = "Split-"


def import_example_gen(
    source: RawFiles,
    out: Path,
    *,
    run_on: BeamOptions,
    patterns: dict[SplitName, str] = _NO_PATTERNS,
    splits: Shares = DEFAULT_SHARES,
    eval_from_train: ShareBelowOne = 0.0,
    features: FeatureNames = _OWN_NAMES,
    classes: tuple[str, ...] = (),
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Take over TFRecord files of image Examples, proven and under the usual feature names.

    Records keep their order and their other features. A file whose name ends in `.gz` is
    gzipped.

    Args:
        source: TFRecord files, maybe in folders `Split-<name>` or `train`, `val` and so on.
        out: becomes the records.
        run_on: where Beam runs.
        patterns: file patterns below the source by split, such as `train: train-*`; without
            any, all files named like TFRecords, in the splits of their top folders.
        splits: share of each split, chosen by each image's content; used for files that are
            in no split.
        eval_from_train: share of a given train split to hold out as `eval`, where the data
            has no eval split of its own.
        features: what the records call theirs.
        classes: class names by label, where the records hold no names.
        max_rejected: share of unusable records above which the step fails.
        shards: files per split; 0 makes one per 64 MiB, and no more than there are files.

    Raises:
        DataError: there are no such files, one is broken, or too many records are unusable.
        OptionError: the shares are not valid.
    """
    from millrace.components.example_gen.images.tfrecords import RecordFiles, class_names
    from millrace.components.example_gen.shards.tfrecords import write_files

    rule = SplitRule.of(_STEP, splits, eval_from_train)
    listing = list_records(source.path, patterns)
    names = classes or class_names(source.path, listing.rows, features)
    files = RecordFiles(source.path, features, names, rule.for_given(listing.given))
    examples = Examples(out)
    tally = write_files(run_on, examples, files, listing, shards=shards)
    tally.rejected.extend(listing.rejected)
    return finish(_STEP, examples, tally, (), max_rejected)


def list_records(root: Path, patterns: dict[str, str]) -> Listing:
    """The TFRecord files below `root` with their splits.

    Raises:
        DataError: there are none, a pattern matches none, or a file is in two splits.
    """
    entries = walk(root)
    paths = [path for path in entries if not is_hidden(path)]
    if patterns:
        listing = Listing([ListedRow(*row) for row in _matched(root, paths, patterns)])
        listing.set_aside(root, entries)
        return listing
    paths = [path for path in paths if _TFRECORD.search(path.rsplit("/", 1)[-1])]
    if not paths:
        raise DataError(
            f"{root}: expected TFRecord files, named like data.tfrecord-00000-of-00001. "
            "Received: none. Check the path, or name them by the option patterns."
        )
    listing = Listing([ListedRow(path, "", split) for path, split in _by_folder(paths)])
    listing.set_aside(root, entries)
    return listing


def _by_folder(paths: list[str]) -> list[tuple[str, str]]:
    tops = {path.split("/")[0] if "/" in path else "" for path in paths}
    if not all(top.startswith(_SPLIT_FOLDER) or is_split_name(top) for top in tops):
        return [(path, "") for path in paths]
    return [(path, canonical(path.split("/")[0].removeprefix(_SPLIT_FOLDER))) for path in paths]


def _matched(root: Path, paths: list[str], patterns: dict[str, str]) -> list[tuple[str, str, str]]:
    found: dict[str, str] = {}
    for split, pattern in patterns.items():
        matches = fnmatch.filter(paths, pattern)
        if not matches or not found.keys().isdisjoint(matches):
            raise DataError(
                f"{root}, option patterns: expected files of their own for {split!r}. Received: "
                f"{len(matches)} that match {pattern!r}, some of them in another split's or "
                f"none. There are {', '.join(paths[:5])}. Correct the pattern."
            )
        found.update(dict.fromkeys(matches, canonical(split)))
    return [(path, "", split) for path, split in sorted(found.items())]
