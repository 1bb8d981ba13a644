"""Running text of TensorFlow Datasets as text files, a folder per split."""

import logging
from typing import TYPE_CHECKING, Any

from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.errors import DataError, OptionError
from millrace.components.files.paths import LocalPath
from millrace.serving.errors import few

if TYPE_CHECKING:
    from millrace.components.example_gen.shards.folders import Listing

_STEP = "tfds_texts"
_log = logging.getLogger(__name__)


def tfds_texts(
    out: Path,
    *,
    dataset: str,
    data_dir: LocalPath | None = None,
    manual_dir: LocalPath | None = None,
    download: bool = True,
    only: tuple[str, ...] = (),
    text: str = "",
) -> RawFiles:
    """Write the texts of a set of TensorFlow Datasets into `<split>/<set>.txt`, as UTF-8.

    A text that does not end in a line break gets one; the next follows on the next line.

    Args:
        out: becomes the folder.
        dataset: its name, with a config and a version if need be: `tiny_shakespeare:1.0.0`.
        data_dir: where TFDS keeps prepared sets; its own default if not given.
        manual_dir: files downloaded by hand, where the set asks for that or there is no
            network.
        download: whether to prepare the set if `data_dir` does not hold it yet.
        only: the splits to take, by TFDS's names; empty for all.
        text: the feature that is the text; need be named only if there are several.

    Raises:
        DataError: the set is not available, or has no text.
        OptionError: there is no such set, split or feature.
    """
    from millrace.components.example_gen.tensorflow_datasets import sets

    builder = sets.find(_STEP, dataset, data_dir)
    feature = choose_text(builder, text)
    sets.prepare(_STEP, builder, manual_dir, download=download)
    listing = sets.list_splits(_STEP, builder, only)
    _write(builder, feature, listing, out)
    return RawFiles(out)


def choose_text(builder: Any, wanted: str) -> str:
    """The feature that is the text: `wanted`, or the only one there is.

    Raises:
        OptionError: `wanted` is no such feature, or is empty where there are several.
        DataError: there is no such feature.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    names = [name for name in features if isinstance(features[name], tfds.features.Text)]
    if not names:
        raise DataError(
            f"{_STEP}, {builder.info.full_name}: expected a set with a feature of text. "
            f"Received: {few(features)}. Choose another set."
        )
    if wanted in names or (not wanted and len(names) == 1):
        return wanted or names[0]
    raise OptionError(
        f"{_STEP}, option text: expected one of {few(names)}, the texts of "
        f"{builder.info.full_name}. Received: {wanted!r}. Name one."
    )


def _write(builder: Any, feature: str, listing: "Listing", out: Path) -> None:
    from millrace.components.files.tfrecord import read_records
    from millrace.serving.example import decode

    for split in sorted(listing.given):
        (out / split).mkdir()
        file = out / split / f"{builder.name}.txt"
        count = 0
        with file.open("wb") as sink:
            for row in listing.rows:
                records = read_records(Path(builder.data_path) / row.path)
                for record in records if row.split == split else ():
                    (text,) = decode(record)[feature]
                    sink.write(text if text.endswith(b"\n") else text + b"\n")
                    count += 1
        _log.info("%s: %d texts of split %s, %d bytes", _STEP, count, split, file.stat().length)
