"""A SavedModel as a frozen Keras layer that travels inside the `.keras` file.

Not `keras.layers.TFSMLayer`: that keeps only the path of the folder, and a file with one does not
load in Keras's safe mode.
"""

import dataclasses
import pathlib
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from etils.epath import Path

from millrace.components.errors import OptionError

_PLACE = "trainer.model.weights"
_ASSET = "saved_model"  # the folder within the layer's assets
_CALL = "__call__"  # the SavedModel itself: many of TensorFlow Hub's have no signatures


@keras.saving.register_keras_serializable(package="millrace")
class SavedModelLayer(keras.layers.Layer):
    """One signature of a SavedModel, or the SavedModel called itself: one tensor in, one out.

    Its weights are neither trained nor counted among the parameters of the model around it.

    Attributes:
        endpoint: the signature's name, or `__call__`.
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
        return self._asked(inputs)

    def _asked(self, inputs: tf.Tensor) -> tf.Tensor:
        answer = _answer(self._loaded, self.endpoint, inputs)
        return tf.cast(answer[self.output_name], self.compute_dtype)

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


@keras.saving.register_keras_serializable(package="millrace")
class SavedModelOfTexts(SavedModelLayer):
    """A signature that takes texts: string [batch] in, one vector each out.

    The network has their letters, uint8 [batch, letters], as `features.text` gives them.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The vectors of the texts that `inputs` spells, float32 [batch, size]."""
        return self._asked(texts_of(inputs))


def texts_of(letters: tf.Tensor) -> tf.Tensor:
    """The texts that `letters` spell, without spaces around them: string [batch].

    Args:
        letters: uint8 [batch, letters], UTF-8 and then zeros; the last character may be cut.
    """
    each = tf.constant([b"", *(bytes([byte]) for byte in range(1, 256))])
    joined = tf.strings.reduce_join(tf.gather(each, tf.cast(letters, tf.int32)), axis=1)
    whole = tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="ignore")
    return tf.strings.strip(whole)


def of_pictures(
    folder: Path, endpoint: str, output_name: str, shape: tuple[int, int, int], name: str
) -> SavedModelLayer:
    """The layer called `name` for pictures of `shape`.

    Raises:
        OptionError: there is no SavedModel, signature or output of that name, the signature
            does not take one batch of pictures, or it refuses pictures of this size.
    """
    taken = f"a batch of pictures of {shape[0]} x {shape[1]}"
    fix = "Set analyze.features.height and width to those it was trained on."
    sample = _Sample(tf.zeros((1, *shape)), taken, fix)
    return _layer(SavedModelLayer, folder, endpoint, output_name, sample, name)


def of_texts(folder: Path, endpoint: str, output_name: str, name: str) -> SavedModelLayer:
    """The layer called `name` for the letters of texts.

    Raises:
        OptionError: there is no SavedModel, signature or output of that name, the signature
            does not take one batch of texts, or gives no vector for each.
    """
    taken, fix = "a batch of texts, string [batch]", "Name another by trainer.model.endpoint."
    sample = _Sample(tf.constant(["a text"]), taken, fix)
    made = _layer(SavedModelOfTexts, folder, endpoint, output_name, sample, name)
    if len(made.output_sizes) != 1:
        raise OptionError(
            f"{_PLACE}={folder}, {endpoint}: expected a vector for each text, [batch, size]. "
            f"Received: {made.output_name} of {['batch', *made.output_sizes]}. Name another output "
            "by trainer.model.cut."
        )
    return made


@dataclasses.dataclass(frozen=True)
class _Sample:
    """What a signature is tried on.

    Attributes:
        inputs: a batch of one.
        described: what that is, for people.
        fix: what to do where it is refused.
    """

    inputs: tf.Tensor
    described: str
    fix: str


def _layer(
    kind: type[SavedModelLayer],
    folder: Path,
    endpoint: str,
    output_name: str,
    sample: _Sample,
    name: str,
) -> SavedModelLayer:
    place = f"{_PLACE}={folder}"
    if not (folder / "saved_model.pb").exists():
        raise OptionError(
            f"{place}: expected the folder of a SavedModel. Received: no saved_model.pb in it. "
            "Give the folder that tf.saved_model.save wrote or that a TF-Hub archive unpacks to."
        )
    loaded = _loaded(folder, place)
    endpoint = _endpoint(loaded, endpoint, place)
    try:
        answer = _answer(loaded, endpoint, sample.inputs)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise OptionError(
            f"{place}, {endpoint}: expected a signature that takes {sample.described}. "
            f"Received: {str(error).splitlines()[0]} {sample.fix}"
        ) from error
    output = _choose(answer, output_name, f"{place}, {endpoint}")
    made = kind(endpoint, output, answer[output].shape.as_list()[1:], name=name)
    made.take(pathlib.Path(folder))
    return made


def _loaded(folder: Path, place: str) -> Any:
    try:
        return tf.saved_model.load(str(folder))
    except (tf.errors.OpError, OSError, ValueError, RuntimeError) as error:
        raise OptionError(
            f"{place}: expected a SavedModel that TensorFlow alone can load. Received: "
            f"{str(error).splitlines()[0]} Save it again with one set of tags and TensorFlow's own "
            "operations."
        ) from error


def _endpoint(loaded: Any, wanted: str, place: str) -> str:
    """`wanted`, or the SavedModel itself where it has no signatures."""
    found = [*loaded.signatures, *([_CALL] if callable(loaded) else [])]
    if wanted in found:
        return wanted
    if found == [_CALL] and wanted == "serving_default":
        return _CALL
    if not found:
        raise OptionError(
            f"{place}: expected a SavedModel with a signature or one that can be called. Received: "
            "neither. Save it with signatures=, or with a tf.function called __call__ that was "
            "called once."
        )
    raise OptionError(
        f"{place}: expected a signature {wanted!r}. Received: {', '.join(found)}. Set "
        "trainer.model.endpoint to one of them."
    )


def _choose(outputs: Mapping[str, tf.Tensor], wanted: str, place: str) -> str:
    """The output called `wanted`, or the only one."""
    if wanted in outputs:
        return wanted
    if not wanted and len(outputs) == 1:
        return next(iter(outputs))
    raise OptionError(
        f"{place}: expected {f'an output {wanted!r}' if wanted else 'one output'}. Received: "
        f"{', '.join(sorted(outputs))}. Set trainer.model.cut to one of them."
    )


def _answer(loaded: Any, endpoint: str, inputs: tf.Tensor) -> Mapping[str, tf.Tensor]:
    """What `loaded` answers by name, of one tensor in the dtype that it declares.

    Raises:
        ValueError: it takes more than that, or no tensor of this shape and kind.
    """
    if endpoint != _CALL:
        _, keywords = loaded.signatures[endpoint].structured_input_signature
        spec = _fit((), keywords, inputs)
        return loaded.signatures[endpoint](**{spec.name: tf.cast(inputs, spec.dtype)})
    answer = _called(loaded, inputs)
    if isinstance(answer, Mapping):
        return answer
    each = answer if isinstance(answer, list | tuple) else [answer]
    return {f"output_{place}": tensor for place, tensor in enumerate(each)}


def _called(loaded: Any, inputs: tf.Tensor) -> Any:
    """What the object answers by a trace that takes `inputs` alone, and does not train."""
    refused = ValueError("no trace of __call__.")
    for trace in loaded.__call__.concrete_functions:
        positional, keywords = trace.structured_input_signature
        given = {**dict(zip(trace.function_type.parameters, positional, strict=False)), **keywords}
        try:
            spec = _fit(positional, keywords, inputs)
            if given.get("training") is True:
                raise ValueError("no trace of __call__ but those with training=True.")
        except ValueError as error:
            refused = error
            continue
        tensor = tf.cast(inputs, spec.dtype)
        arguments = tf.nest.map_structure(
            lambda each, spec=spec, tensor=tensor: tensor if each is spec else each,
            (positional, keywords),
        )
        return loaded(*arguments[0], **arguments[1])
    raise refused


def _fit(positional: tuple[Any, ...], keywords: dict[str, Any], inputs: tf.Tensor) -> tf.TensorSpec:
    """The only tensor of a signature, if `inputs` can be given for it."""
    given = tf.nest.flatten((positional, keywords))
    specs = [each for each in given if isinstance(each, tf.TensorSpec)]
    if len(specs) != 1:
        raise ValueError(f"inputs {', '.join(sorted(each.name for each in specs)) or 'none'}.")
    [spec] = specs
    if not spec.shape.is_compatible_with(inputs.shape):
        raise ValueError(f"{spec.name!r} of shape {spec.shape}.")
    if tf.string in (spec.dtype, inputs.dtype) and spec.dtype != inputs.dtype:
        raise ValueError(f"{spec.name!r} of {spec.dtype.name}.")
    return spec
