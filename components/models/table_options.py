"""The options of the networks for data of the kind `table`; no Keras, so reading them is cheap."""

import dataclasses
from typing import Literal

from components.models.options import (
    Activation,
    Count,
    Counts,
    Dense,
    Initializer,
    Penalty,
    Share,
)


@dataclasses.dataclass(frozen=True)
class WideDeep:
    """A linear model beside fully connected layers, their sums added before the scores.

    The wide part sees each category, bucket and cross as an input of its own; the deep part
    sees the numbers, and a vector for each of these. Source: Cheng et al., "Wide & Deep
    Learning for Recommender Systems", 2016.

    Attributes:
        units: width of each layer of the deep part.
        embedding_dim: numbers of a category's vector.
        activation: of the deep part.
        dropout: share of a layer's outputs dropped in training.
        batch_normalization: between a layer and its activation.
        l1, l2: penalties on the kernels, that of the scores included.
        kernel_initializer: of the deep part's kernels.
    """

    units: Counts = (64, 32)
    embedding_dim: Count = 8
    activation: Activation = "relu"
    dropout: Share = 0.0
    batch_normalization: bool = False
    l1: Penalty = 0.0
    l2: Penalty = 0.0
    kernel_initializer: Initializer = "glorot_uniform"
    kind: Literal["wide_deep"] = "wide_deep"


TableModel = WideDeep
MODELS: tuple[type, ...] = (Dense, WideDeep)
