"""Image data sets of TensorFlow Datasets to `Examples`.

TensorFlow Datasets downloads and prepares a set (that needs TensorFlow, the first time); its
prepared TFRecord files are then read like any others, encoded bytes and all.
"""

import contextlib
import difflib
import logging
import sys
from collections.abc import Sequence
from typing import Any

from etils.epath import Path

from components.artifacts import Examples
from components.beam_options import BeamOptions
from components.errors import DataError, OptionError
from components.example_gen.feature_names import FeatureNames
from components.example_gen.folders import Listing, Row
from components.example_gen.splits import DEFAULT_SHARES, SplitRule, canonical
from components.example_gen.tally import finish

_STEP = "tfds_example_gen"
_NAMED = 20  # addresses that an error names
_log = logging.getLogger(__name__)


def tfds_example_gen(
    out: Path,
    *,
    run_on: BeamOptions,
    dataset: str,
    data_dir: str | None = None,
    manual_dir: str | None = None,
    download: bool = True,
    only: tuple[str, ...] = (),
    image: str = "",
    label: str = "",
    eval_from_train: float = 0.0,
    max_rejected: float = 0.01,
    shards: int = 0,
) -> Examples:
    """Take an image classification set of TensorFlow Datasets, its own splits and labels kept.

    Args:
        out: becomes the records.
        run_on: where Beam runs.
        dataset: its name, with a config and a version if need be: `cmaterdb/bangla:1.0.0`.
        data_dir: where TFDS keeps prepared sets; its own default if not given.
        manual_dir: files downloaded by hand, where the set asks for that or there is no
            network.
        download: whether to prepare the set if `data_dir` does not hold it yet.
        only: the splits to take, by TFDS's names; empty for all.
        image: the feature that is the image; need be named only if there are several.
        label: the feature that is the class, likewise.
        eval_from_train: share of train to hold out as `eval`, where the set has no validation
            split.
        max_rejected: share of unusable records above which the step fails.
        shards: files per split; 0 makes one per 64 MiB, and no more than the set has.

    Raises:
        DataError: the set cannot be had, or has no image with one class.
        OptionError: there is no such set, split or feature.
    """
    from components.example_gen.records import RecordFiles, write_files

    rule = SplitRule.of(_STEP, DEFAULT_SHARES, eval_from_train)
    builder = find(dataset, data_dir)
    image, label = choose_features(builder, image, label)
    prepare(builder, manual_dir, download=download)
    listing = list_splits(builder, only)
    features = builder.info.features
    source = RecordFiles(
        root=Path(builder.data_path),
        features=FeatureNames(image=image, label=label, text="", filename="file_name"),
        classes=tuple(features[label].names or map(str, range(features[label].num_classes))),
        rule=rule,
        kept=frozenset(name for name in features if features[name].shape == ()) - {label},
    )
    examples = Examples(out)
    tally = write_files(run_on, examples, source, listing, shards=shards)
    return finish(_STEP, examples, tally, (), max_rejected)


