"""Options and spec of the kind `image`: how pictures are brought to one shape. No TensorFlow."""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.errors import DataError
from millrace.components.features.hook_spec import Hook
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.serving.errors import few

Resize = Literal["stretch", "pad", "crop"]
PixelScale = Literal["unit", "symmetric", "standardise", "none"]
SideLength = Annotated[int, Field(ge=1, le=4096)]


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """How pictures are brought to one shape.

    Attributes:
        height, width: pixels. If only one is given, the picture is square. None: the size that 95 %
            of the train split has, else a square of at most 128 that most pictures fill.
        channels: 1 grey, 3 colour. None: 1 if every picture of the train split is grey.
        resize: `stretch` ignores the aspect ratio, `pad` fits the picture on black, `crop` fills
            the size and cuts off the rest.
        scale: what the model does to 0..255: `unit` 0..1, `symmetric` -1..1, `standardise`
            mean 0 and variance 1 per channel, `none`.
        preprocess: `package.module:function`, your own TensorFlow function from one upright
            picture to another, uint8 [height, width, channels], applied before resizing.
    """

    height: SideLength | None = None
    width: SideLength | None = None
    channels: Literal[1, 3] | None = None
    resize: Resize = "stretch"
    scale: PixelScale = "unit"
    preprocess: str = ""
    kind: Literal["image"] = "image"


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """Pictures with one class each.

    Attributes:
        classes: class names; a label is an index into them.
        height, width: pixels, as the model sees them.
        channels: 1 (grey) or 3 (red, green, blue).
        resize: how a picture of another size is brought to this one.
        scale: what the model does to values 0..255 first: `unit` to 0..1, `symmetric` to
            -1..1, `standardise` by `mean` and `variance`, `none`.
        mean, variance: per channel, of values 0..255; empty unless `standardise`.
        hook: the user's preprocessing.
    """

    classes: tuple[str, ...]
    height: int
    width: int
    channels: int
    resize: Resize = "stretch"
    scale: PixelScale = "unit"
    mean: tuple[float, ...] = ()
    variance: tuple[float, ...] = ()
    hook: Hook | None = None
    kind: Literal["image"] = "image"

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(
                "Classes: expected two or more in the train split. "
                f"Received: {few(map(repr, self.classes)) or 'none'}. "
                "Put the pictures of each class into a folder of their own."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels

    @property
    def task(self) -> Literal["classification"]:
        """What a model of this kind does."""
        return "classification"

    @property
    def label(self) -> str:
        """The raw feature that names a picture's class."""
        return "image/class/text"

    @property
    def layout(self) -> RecordLayout:
        """The transformed record: pixels row-major, and the index of the class."""
        return RecordLayout(
            (LayoutColumn("image", "uint8", self.shape),), LayoutColumn("label", "int32")
        )
