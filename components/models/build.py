"""The network for a spec of any kind of data: built, or loaded."""

from typing import Any, assert_never

import keras
from etils.epath import Path

from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.models import keras_file
from millrace.components.models.custom_options import Custom
from millrace.components.models.image_options import Augment
from millrace.components.models.networks import Networks


def build(options: Any, augment: Augment, spec: Spec, *, units: int, activation: str) -> Networks:
    """The network that `options` describe.

    Args:
        options: of a network that fits `spec`, see `models.options.check_fits`.
        augment: random changes to training pictures; ignored for other data.
        spec: of the data.
        units: of its last layer.
        activation: of its last layer.

    Raises:
        OptionError: the data are too small for the options.
        ModelError: a user's function returns a network that does not fit.
    """
    if isinstance(options, Custom):
        from millrace.components.models import custom

        return custom.build(options, spec, units=units, activation=activation)
    match spec:
        case ImageSpec():
            from millrace.components.models import image

            return image.build(options, augment, spec, units=units, activation=activation)
        case TextSpec():
            from millrace.components.models import text

            return text.build(options, spec, units=units, activation=activation)
        case LanguageSpec():
            from millrace.components.models import language

            return language.build(options, spec, units=units, activation=activation)
        case SeriesSpec():
            from millrace.components.models import series

            return series.build(options, spec, units=units, activation=activation)
        case TableSpec():
            from millrace.components.models import table

            return table.build(options, spec, units=units, activation=activation)
        case _:
            assert_never(spec)


def load(file: Path, spec: Spec) -> keras.Model:
    """The network in a `.keras` file of this project, uncompiled.

    Keras finds each of our layers by the name that its module registers when imported.
    """
    from millrace.components.models import average  # noqa: F401

    match spec:
        case ImageSpec():
            from millrace.components.models import image  # noqa: F401
        case TextSpec():
            from millrace.components.models import text  # noqa: F401
        case LanguageSpec():
            from millrace.components.models import language  # noqa: F401
        case SeriesSpec():
            from millrace.components.models import series  # noqa: F401
        case TableSpec():
            from millrace.components.models import table  # noqa: F401
        case _:
            assert_never(spec)
    return keras_file.load(file)
