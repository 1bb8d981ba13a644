"""The average over the tokens that there are: a layer."""

import keras


@keras.saving.register_keras_serializable(package="millrace")
class AverageOfTokens(keras.layers.Layer):
    """float32 [batch, tokens, width] to [batch, width]: the mean over what is not padding.

    As `keras.layers.GlobalAveragePooling1D`, which divides zero by zero where a row is nothing
    but padding; that of an empty text is zero here.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """The mean of each row."""
        if mask is None:
            return keras.ops.mean(inputs, axis=1)
        weights = keras.ops.expand_dims(keras.ops.cast(mask, inputs.dtype), -1)
        total = keras.ops.sum(inputs * weights, axis=1)
        return total / keras.ops.maximum(keras.ops.sum(weights, axis=1), 1)

    def compute_mask(
        self, inputs: keras.KerasTensor, mask: keras.KerasTensor | None = None
    ) -> None:
        """None: no tokens are left to mask."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[batch, width]."""
        return input_shape[0], input_shape[2]
