"""Settle what preprocessing needs, from the train split: `analysis.json`.

This module holds the options' kinds; the passes over the data are in `analysis`, a module per
kind, imported when it runs.
"""

from typing import assert_never

from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageOptions
from millrace.components.features.language_spec import LanguageOptions
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.features.spec import FeatureOptions, Spec
from millrace.components.features.table_spec import TableOptions
from millrace.components.features.text_spec import TextOptions

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
            from millrace.components.analysis import image

            return image.settle(examples, features, out, run_on)
        case TextOptions():
            from millrace.components.analysis import text

            return text.settle(examples, features, out, run_on)
        case LanguageOptions():
            from millrace.components.analysis import language

            return language.settle(examples, features, out, run_on)
        case SeriesOptions():
            from millrace.components.analysis import series

            return series.settle(examples, features, out, run_on)
        case TableOptions():
            from millrace.components.analysis import table

            return table.settle(examples, features, out, run_on)
        case _:
            assert_never(features)
