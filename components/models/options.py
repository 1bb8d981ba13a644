"""The options of every model that `trainer` can build; no Keras, so that reading them is cheap.

Names and meanings are Keras's own where it has them.
"""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.options.ranges import Count, NotNegative, ShareBelowOne

Counts = tuple[Count, ...]
Activation = Literal["relu", "gelu", "elu", "selu", "swish", "tanh", "sigmoid", "leaky_relu"]
Initializer = Literal[
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kernels:
    """What the kernels of every trained network may be asked.

    Attributes:
        l1, l2: penalties on them, the last layer's included.
        kernel_initializer: of them, the last layer's excepted.
    """

    l1: NotNegative = 0.0
    l2: NotNegative = 0.0
    kernel_initializer: Initializer = "glorot_uniform"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FullyConnected(Kernels):
    """What every network with fully connected layers may be asked; their widths are its own.

    Attributes:
        activation: of the hidden layers.
        dropout: share of a hidden layer's outputs dropped in training.
        batch_normalization: between a layer and its activation.
    """

    activation: Activation = "relu"
    dropout: ShareBelowOne = 0.0
    batch_normalization: bool = False


@dataclasses.dataclass(frozen=True)
class Dense(FullyConnected):
    """Flatten, then fully connected layers.

    Attributes:
        units: width of each hidden layer; empty is a linear classifier.
    """

    units: Counts = (128,)
    kind: Literal["dense"] = "dense"


@dataclasses.dataclass(frozen=True)
class Cnn(FullyConnected):
    """Blocks of convolutions and pooling, then fully connected layers.

    Activation and batch normalisation are the convolutions' as well.

    Attributes:
        filters: of each block; their number is the number of blocks.
        convolutions: per block.
        kernel_size, strides, padding: of every convolution, in pixels.
        pooling: at the end of every block.
        pool_size: pixels a side, and its stride.
        head: how the last block's maps become a vector.
        dense: width of each fully connected layer; may be empty.
        block_dropout: share of a block's maps dropped in training, whole maps at a time.
    """

    filters: Annotated[Counts, Field(min_length=1)] = (64, 64)
    convolutions: Count = 1
    kernel_size: Count = 3
    strides: Count = 1
    padding: Literal["valid", "same"] = "valid"
    pooling: Literal["max", "average", "none"] = "max"
    pool_size: Count = 2
    head: Literal["flatten", "global_average", "global_max"] = "flatten"
    dense: Counts = (128,)
    block_dropout: ShareBelowOne = 0.0
    kind: Literal["cnn"] = "cnn"


@dataclasses.dataclass(frozen=True)
class Augment:
    """Random changes to the pictures of each training batch; none outside training.

    Attributes:
        flip: mirror half of the pictures.
        rotation: up to so many degrees, either way.
        width_shift, height_shift: up to this share of the side, either way.
        shear: up to this share of the side.
        zoom: in or out by up to this share.
        brightness, contrast: change by up to this share.
        fill_mode: what fills the space left empty.
        fill_value: with `constant`, 0 (black) to 255.
    """

    flip: Literal["none", "horizontal", "vertical", "horizontal_and_vertical"] = "none"
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    width_shift: ShareBelowOne = 0.0
    height_shift: ShareBelowOne = 0.0
    shear: ShareBelowOne = 0.0
    zoom: ShareBelowOne = 0.0
    brightness: ShareBelowOne = 0.0
    contrast: ShareBelowOne = 0.0
    fill_mode: Literal["nearest", "reflect", "wrap", "constant"] = "nearest"
    fill_value: Annotated[float, Field(ge=0, le=255)] = 0.0
