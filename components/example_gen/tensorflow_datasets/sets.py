"""Data sets of TensorFlow Datasets: found, prepared, and their files by split.

TensorFlow Datasets downloads and prepares a set (that needs TensorFlow, the first time); its
prepared TFRecord files are then read like any others. `step` is the calling step, for messages.
"""

import contextlib
import difflib
import logging
import sys
from collections.abc import Sequence
from typing import Any

from etils.epath import Path

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import canonical

_NAMED = 20  # addresses that an error names
_log = logging.getLogger(__name__)


def find(step: str, dataset: str, data_dir: str | None) -> Any:
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
            f"{step}, option dataset: expected a set of TensorFlow Datasets. Received: "
            f"{dataset!r} ({_first_line(error)}). "
            f"{f'Did you mean {near[0]!r}?' if near else 'See tensorflow.org/datasets/catalog.'}"
        ) from error


def prepare(step: str, builder: Any, manual_dir: str | None, *, download: bool) -> None:
    """Prepare the set's TFRecord files on disk.

    Raises:
        DataError: it is not prepared and `download` is off, or preparing it fails.
    """
    import tensorflow_datasets as tfds

    if builder.is_prepared():
        return
    if not download:
        raise DataError(_unprepared(step, builder, "the option download is off", manual_dir))
    _log.info("%s: preparing %s in %s", step, builder.info.full_name, builder.data_path)
    tfds.disable_progress_bar()
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it prints; standard output is the caller's
            builder.download_and_prepare(download_config=config)
    except Exception as error:  # of network, disk, TFDS or the set's own code
        raise DataError(_unprepared(step, builder, _first_line(error), manual_dir)) from error


def _unprepared(step: str, builder: Any, received: str, manual_dir: str | None) -> str:
    urls = [f"\n  {url}" for url in builder.url_infos or {}]
    return (
        f"{step}, {builder.info.full_name}: expected it prepared in {builder.data_path}, or files "
        f"to prepare it from. Received: {received}. Run once with a network, give the option "
        "data_dir of a machine that has it, or put the set's files into a folder, under "
        f"the last part of their addresses, and give that as manual_dir (now {manual_dir}):"
        + "".join(urls[:_NAMED])
    )


def _first_line(error: Exception) -> str:
    return "".join([type(error).__name__, ": ", *str(error).strip().splitlines()[:1]])


def list_splits(step: str, builder: Any, only: Sequence[str]) -> Listing:
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
            f"{step}, option only: expected splits of {info.full_name}: "
            f"{', '.join(info.splits)}. Received: {', '.join(missing)}. Correct the name."
        )
    if info.file_format != tfds.core.FileFormat.TFRECORD:
        raise DataError(
            f"{builder.data_path}: expected TFRecord files. Received: {info.file_format.value}. "
            "Prepare the set in another data_dir, where this step makes TFRecords."
        )
    return Listing(
        [
            ListedRow(Path(file).name, "", canonical(split))
            for split in only or info.splits
            for file in info.splits[split].filepaths
        ]
    )
