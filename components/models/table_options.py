"""The options of the networks for data of the kind `table`; no Keras, so reading them is cheap."""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.models.layer_options import (
    Activation,
    Counts,
    Dense,
    FullyConnected,
    Kernels,
)
from millrace.components.options.ranges import (
    Count,
    NotNegative,
    Number,
    Positive,
    ShareBelowOne,
)

Link = Literal["identity", "log"]


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resnet(Kernels):
    """Fully connected layers by twos, each two added to what they were given.

    Numbers come in pieces between their quantiles, and as they are; categories as vectors. Sources:
    Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data", 2021, and "On Embeddings
    for Numerical Features in Tabular Deep Learning", 2022.

    Attributes:
        units: numbers between blocks, and within them.
        blocks: of two layers.
        activation: within a block, as of `dense`.
        dropout: share of the numbers within a block that are dropped in training.
        bins: pieces of each number, between quantiles of the train split; 0 leaves these out.
        bin_dim: dimensions of the vector that a number's pieces become.
        embedding_dim: dimensions of a category's vector.
        link: `log`: for a regression of numbers that are never negative, the network's last layer
            gives the logarithm of the answer, and learns by the Poisson deviance.
    """

    units: Count = 128
    blocks: Count = 2
    activation: Activation = "relu"
    dropout: ShareBelowOne = 0.1
    bins: Number = 32
    bin_dim: Count = 8
    embedding_dim: Count = 8
    link: Link = "identity"
    kind: Literal["resnet"] = "resnet"


@dataclasses.dataclass(frozen=True)
class Trees:
    """Boosted trees, grown by scikit-learn's HistGradientBoosting, in the network as plain ops.

    Names and meanings of the attributes are scikit-learn's, where it has them. All of train is in
    memory; there are no epochs, and `trainer.learning_rate` is not looked at.

    Attributes:
        learning_rate: what each tree's answer is multiplied by.
        max_iter: rounds at most, a tree for each class of more than two in each.
        max_leaf_nodes: of a tree.
        min_samples_leaf: rows of each leaf at least.
        l2_regularization: a penalty on what leaves answer.
        max_features: share of the columns that each split looks at.
        n_iter_no_change: rounds without a better validation loss after which there are no more.
        link: `log`: for a regression of numbers that are never negative, the trees add up to the
            logarithm of the answer, by the Poisson deviance.
    """

    learning_rate: Positive = 0.05
    max_iter: Count = 1000
    max_leaf_nodes: Annotated[int, Field(ge=2)] = 31
    min_samples_leaf: Count = 20
    l2_regularization: NotNegative = 0.0
    max_features: Annotated[float, Field(gt=0, le=1)] = 1.0
    n_iter_no_change: Count = 20
    link: Link = "identity"
    kind: Literal["trees"] = "trees"


@dataclasses.dataclass(frozen=True)
class TableLinear:
    """One layer over numbers and one-hot categories: ridge or logistic regression.

    Its weights are computed, and how strong the ridge is, is chosen; there are no epochs. `dense`
    without hidden layers is the same network, trained step by step.
    """

    kind: Literal["table_linear"] = "table_linear"


TableModel = WideDeep | Resnet | TableLinear | Trees
MODELS: tuple[type, ...] = (Dense, WideDeep, Resnet, TableLinear, Trees)
