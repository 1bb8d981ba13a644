"""What every builder of models returns."""

import dataclasses

import keras

SCORES = "scores"  # the name of the last layer that has weights or an activation


@dataclasses.dataclass(frozen=True)
class Networks:
    """One set of layers, wired for training and for inference.

    Attributes:
        training: with what only training has, such as augmentation; to be compiled.
        inference: without, and never compiled: it is saved and exported without an optimizer's
            state, which is twice as large as the weights and of no use there.
    """

    training: keras.Model
    inference: keras.Model
