"""Settle what pictures are brought to: class names, size, channels, mean and variance.

One pass counts what is there (no TensorFlow); a second, only for `scale=standardise`,
decodes the train split and sums its pixels up. The arithmetic is in `features.image_survey` and
`features.moments`; the choices that follow from the counts are the plain functions below.
"""

import dataclasses
import functools
import itertools
import logging

import numpy as np
from etils.epath import Path

from millrace.components.analysis.splits import (
    SplitFile,
    split_files,
    survey_splits,
    warn_of_unknown_classes,
)
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.features import hook_spec, image_survey, moments, record
from millrace.components.features.image_spec import ImageOptions, ImageSpec
from millrace.components.features.image_survey import ImageSurvey
from millrace.components.features.moments import Moments
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records

logger = logging.getLogger("millrace.components.analyze")

_SUMMED_AT_ONCE = 64  # pictures


def settle(examples: Examples, options: ImageOptions, out: Path, run_on: BeamOptions) -> ImageSpec:
    """The spec of the train split's pictures; counts go to `survey-<split>.json` in `out`.

    Raises:
        DataError: there are fewer than two classes.
    """
    files = split_files(examples)
    surveys = survey_splits(files, _survey_shard, image_survey.merge, out, "survey", run_on)
    warn_of_unknown_classes(surveys)
    found = choose(surveys["train"], options)
    if options.scale != "standardise":
        return found
    pixels = _moments(examples, found, out, run_on)
    return dataclasses.replace(
        found, mean=tuple(pixels.mean.tolist()), variance=tuple(pixels.variance.tolist())
    )


def choose(train: ImageSurvey, options: ImageOptions) -> ImageSpec:
    """The spec that follows from the counts of the train split where `options` leave it open."""
    height, width = _size(train, options)
    channels = options.channels or image_survey.fitting_channels(train)
    classes = record.class_order(train.classes)
    logger.info(
        "%d classes, pictures of %d x %d pixels with %d %s",
        *(len(classes), height, width, channels, "channel" if channels == 1 else "channels"),
    )
    hook = hook_spec.settle(options.preprocess)
    return ImageSpec(classes, height, width, channels, options.resize, options.scale, hook=hook)


def _size(train: ImageSurvey, options: ImageOptions) -> image_survey.Size:
    if options.height or options.width:
        return options.height or options.width or 0, options.width or options.height or 0
    common = image_survey.common_size(train)
    if common:
        return common
    height, width = image_survey.fitting_size(train)
    logger.info(
        "pictures come in %d sizes: taking %d x %d; set analyze.features.height for another",
        *(len(train.sizes), height, width),
    )
    return height, width


def _survey_shard(shard: SplitFile) -> ImageSurvey:
    return image_survey.of(columns.batches(read_records(Path(shard.file)), shard.file))


def _moments(examples: Examples, image: ImageSpec, out: Path, run_on: BeamOptions) -> Moments:
    """Mean and variance per channel of the train split's pixels as the model will see them."""
    files = list(map(str, examples.files("train")))
    work = functools.partial(_moments_of_shard, image=image)
    found = moments.merge(shard_pass("Moments", files, work, out, run_on))
    (out / "moments.json").write_text(found.to_json())
    return found


def _moments_of_shard(file: str, image: ImageSpec) -> Moments:
    from millrace.components.features import image_rows  # TensorFlow

    batches = columns.batches(read_records(Path(file)), file)
    decoded = image_rows.pixels(
        itertools.chain.from_iterable(map(image_rows.files, batches)), image
    )
    pixels = (found for found in decoded if isinstance(found, np.ndarray))
    summed = iter(lambda: list(itertools.islice(pixels, _SUMMED_AT_ONCE)), [])
    return moments.merge(moments.of(np.stack(part)) for part in summed)
