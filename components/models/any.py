"""`trainer.model`: the options of every network there is, and which kind of data each is for."""

from typing import Annotated

from pydantic import Field

from millrace.components.errors import OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.spec import Spec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.models import language_options, series_options, table_options, text_options
from millrace.components.models.custom_options import Custom
from millrace.components.models.language_options import LanguageModel
from millrace.components.models.options import Cnn, Dense
from millrace.components.models.series_options import SeriesModel
from millrace.components.models.table_options import TableModel
from millrace.components.models.text_options import TextModel
from millrace.components.models.transfer_options import Transfer

Network = Dense | Cnn | Transfer | TextModel | LanguageModel | SeriesModel | TableModel | Custom
AnyModel = Annotated[Network, Field(discriminator="kind")]

_FITTING: dict[type[Spec], tuple[type, ...]] = {
    ImageSpec: (Dense, Cnn, Transfer),
    TextSpec: text_options.MODELS,
    LanguageSpec: language_options.MODELS,
    SeriesSpec: series_options.MODELS,
    TableSpec: table_options.MODELS,
}


def check_fits(model: Network, spec: Spec) -> None:
    """Refuse a network that is made for another kind of data.

    Raises:
        OptionError: names the networks that fit.
    """
    fitting = (*_FITTING[type(spec)], Custom)
    if not isinstance(model, fitting):
        names = ", ".join(each().kind for each in fitting)
        raise OptionError(
            f"trainer.model: expected a network for data of the kind {spec.kind}: {names}. "
            f"Received: {model.kind}. Set trainer.model to one of these."
        )
