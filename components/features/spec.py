"""What `analyze` decides and every later step reads: the content of `analysis.json`.

One frozen dataclass per kind of data, told apart by `kind`. No TensorFlow.
"""

from typing import Annotated

from etils.epath import Path
from pydantic import Field, TypeAdapter, ValidationError

from millrace.components.errors import DataError
from millrace.components.features.image_spec import ImageOptions, ImageSpec
from millrace.components.features.language_spec import LanguageOptions, LanguageSpec
from millrace.components.features.series_spec import SeriesOptions, SeriesSpec
from millrace.components.features.table_spec import TableOptions, TableSpec
from millrace.components.features.text_spec import TextOptions, TextSpec
from millrace.components.files import json_files

FeatureOptions = Annotated[
    ImageOptions | TextOptions | LanguageOptions | SeriesOptions | TableOptions,
    Field(discriminator="kind"),
]
Spec = ImageSpec | TextSpec | LanguageSpec | SeriesSpec | TableSpec

_JSON: TypeAdapter[Spec] = TypeAdapter(Annotated[Spec, Field(discriminator="kind")])


def write(spec: Spec, file: Path) -> None:
    """Write `spec` to `file` as JSON."""
    Path(file).write_bytes(_JSON.dump_json(spec, indent=1))


def read(file: Path) -> Spec:
    """The spec in `file`.

    Raises:
        DataError: it has another form, or fewer than two classes.
    """
    try:
        return _JSON.validate_json(Path(file).read_bytes())
    except OSError as error:
        raise json_files.refusal(file, "what `analyze` writes", error.strerror) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{file}: expected what `analyze` writes. Received: {where}: {first['msg']}. "
            "Run `analyze` again with this version."
        ) from error
