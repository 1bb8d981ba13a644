"""Image and text data sets of TensorFlow Datasets to `Examples`.

TensorFlow Datasets downloads and prepares a set (that needs TensorFlow, the first time); its
prepared TFRecord files are then read like any others, encoded bytes and all.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from etils.epath import Path

from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.images.options import FeatureNames
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, SplitRule
from millrace.components.example_gen.shards.tally import finish
from millrace.components.example_gen.tensorflow_datasets import sets
from millrace.components.files.paths import LocalPath
from millrace.components.options.ranges import Shards, Share, ShareBelowOne
from millrace.serving.errors import few

if TYPE_CHECKING:
    from millrace.components.example_gen.images.tfrecords import RecordFiles
    from millrace.components.example_gen.tensorflow_datasets.texts import TextRecords

_STEP = "tfds_example_gen"


def tfds_example_gen(
    out: Path,
    *,
    run_on: BeamOptions,
    dataset: str,
    data_dir: LocalPath | None = None,
    manual_dir: LocalPath | None = None,
    download: bool = True,
    only: tuple[str, ...] = (),
    image: str = "",
    text: str = "",
    label: str = "",
    eval_from_train: ShareBelowOne = 0.0,
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Take a classification set of TensorFlow Datasets, its own splits and labels kept.

    A set with an image and a class gives image records, one with a text and a class text records.
    Records without a class, as in splits for unsupervised training, are set aside.

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
        text: the feature that is the text, likewise.
        label: the feature that is the class, likewise.
        eval_from_train: share of train to hold out as `eval`, where the set has no validation
            split.
        max_rejected: share of unusable records above which the step fails.
        shards: files per split; 0 makes one per 64 MiB, and no more than the set has.

    Raises:
        DataError: the set is not available, or has no image and no text with one class.
        OptionError: there is no such set, split or feature.
    """
    from millrace.components.example_gen.shards.tfrecords import write_files

    rule = SplitRule.of(_STEP, DEFAULT_SHARES, eval_from_train)
    builder = sets.find(_STEP, dataset, data_dir)
    chosen = choose_features(builder, image, text, label)
    sets.prepare(_STEP, builder, manual_dir, download=download)
    listing = sets.list_splits(_STEP, builder, only)
    examples = Examples(out)
    source = _source(builder, chosen, rule.for_given(listing.given))
    tally = write_files(run_on, examples, source, listing, shards=shards)
    what = "texts" if chosen.is_text else "images"
    return finish(_STEP, examples, tally, (), max_rejected, what=what)


class Chosen(NamedTuple):
    """The names of the features that are learnt from and learnt; `value` is an image or a text."""

    value: str
    label: str
    is_text: bool


def _source(builder: Any, chosen: Chosen, rule: SplitRule) -> "RecordFiles | TextRecords":
    """The set's prepared files, with the names of its classes."""
    from millrace.components.example_gen.images.tfrecords import RecordFiles
    from millrace.components.example_gen.tensorflow_datasets.texts import TextRecords

    features, root = builder.info.features, Path(builder.data_path)
    label = features[chosen.label]
    classes = tuple(label.names or map(str, range(label.num_classes)))
    if chosen.is_text:
        return TextRecords(root, chosen.value, chosen.label, classes, rule)
    names = FeatureNames(image=chosen.value, label=chosen.label, text="", filename="file_name")
    kept = frozenset(name for name in features if features[name].shape == ()) - {chosen.label}
    return RecordFiles(root, names, classes, rule, kept)


def choose_features(builder: Any, image: str, text: str, label: str) -> Chosen:
    """The image, or without any the text, and the class among the set's features.

    Raises:
        OptionError: an option names no such feature, or is empty where there are several.
        DataError: there is no such feature, or its images are not of 8 or 16 bits.
    """
    import numpy as np
    import tensorflow_datasets as tfds

    kinds = tfds.features
    has_image = bool(image) or bool(_of_kind(builder, kinds.Image))
    if text or (not has_image and _of_kind(builder, kinds.Text)):
        text = _chosen(builder, "text", text, kinds.Text)
        return Chosen(text, _chosen(builder, "label", label, kinds.ClassLabel), is_text=True)
    image = _chosen(builder, "image", image, kinds.Image)
    label = _chosen(builder, "label", label, kinds.ClassLabel)
    dtype = np.dtype(builder.info.features[image].np_dtype)
    if dtype.kind != "u":
        raise DataError(
            f"{_STEP}, {builder.info.full_name}: expected images of 8 or 16 bits. "
            f"Received: {image!r} of {dtype}. Choose another set."
        )
    return Chosen(image, label, is_text=False)


def _of_kind(builder: Any, kind: type) -> list[str]:
    return [name for name, each in builder.info.features.items() if isinstance(each, kind)]


def _chosen(builder: Any, option: str, wanted: str, kind: type) -> str:
    """`wanted`, or the only feature of `kind`, or the one that TFDS itself supervises with."""
    names = _of_kind(builder, kind)
    if not names:
        raise DataError(
            f"{_STEP}, {builder.info.full_name}: expected a classification set, with an Image or "
            f"a Text, and a ClassLabel. Received: no {kind.__name__} among "
            f"{few(builder.info.features)}. Choose another set."
        )
    supervised = [name for name in builder.info.supervised_keys or () if name in names]
    candidates = [wanted] if wanted else supervised if len(names) > 1 else names
    if len(candidates) == 1 and candidates[0] in names:
        return candidates[0]
    raise OptionError(
        f"{_STEP}, option {option}: expected one of {few(names)}, the features of "
        f"{builder.info.full_name} of kind {kind.__name__}. Received: {wanted!r}. Name one."
    )
