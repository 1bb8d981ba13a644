"""The options of layers that networks of several kinds have; no Keras, so reading them is cheap.

Names and meanings are Keras's own where it has them.
"""

import dataclasses
from typing import Literal

from millrace.components.options.pieces import Piece
from millrace.components.options.ranges import Count, NotNegative, ShareBelowOne

Counts = tuple[Count, ...]
ActivationName = Literal[
    "relu",
    "gelu",
    "elu",
    "selu",
    "swish",
    "tanh",
    "sigmoid",
    "leaky_relu",
    "celu",
    "hard_swish",
    "mish",
    "relu6",
    "softplus",
    "softsign",
]
Activation = ActivationName | Piece
InitializerName = Literal[
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "orthogonal",
]
Initializer = InitializerName | Piece


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kernels:
    """The options of the kernels of every trained network.

    Attributes:
        l1, l2: penalties on them, including the last layer's.
        kernel_initializer: of all but the last layer's; another of Keras's, or a function of a
            shape, a class, or a function that makes one, of your own:
            `RandomNormal(stddev=0.01)`, `mine.weights:scaled(by=2)`.
    """

    l1: NotNegative = 0.0
    l2: NotNegative = 0.0
    kernel_initializer: Initializer = "glorot_uniform"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FullyConnected(Kernels):
    """The options of every network with fully connected layers, apart from their widths.

    Attributes:
        activation: of the hidden layers; another layer of Keras's, or a function of a tensor, a
            layer, or a function that makes one, of your own: `PReLU`, `mine.layers:snake(a=2)`.
        dropout: share of a hidden layer's outputs dropped in training.
        batch_normalization: between a layer and its activation.
        batch_momentum: the share of its running mean and variance that a batch leaves; with few
            batches an epoch, less lets them follow the network.
    """

    activation: Activation = "relu"
    dropout: ShareBelowOne = 0.0
    batch_normalization: bool = False
    batch_momentum: ShareBelowOne = 0.99


@dataclasses.dataclass(frozen=True)
class Dense(FullyConnected):
    """Flatten, then fully connected layers.

    Attributes:
        units: width of each hidden layer; empty is a linear classifier.
    """

    units: Counts = (128,)
    kind: Literal["dense"] = "dense"
