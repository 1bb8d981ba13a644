"""Settle what preprocessing needs: class names, the size and channels of images, mean, variance.

One Beam pass counts what is there (no TensorFlow); a second, only for `scale=standardise`,
decodes the train split and sums its pixels up. The arithmetic is in `features.survey` and
`features.moments`; the choices that follow from the counts are the plain functions below.
"""

import dataclasses
import functools
import itertools
import logging
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from etils.epath import Path
from pydantic import Field

from components.artifacts import Analysis, Examples
from components.beam_options import BeamOptions
from components.errors import DataError
from components.features import moments, spec, survey
from components.features.moments import Moments
from components.features.spec import ImageSpec
from components.features.survey import Survey
from components.tfrecord import read_records
from serving.example import decode

logger = logging.getLogger(__name__)

_SUMMED_AT_ONCE = 64  # pictures

Side = Annotated[int, Field(ge=1, le=4096)]


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """How pictures are brought to one shape.

    Attributes:
        height, width: pixels. One alone makes a square. None: the size that 95 % of the train
            split has, else a square of at most 128 that most pictures fill.
        channels: 1 grey, 3 colour. None: 1 if every picture of the train split is grey.
        resize: `stretch` ignores the aspect, `pad` fits the picture on black, `crop` fills the
            size and cuts the rest off.
        scale: what the model does to 0..255: `unit` 0..1, `symmetric` -1..1, `standardise`
            mean 0 and variance 1 per channel, `none`.
    """

    height: Side | None = None
    width: Side | None = None
    channels: Literal[1, 3] | None = None
    resize: spec.Resize = "stretch"
    scale: spec.Scale = "unit"


AS_FOUND = ImageOptions()


def analyze(
    examples: Examples, out: Path, *, run_on: BeamOptions, image: ImageOptions = AS_FOUND
) -> Analysis:
    """Settle class names, image size, channels and scale from the train split.

    Args:
        examples: raw image records.
        out: gets `analysis.json` and the counts that it follows from, `survey-<split>.json`.
        run_on: Beam's flags.
        image: how pictures are brought to one shape.

    Raises:
        DataError: the train split is empty or has fewer than two classes.
    """
    surveys = _survey(examples, out, run_on)
    train = surveys.get("train", Survey())
    if not train.records:
        raise DataError(
            f"{examples.path}: expected records in the train split. "
            f"Received: {dict(examples.counts)}. Name a folder `train`, or split by ratios."
        )
    _warn_of_unknown_classes(surveys)
    found = settle(train, image)
    if image.scale == "standardise":
        pixels = _moments(examples, found, out, run_on)
        found = dataclasses.replace(
            found, mean=tuple(pixels.mean.tolist()), variance=tuple(pixels.variance.tolist())
        )
    spec.write(found, Analysis(out).file)
    return Analysis(out)


def settle(train: Survey, options: ImageOptions) -> ImageSpec:
    """The spec that follows from the counts of the train split where `options` leave it open."""
    height, width = _size(train, options)
    channels = options.channels or survey.fitting_channels(train)
    classes = survey.class_order(train)
    logger.info(
        "%d classes, pictures of %d x %d pixels with %d %s",
        *(len(classes), height, width, channels, "channel" if channels == 1 else "channels"),
    )
    return ImageSpec(classes, height, width, channels, options.resize, options.scale)


def _size(train: Survey, options: ImageOptions) -> survey.Size:
    if options.height or options.width:
        return options.height or options.width or 0, options.width or options.height or 0
    common = survey.common_size(train)
    if common:
        return common
    height, width = survey.fitting_size(train)
    logger.info(
        "pictures come in %d sizes: taking %d x %d; set analyze.image.height for another",
        *(len(train.sizes), height, width),
    )
    return height, width


def _warn_of_unknown_classes(surveys: Mapping[str, Survey]) -> None:
    known = surveys["train"].names
    for split, found in surveys.items():
        unknown = sorted(found.names - known)
        if unknown:
            logger.warning(
                "split %s has %d classes that train lacks; their records will be set aside: %s",
                *(split, len(unknown), ", ".join(unknown[:10])),
            )


def _survey(examples: Examples, out: Path, run_on: BeamOptions) -> dict[str, Survey]:
    """The survey of each split, in one pass without TensorFlow."""
    import apache_beam as beam

    files = [(split, str(file)) for split in examples.splits for file in examples.files(split)]
    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(files, reshuffle=False)
            | "Survey" >> beam.MapTuple(_survey_shard)
            | "MergePerSplit" >> beam.CombinePerKey(survey.merge)
            | "Write" >> beam.MapTuple(functools.partial(_write_survey, folder=str(out)))
        )
    found = ((split, _survey_file(out, split)) for split in examples.splits)
    return {split: Survey.from_json(file.read_text()) for split, file in found if file.exists()}


def _survey_shard(split: str, file: str) -> tuple[str, Survey]:
    return split, survey.of(decode(record) for record in read_records(Path(file)))


def _write_survey(split: str, found: Survey, folder: str) -> None:
    _survey_file(Path(folder), split).write_text(found.to_json())


def _survey_file(folder: Path, split: str) -> Path:
    return folder / f"survey-{split}.json"


def _moments(examples: Examples, image: ImageSpec, out: Path, run_on: BeamOptions) -> Moments:
    """Mean and variance per channel of the train split's pixels as the model will see them."""
    import apache_beam as beam

    file = out / "moments.json"
    with run_on.pipeline() as pipeline:
        _ = (
            pipeline
            | "TrainShards" >> beam.Create(map(str, examples.files("train")), reshuffle=False)
            | "Moments" >> beam.Map(_moments_of_shard, image)
            | "MergeMoments" >> beam.CombineGlobally(moments.merge)
            | "WriteMoments" >> beam.Map(lambda found: file.write_text(found.to_json()))
        )
    return Moments.from_json(file.read_text())


def _moments_of_shard(file: str, image: ImageSpec) -> Moments:
    from components.features.decoding import decode_rows  # TensorFlow

    rows = ((decode(record),) for record in read_records(Path(file)))
    pixels = (found for _, found in decode_rows(rows, image) if isinstance(found, np.ndarray))
    batches = iter(lambda: list(itertools.islice(pixels, _SUMMED_AT_ONCE)), [])
    return moments.merge(moments.of(np.stack(batch)) for batch in batches)
