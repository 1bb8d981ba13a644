"""Settle what preprocessing needs, from the train split: `analysis.json`.

This module holds the options' kinds; the passes over the data are in `analysis`, a module per
kind, imported when it runs.
"""

from typing import assert_never

from etils.epath import Path

from components.artifacts import Analysis, Examples
from components.beam_options import BeamOptions
from components.errors import DataError
from components.features import spec as specs
from components.features.image_spec import ImageOptions
from components.features.language_spec import LanguageOptions
from components.features.series_spec import SeriesOptions
from components.features.spec import FeatureOptions, Spec
from components.features.table_spec import TableOptions
from components.features.text_spec import TextOptions

PICTURES = ImageOptions()


def analyze(
    examples: Examples, out: Path, *, run_on: BeamOptions, features: FeatureOptions = PICTURES
) -> Analysis:
    """Settle class names, sizes, vocabularies and scales from the train split.

    Args:
        examples: raw records.
        out: gets `analysis.json`, and what it follows from.
        run_on: Beam's flags.
        features: the kind of data, and how it is to be preprocessed; what is none is chosen
            from the train split.

    Raises:
        DataError: the train split is empty, or has too little to learn from.
    """
    if not examples.counts.get("train"):
        raise DataError(
            f"{examples.path}: expected records in the train split. "
            f"Received: {dict(examples.counts)}. Name a folder `train`, or split by ratios."
        )
    specs.write(_settle(examples, features, out, run_on), Analysis(out).file)
    return Analysis(out)


def _settle(examples: Examples, features: FeatureOptions, out: Path, run_on: BeamOptions) -> Spec:
    match features:
        case ImageOptions():
            from components.analysis import image

            return image.settle(examples, features, out, run_on)
        case TextOptions():
            from components.analysis import text

            return text.settle(examples, features, out, run_on)
        case LanguageOptions():
            from components.analysis import language

            return language.settle(examples, features, out, run_on)
        case SeriesOptions():
            from components.analysis import series

            return series.settle(examples, features, out, run_on)
        case TableOptions():
            from components.analysis import table

            return table.settle(examples, features, out, run_on)
        case _:
            assert_never(features)