def find(dataset: str, data_dir: str | None) -> Any:
    """The `tfds.core.DatasetBuilder` of `dataset`.

    Raises:
        OptionError: TFDS knows no such set.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(dataset, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        known = tfds.list_builders(with_community_datasets=False)
        near = difflib.get_close_matches(dataset.split("/")[0], known)
        raise OptionError(
            f"{_STEP}, option dataset: expected a set of TensorFlow Datasets. Received: "
            f"{dataset!r} ({_first_line(error)}). "
            f"{f'Did you mean {near[0]!r}?' if near else 'See tensorflow.org/datasets/catalog.'}"
        ) from error


def choose_features(builder: Any, image: str, label: str) -> tuple[str, str]:
    """The names of the image and the class among the set's features.

    Raises:
        OptionError: `image` or `label` is no such feature, or is empty where there are several.
        DataError: there is no such feature, or its images are not of 8 or 16 bits.
    """
    import numpy as np
    import tensorflow_datasets as tfds

    image = _chosen(builder, "image", image, tfds.features.Image)
    label = _chosen(builder, "label", label, tfds.features.ClassLabel)
    dtype = np.dtype(builder.info.features[image].np_dtype)
    if dtype.kind != "u":
        raise DataError(
            f"{_STEP}, {builder.info.full_name}: expected images of 8 or 16 bits. "
            f"Received: {image!r} of {dtype}. Choose another set."
        )
    return image, label


def _chosen(builder: Any, option: str, wanted: str, kind: type) -> str:
    """`wanted`, or the only feature of `kind`, or the one that TFDS itself supervises with."""
    names = [name for name, feature in builder.info.features.items() if isinstance(feature, kind)]
    if not names:
        raise DataError(
            f"{_STEP}, {builder.info.full_name}: expected an image classification set, with an "
            f"Image and a ClassLabel. Received: no {kind.__name__} among "
            f"{', '.join(builder.info.features)}. Only such sets are supported for now."
        )
    supervised = [name for name in builder.info.supervised_keys or () if name in names]
    candidates = [wanted] if wanted else supervised if len(names) > 1 else names
    if len(candidates) == 1 and candidates[0] in names:
        return candidates[0]
    raise OptionError(
        f"{_STEP}, option {option}: expected one of {', '.join(names)}, the features of "
        f"{builder.info.full_name} of kind {kind.__name__}. Received: {wanted!r}. Name one."
    )


def prepare(builder: Any, manual_dir: str | None, *, download: bool) -> None:
    """Have the set's TFRecord files on disk.

    Raises:
        DataError: it is not prepared and `download` is off, or preparing it fails.
    """
    import tensorflow_datasets as tfds

    if builder.is_prepared():
        return
    if not download:
        raise DataError(_unprepared(builder, "the option download is off", manual_dir))
    _log.info("%s: preparing %s in %s", _STEP, builder.info.full_name, builder.data_path)
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it prints; standard output is the caller's
            builder.download_and_prepare(download_config=config)
    except Exception as error:  # of network, disk, TFDS or the set's own code
        raise DataError(_unprepared(builder, _first_line(error), manual_dir)) from error


def _unprepared(builder: Any, received: str, manual_dir: str | None) -> str:
    urls = [f"\n  {url}" for url in builder.url_infos or {}]
    return (
        f"{_STEP}, {builder.info.full_name}: expected it prepared in {builder.data_path}, or files "
        f"to prepare it from. Received: {received}. Run once with a network, give the option "
        "data_dir of a machine that has it, or put the set's files into a folder, under "
        f"the last part of their addresses, and give that as manual_dir (now {manual_dir}):"
        + "".join(urls[:_NAMED])
    )


def _first_line(error: Exception) -> str:
    return "".join([type(error).__name__, ": ", *str(error).strip().splitlines()[:1]])


def list_splits(builder: Any, only: Sequence[str]) -> Listing:
    """The prepared files of `builder` by canonical split.

    Raises:
        OptionError: `only` names a split that the set does not have.
        DataError: the files are no TFRecords.
    """
    import tensorflow_datasets as tfds

    info = builder.info
    missing = sorted(set(only) - set(info.splits))
    if missing:
        raise OptionError(
            f"{_STEP}, option only: expected splits of {info.full_name}: "
            f"{', '.join(info.splits)}. Received: {', '.join(missing)}. Correct the name."
        )
    if info.file_format != tfds.core.FileFormat.TFRECORD:
        raise DataError(
            f"{builder.data_path}: expected TFRecord files. Received: {info.file_format.value}. "
            "Prepare the set in another data_dir, where this step makes TFRecords."
        )
    return Listing(
        [
            Row(Path(file).name, "", canonical(split))
            for split in only or info.splits
            for file in info.splits[split].filepaths
        ]
    )
