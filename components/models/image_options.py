"""The options of the networks for data of the kind `image`; no Keras, so reading them is cheap."""

import dataclasses
from typing import Annotated, Literal

from pydantic import Field

from millrace.components.models import hub
from millrace.components.models.layer_options import Counts, Dense, FullyConnected
from millrace.components.options.ranges import Count, ShareBelowOne

Backbone = Literal[
    "ConvNeXtBase",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "VGG19",
    "Xception",
    "squeezenet",
    "saved_model",
]
FROM_THE_FIRST = "first"
_Strength = Annotated[float, Field(ge=0, le=100)]  # of Beta: beyond, all shares are one half
Pixels = Literal["auto", "none", "unit", "symmetric", "caffe", "torch"]


@dataclasses.dataclass(frozen=True)
class Cnn(FullyConnected):
    """Blocks of convolutions and pooling, then fully connected layers.

    Activation and batch normalisation apply to the convolutions as well.

    Attributes:
        filters: of each block, as many as there are blocks.
        convolutions: per block.
        kernel_size, strides, padding: of every convolution, in pixels.
        pooling: at the end of every block.
        pool_size: pixels a side, and the stride.
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
class Transfer(FullyConnected):
    """A pretrained network without its top, then fully connected layers.

    The backbone is frozen and stays in inference mode (no dropout, batch normalisation by the
    statistics it came with) unless `weights=none`, which trains all of it. It gets
    grey pictures as three equal channels. Without fully connected layers, the dropout applies to
    the backbone's outputs.

    Attributes:
        backbone: a network of `keras.applications`, `squeezenet` (version 1.1), or
            `saved_model` (any SavedModel or TF-Hub folder).
        weights: `imagenet` downloads them, `none` starts from random ones; else a local file
            in Keras's HDF5 format, without the top; for `saved_model` its folder, or an address
            such as `https://tfhub.dev/…` or `kaggle://owner/model/framework/variation/1`, found
            in the cache of that hub's library, or downloaded by it.
        cut: the layer whose output is used, such as InceptionV3's `mixed7`; empty is the last.
            For `saved_model`, the output of its signature.
        pixels: what the backbone gets instead of 0..255: `unit` 0..1, `symmetric` -1..1,
            `caffe` blue, green, red less ImageNet's mean, `torch` standardised by ImageNet's
            mean and deviation. `auto` is what it was trained on; 0..1 for `saved_model`.
        endpoint: the signature of `saved_model` that is called; `__call__` is the SavedModel
            itself, as it is where there is no signature.
        trainable_from: the first of the backbone's layers to train too; `first` trains all of
            them. Empty: none. `trainer.fine_tune` sets it for a second stage.
        head: how the backbone's maps become a vector.
        dense: width of each fully connected layer; may be empty.
    """

    backbone: Backbone = "MobileNetV2"
    weights: hub.Weights = "imagenet"
    cut: str = ""
    pixels: Pixels = "auto"
    endpoint: str = "serving_default"
    trainable_from: str = ""
    head: Literal["flatten", "global_average", "global_max"] = "global_average"
    dense: Counts = ()
    kind: Literal["transfer"] = "transfer"

    @property
    def is_pretrained(self) -> bool:
        """Whether it has weights that can be frozen first and trained later."""
        return self.weights != "none" and self.backbone != "saved_model"


@dataclasses.dataclass(frozen=True)
class Patches:
    """Colours, edges and typical patches, and a logistic regression on them; all computed.

    For few pictures, which a network that is trained learns by heart. Its penalty is chosen on the
    validation split.

    Attributes:
        typical: patches of 6 x 6 pixels, of pictures of 32 x 32, to compare with.
        most: pictures of the train split to learn from, the first ones.
    """

    typical: Count = 200
    most: Count = 20_000
    kind: Literal["patches"] = "patches"


@dataclasses.dataclass(frozen=True)
class Augment:
    """Random changes to the pictures of each training batch; none outside training.

    Attributes:
        flip: mirror half of the pictures.
        rotation: up to this many degrees, either way.
        width_shift, height_shift: up to this share of the side, either way.
        shear: up to this share of the side.
        zoom: in or out by up to this share.
        brightness, contrast: change by up to this share.
        fill_mode: what fills the space left empty.
        fill_value: with `constant`, 0 (black) to 255.
        mixup: blend each picture, and its label, with another of its batch, by shares drawn from
            Beta(mixup, mixup): 0.2 is usual. 0 does not.
        cutmix: paste a rectangle of another picture of its batch onto each, whose area goes by
            Beta(cutmix, cutmix): 1 is usual. With `mixup` too, each batch gets one of them.
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
    mixup: _Strength = 0.0
    cutmix: _Strength = 0.0

    @property
    def mixes(self) -> bool:
        """Whether labels become shares of two classes."""
        return bool(self.mixup or self.cutmix)


ImageModel = Dense | Cnn | Transfer | Patches
MODELS: tuple[type, ...] = (Dense, Cnn, Transfer, Patches)
