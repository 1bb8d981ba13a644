"""A SavedModel as a frozen Keras layer that travels inside the `.keras` file.

Not `keras.layers.TFSMLayer`: that keeps only the path of the folder, and a file with one does not
load in Keras's safe mode.
"""

import pathlib
import shutil
import tempfile
import weakref
from typing import Any

import keras
import tensorflow as tf
from etils.epath import Path

from millrace.components.errors import OptionError

_ASSET = "saved_model"  # the folder within the layer's assets


@keras.saving.register_keras_serializable(package="millrace")
class SavedModelLayer(keras.layers.Layer):
    """One signature of a SavedModel: one tensor in, one out.

    Its weights are neither trained nor counted among the parameters of the model around it.

    Attributes:
        endpoint: the signature's name.
        output_name: which of its outputs.
        output_sizes: the output's shape without the batch.
    """

    def __init__(
        self, endpoint: str, output_name: str, output_sizes: list[int], **settings: Any
    ) -> None:
        super().__init__(**{**settings, "trainable": False})
        self.endpoint, self.output_name = endpoint, output_name
        self.output_sizes = list(output_sizes)
        self._folder: pathlib.Path | None = None
        self._loaded: Any = None

    def take(self, folder: pathlib.Path) -> None:
        """Load the SavedModel in `folder`, which must exist as long as the layer may be saved."""
        self._folder = folder
        self._loaded = tf.saved_model.load(str(folder))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The output for `inputs`, float32 [batch, ...]."""
        function = self._loaded.signatures[self.endpoint]
        return tf.cast(_answer(function, inputs)[self.output_name], self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The batch, then `output_sizes`."""
        return (input_shape[0], *self.output_sizes)

    def get_config(self) -> dict[str, Any]:
        """All but the SavedModel itself, which is an asset."""
        return {
            **super().get_config(),
            "endpoint": self.endpoint,
            "output_name": self.output_name,
            "output_sizes": self.output_sizes,
        }

    def save_assets(self, folder: str) -> None:
        """Copy the SavedModel below `folder`, a part of the `.keras` file."""
        if self._folder is not None:
            shutil.copytree(self._folder, pathlib.Path(folder) / _ASSET)

    def load_assets(self, folder: str) -> None:
        """Load the SavedModel below `folder`, and keep a copy for the next save."""
        copy = tempfile.mkdtemp(prefix="millrace-saved-model-")
        weakref.finalize(self, shutil.rmtree, copy, ignore_errors=True)
        kept = pathlib.Path(copy) / _ASSET
        shutil.copytree(pathlib.Path(folder) / _ASSET, kept)
        self.take(kept)


def layer(
    folder: Path, endpoint: str, output_name: str, shape: tuple[int, int, int], name: str
) -> SavedModelLayer:
    """The layer called `name` for pictures of `shape`.

    Raises:
        OptionError: there is no SavedModel, signature or output of that name, the signature
            does not take one batch of pictures, or it refuses pictures of this size.
    """
    place = f"trainer.model.weights={folder}"
    if not (folder / "saved_model.pb").exists():
        raise OptionError(
            f"{place}: expected the folder of a SavedModel. Received: no saved_model.pb in it. "
            "Give the folder that tf.saved_model.save wrote or that a TF-Hub archive unpacks to."
        )
    loaded = tf.saved_model.load(str(folder))
    function = _signature(loaded, endpoint, place)
    output = _choose(function.structured_outputs, output_name, f"{place}, {endpoint}")
    try:
        features = _answer(function, tf.zeros((1, *shape)))[output]
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise OptionError(
            f"{place}, {endpoint}: expected a signature that takes a batch of pictures of "
            f"{shape[0]} x {shape[1]}. Received: {str(error).splitlines()[0]} Set "
            "analyze.features.height and width to those it was trained on."
        ) from error
    made = SavedModelLayer(endpoint, output, features.shape.as_list()[1:], name=name)
    made.take(pathlib.Path(folder))
    return made


def _signature(loaded: Any, endpoint: str, place: str) -> Any:
    if endpoint not in loaded.signatures:
        raise OptionError(
            f"{place}: expected a signature {endpoint!r}. Received: "
            f"{', '.join(loaded.signatures) or 'none'}. Set trainer.model.endpoint to one of them."
        )
    return loaded.signatures[endpoint]


def _choose(outputs: dict[str, tf.TensorSpec], wanted: str, place: str) -> str:
    """The output called `wanted`, or the only one."""
    if wanted in outputs:
        return wanted
    if not wanted and len(outputs) == 1:
        return next(iter(outputs))
    raise OptionError(
        f"{place}: expected {f'an output {wanted!r}' if wanted else 'one output'}. Received: "
        f"{', '.join(sorted(outputs))}. Set trainer.model.cut to one of them."
    )


def _answer(function: Any, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    """Call a signature that takes one tensor, with the name and dtype that it declares."""
    _, keywords = function.structured_input_signature
    if len(keywords) != 1:
        raise ValueError(f"inputs {', '.join(sorted(keywords))}.")
    name, spec = next(iter(keywords.items()))
    if not spec.shape.is_compatible_with(inputs.shape):
        raise ValueError(f"{name!r} of shape {spec.shape}.")
    return function(**{name: tf.cast(inputs, spec.dtype)})
