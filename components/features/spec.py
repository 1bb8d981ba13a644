"""What `analyze` settles and every later step reads: the content of `analysis.json`.

One frozen dataclass per kind of data, told apart by `kind`. No TensorFlow.
"""

import dataclasses
from typing import Literal

from etils.epath import Path
from pydantic import TypeAdapter, ValidationError

from components.errors import DataError

Resize = Literal["stretch", "pad", "crop"]
Scale = Literal["unit", "symmetric", "standardise", "none"]


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """Pictures with one class each.

    Attributes:
        classes: class names; a label is an index into them.
        height, width: pixels, as the model sees them.
        channels: 1 (grey) or 3 (red, green, blue).
        resize: how a picture of another size is brought to this one.
        scale: what the model does to values 0..255 first: `unit` to 0..1, `symmetric` to
            -1..1, `standardise` by `mean` and `variance`, `none` nothing.
        mean, variance: per channel, of values 0..255; empty unless `standardise`.
    """

    classes: tuple[str, ...]
    height: int
    width: int
    channels: int
    resize: Resize = "stretch"
    scale: Scale = "unit"
    mean: tuple[float, ...] = ()
    variance: tuple[float, ...] = ()
    kind: Literal["image"] = "image"

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(
                "Classes: expected two or more in the train split. "
                f"Received: {', '.join(map(repr, self.classes)) or 'none'}. "
                "Put the pictures of each class into a folder of its own."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels


Spec = ImageSpec  # a union told apart by `kind`, once there are more

_JSON: TypeAdapter[Spec] = TypeAdapter(Spec)


def write(spec: Spec, file: Path) -> None:
    """Write `spec` to `file` as JSON."""
    Path(file).write_bytes(_JSON.dump_json(spec, indent=1))


def read(file: Path) -> Spec:
    """The spec in `file`.

    Raises:
        DataError: it is of another form, or has fewer than two classes.
    """
    try:
        return _JSON.validate_json(Path(file).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{file}: expected what `analyze` writes. Received: {where}: {first['msg']}. "
            "Run `analyze` again with this version."
        ) from error
