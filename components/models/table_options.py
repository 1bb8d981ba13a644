"""The options of the networks for data of the kind `table`; no Keras, so reading them is cheap."""

import dataclasses
from typing import Literal

from millrace.components.models.layer_options import Counts, Dense, FullyConnected
from millrace.components.options.ranges import Count


@dataclasses.dataclass(frozen=True)
class WideDeep(FullyConnected):
    """A linear model beside fully connected layers, added up before the scores.

    The wide part sees each category, bucket and cross as an input of its own; the deep part, fully
    connected layers, sees the numbers and a vector for each of these. Source: Cheng et al., "Wide &
    Deep Learning for Recommender Systems", 2016.

    Attributes:
        units: width of each layer of the deep part.
        embedding_dim: dimensions of a category's vector.
    """

    units: Counts = (64, 32)
    embedding_dim: Count = 8
    kind: Literal["wide_deep"] = "wide_deep"


TableModel = WideDeep
MODELS: tuple[type, ...] = (Dense, WideDeep)
