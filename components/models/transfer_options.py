"""The options of a classifier on top of a pretrained network; no Keras, so reading is cheap."""

import dataclasses
from typing import Literal

from millrace.components.files.paths import LocalPath
from millrace.components.models.options import Counts, FullyConnected

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
Pixels = Literal["auto", "none", "unit", "symmetric", "caffe", "torch"]


@dataclasses.dataclass(frozen=True)
class Transfer(FullyConnected):
    """A pretrained network without its top, then fully connected layers.

    The backbone is frozen and keeps to inference (its dropout off, its batch normalisation by
    the statistics it came with) unless `weights=none`, which trains it whole. Grey pictures
    are given to it as three equal channels. Where there is no fully connected layer, the dropout
    is that of the backbone's outputs.

    Attributes:
        backbone: a network of `keras.applications`, `squeezenet` (version 1.1), or
            `saved_model` (any SavedModel or TF-Hub folder).
        weights: `imagenet` downloads them, `none` starts from random ones; else a local file
            in Keras's HDF5 form, without the top; for `saved_model` its folder.
        cut: the layer whose output is taken, such as InceptionV3's `mixed7`; empty is the last.
            For `saved_model`, the output of its signature.
        pixels: what the backbone gets instead of 0..255: `unit` 0..1, `symmetric` -1..1,
            `caffe` blue, green, red less ImageNet's mean, `torch` standardised by ImageNet's
            mean and deviation. `auto` is what it was trained with; 0..1 for `saved_model`.
        endpoint: the signature of `saved_model` that is called.
        trainable_from: the backbone's layer from which on its weights are trained too; `first`
            is all of them. Empty: none. `trainer.fine_tune` sets it for a second stage.
        head: how the backbone's maps become a vector.
        dense: width of each fully connected layer; may be empty.
    """

    backbone: Backbone = "MobileNetV2"
    weights: LocalPath = "imagenet"
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
