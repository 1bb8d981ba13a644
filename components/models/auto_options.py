"""The option by which the network is chosen from the data; no Keras, so reading it is cheap."""

import dataclasses
from typing import Literal

from millrace.components.options.ranges import Count


@dataclasses.dataclass(frozen=True)
class Auto:
    """The best of a few networks for the kind of data, by the validation split.

    Which these are, and how long each is trained, follows from the data's kind and size; see
    `components.candidates`. Name another network to train that one alone.

    Attributes:
        tried: how many of them at most, in their order; None is all.
        averaged: how many at most give the answer together, as a weighted average, where that is
            better than the best alone; 1 keeps the best.
    """

    tried: Count | None = None
    averaged: Count = 3
    kind: Literal["auto"] = "auto"
