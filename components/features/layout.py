"""The features of a transformed record: what `transform` writes and the trainer's input parses."""

import dataclasses
import math
from typing import Literal

TensorDtype = Literal["uint8", "int32", "float32"]


@dataclasses.dataclass(frozen=True)
class LayoutColumn:
    """One feature of a transformed record, and the Keras input or target that it becomes.

    Attributes:
        name: of the feature, and of the `keras.Input`.
        dtype: as the network sees it. In the record `uint8` is raw bytes, `int32` an int64
            list, `float32` a float list.
        shape: without the batch.
    """

    name: str
    dtype: TensorDtype
    shape: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of one value in memory, in bytes."""
        return math.prod(self.shape) * (1 if self.dtype == "uint8" else 4)


@dataclasses.dataclass(frozen=True)
class RecordLayout:
    """A network's inputs and its target.

    One input goes to the network as a tensor, several as a dictionary by name.
    """

    inputs: tuple[LayoutColumn, ...]
    target: LayoutColumn
