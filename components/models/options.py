"""`trainer.model`: the options of every network, and which kind of data each is for."""

import dataclasses
from typing import Annotated

from pydantic import Field

from millrace.components.errors import OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.models import (
    image_options,
    language_options,
    series_options,
    table_options,
    text_options,
)
from millrace.components.models.auto_options import Auto
from millrace.components.models.custom_options import Custom
from millrace.components.models.image_options import Augment, ImageModel
from millrace.components.models.language_options import LanguageModel
from millrace.components.models.series_options import SeriesModel
from millrace.components.models.table_options import TableModel
from millrace.components.models.text_options import TextModel

Network = ImageModel | TextModel | LanguageModel | SeriesModel | TableModel | Custom
AnyModel = Annotated[Network | Auto, Field(discriminator="kind")]

_FITTING: dict[type[Spec], tuple[type, ...]] = {
    ImageSpec: image_options.MODELS,
    TextSpec: text_options.MODELS,
    LanguageSpec: language_options.MODELS,
    SeriesSpec: series_options.MODELS,
    TableSpec: table_options.MODELS,
}


def check_fits(model: Network | Auto, spec: Spec) -> None:
    """Refuse a network for another kind of data; `auto` chooses one for any.

    Raises:
        OptionError: names the networks that fit.
    """
    fitting = (*_FITTING[type(spec)], Custom)
    if not isinstance(model, (*fitting, Auto)):
        names = ", ".join(each().kind for each in (*fitting, Auto))
        raise OptionError(
            f"trainer.model: expected a network for {spec.kind} data: {names}. "
            f"Received: {model.kind}. Set trainer.model to one of these."
        )


def check_augment(augment: Augment, spec: Spec) -> None:
    """Refuse random changes to pictures where there are none.

    Raises:
        OptionError: names one of them.
    """
    if isinstance(spec, ImageSpec):
        return
    for field in dataclasses.fields(augment):
        value = getattr(augment, field.name)
        if value != field.default:
            raise OptionError(
                f"trainer.augment.{field.name}: expected {field.default} for {spec.kind} data. "
                f"Received: {value}. Only pictures are changed in training; leave it out."
            )
