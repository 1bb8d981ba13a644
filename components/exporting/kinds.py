"""The signatures and the reference of a model of any kind of data."""

from collections.abc import Sequence
from typing import assert_never

import keras

from millrace.components.exporting.comparison import Reference
from millrace.components.exporting.saved_model import Endpoint
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.models.certainty import NOTHING, Calibration
from millrace.serving.example import Decoded


def endpoints(
    model: keras.Model, spec: Spec, calibration: Calibration = NOTHING
) -> dict[str, Endpoint]:
    """Each signature's function and its inputs, by name; `calibration` was measured of `model`."""
    match spec:
        case ImageSpec():
            from millrace.components.exporting import image

            return image.endpoints(model, spec, calibration)
        case TextSpec():
            from millrace.components.exporting import text

            return text.endpoints(model, spec, calibration)
        case LanguageSpec():
            from millrace.components.exporting import language

            return language.endpoints(model, spec)
        case SeriesSpec():
            from millrace.components.exporting import series

            return series.endpoints(model, spec, calibration)
        case TableSpec():
            from millrace.components.exporting import table

            return table.endpoints(model, spec, calibration)
        case _:
            assert_never(spec)


def reference(
    model: keras.Model, spec: Spec, rows: Sequence[Decoded], calibration: Calibration = NOTHING
) -> Reference:
    """What the signatures should answer to raw `rows`, on the path of training."""
    match spec:
        case ImageSpec():
            from millrace.components.exporting import image

            return image.reference(model, spec, rows, calibration)
        case TextSpec():
            from millrace.components.exporting import text

            return text.reference(model, spec, rows, calibration)
        case LanguageSpec():
            from millrace.components.exporting import language

            return language.reference(model, spec, rows)
        case SeriesSpec():
            from millrace.components.exporting import series

            return series.reference(model, spec, rows, calibration)
        case TableSpec():
            from millrace.components.exporting import table

            return table.reference(model, spec, rows, calibration)
        case _:
            assert_never(spec)
