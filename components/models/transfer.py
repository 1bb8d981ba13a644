"""Pretrained networks as the first part of an image classifier.

They come from keras.applications, SqueezeNet or any SavedModel. What they take in place of 0..255
is made by layers of the network, too.
"""

import difflib
import functools
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import keras
from etils.epath import Path

from millrace.components.errors import ComponentError, ModelError, OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import hub, saved_model_layer, squeezenet
from millrace.components.models.image_layers import input_pixels
from millrace.components.models.image_options import FROM_THE_FIRST, Pixels, Transfer
from millrace.components.models.networks import Wired

logger = logging.getLogger("millrace.components.trainer")

Found = TypeVar("Found")

BACKBONE = "backbone"  # the layer's name

# Families of keras.applications by what they take; the others rescale 0..255 themselves.
_PIXELS: dict[Pixels, tuple[str, ...]] = {
    "caffe": ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "squeezenet"),
    "symmetric": (
        *("InceptionV3", "InceptionResNetV2", "Xception", "MobileNet", "MobileNetV2"),
        *("ResNet50V2", "ResNet101V2", "ResNet152V2"),
    ),
    "torch": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "unit": ("saved_model",),
}
_FAILED_DOWNLOAD = re.compile(r"URL fetch failure on (\S+): (.*)", re.DOTALL)


@keras.saving.register_keras_serializable(package="millrace")
class Pretrained(keras.Model):
    """A network that stays in inference mode: no dropout, and the statistics that it came with.

    `network(x, training=False)` inside another network is not enough: in Keras 3.15 the outer
    one's `training=True` overrides it.
    """

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: object = None
    ) -> keras.KerasTensor:
        """The output for `inputs`, whatever `training` says."""
        return super().call(inputs, training=False, mask=mask)


def backbone(options: Transfer, spec: ImageSpec) -> Iterator[Wired]:
    """From uint8 [batch, height, width, channels] to the maps of the backbone, float32.

    Raises:
        OptionError: the pictures are too small, or there is no such layer or SavedModel.
        ModelError: the weights cannot be loaded, or are another network's.
    """
    if spec.channels == 1:
        yield _as_colour
    yield from input_pixels(pixels_of(options))
    shape = (spec.height, spec.width, 3)
    if options.backbone == "saved_model":
        _refuse_training(options)
        folder = hub.local(options.weights, "trainer.model.weights")
        yield saved_model_layer.of_pictures(folder, options.endpoint, options.cut, shape, BACKBONE)
        return
    network = _network(options, shape)
    if options.weights != "none":
        _freeze(network, options.trainable_from)
    yield network


def pixels_of(options: Transfer) -> Pixels:
    """What the backbone of `options` takes in place of 0..255."""
    if options.pixels != "auto":
        return options.pixels
    return next((pixels for pixels, names in _PIXELS.items() if options.backbone in names), "none")


def _as_colour(grey: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Concatenate(name="as_colour")([grey, grey, grey])


def _network(options: Transfer, shape: tuple[int, int, int]) -> keras.Model:
    """The network up to the layer at which it is cut, with its weights."""
    try:
        with warnings.catch_warnings():
            # MobileNet warns about sizes that it has no weights for, and takes those of another.
            warnings.simplefilter("ignore", UserWarning)
            whole = _without_top(options, shape)
    except ValueError as error:
        raise OptionError(
            f"trainer.model.backbone={options.backbone}: expected pictures that it has room for. "
            f"Received: {shape[0]} x {shape[1]}: {error} Set analyze.features.height."
        ) from error
    if options.weights not in ("imagenet", "none"):
        _load(whole, options)
    last = _layer(whole, options.cut, "cut") if options.cut else whole.layers[-1]
    kind = keras.Model if options.weights == "none" else Pretrained
    return kind(whole.input, last.output, name=BACKBONE)


def _without_top(options: Transfer, shape: tuple[int, int, int]) -> keras.Model:
    weights = "imagenet" if options.weights == "imagenet" else None
    if options.backbone == "squeezenet":
        network = squeezenet.build(shape)
        if weights:
            squeezenet.load_weights(network, Path(_downloaded(squeezenet.download)))
        return network
    build = getattr(keras.applications, options.backbone)
    return _downloaded(
        functools.partial(build, include_top=False, weights=weights, input_shape=shape)
    )


def _downloaded(get: Callable[[], Found]) -> Found:
    """What `get` returns, which may download a file.

    Raises:
        ModelError: the download failed; names the file, its address and a workaround.
    """
    try:
        return get()
    except Exception as error:  # Keras raises no narrower one
        failed = _FAILED_DOWNLOAD.search(str(error))
        if not failed:
            raise
        address, reason = failed.groups()
        raise ModelError(
            f"trainer.model.weights=imagenet: expected to download {address.rsplit('/', 1)[-1]} "
            f"from {address}. Received: {reason}. Download that file on a connected machine and "
            "pass it with `--set trainer.model.weights=FILE`, or start from random weights "
            "with `--set trainer.model.weights=none`."
        ) from error


def _load(network: keras.Model, options: Transfer) -> None:
    """Load the weights of the local file into the whole network without its top."""
    file = Path(options.weights).expanduser()
    place = f"trainer.model.weights={options.weights}"
    if not file.is_file():
        raise OptionError(
            f"{place}: expected imagenet, none or a file of weights. Received: no such file. "
            "Check the path."
        )
    try:
        if options.backbone == "squeezenet":
            squeezenet.load_weights(network, file)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # about weights that are left out
                network.load_weights(str(file))
    except ComponentError:
        raise
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise ModelError(
            f"{place}: expected the weights of {options.backbone} without its top, as HDF5. "
            f"Received: {str(error).splitlines()[0]} Use the file whose name ends in `notop.h5`, "
            "or another trainer.model.backbone."
        ) from error


def _freeze(network: keras.Model, trainable_from: str) -> None:
    """Freeze all layers before `trainable_from`, or every layer for ""."""
    network.trainable = bool(trainable_from)
    if trainable_from in ("", FROM_THE_FIRST):
        return
    first = network.layers.index(_layer(network, trainable_from, "trainable_from"))
    for layer in network.layers[:first]:
        layer.trainable = False


def _layer(network: keras.Model, name: str, option: str) -> keras.Layer:
    names = [layer.name for layer in network.layers]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[-3:]
        raise OptionError(
            f"trainer.model.{option}: expected a layer of the backbone. Received: {name!r}. "
            f"Similar names: {', '.join(near)}."
        )
    return network.get_layer(name)


def _refuse_training(options: Transfer) -> None:
    if options.trainable_from or options.weights in ("imagenet", "none"):
        raise OptionError(
            "trainer.model.backbone=saved_model: expected the SavedModel's folder as "
            "trainer.model.weights, and trainable_from empty, since it stays frozen. Received: "
            f"weights {options.weights!r}, trainable_from {options.trainable_from!r}. "
            "Correct them."
        )
