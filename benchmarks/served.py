"""The models that `benchmarks.serving` serves, and one request for each.

Untrained, since trained weights do not change the speed: a small dense network, a convolutional one
of Fashion-MNIST's shape, and one that takes encoded photos and decodes and resizes them itself.
"""

import io
import pathlib

import numpy as np
from PIL import Image

MODELS = ("dense", "cnn", "jpeg")
_PHOTOS = pathlib.Path(__file__).parents[2] / "shared" / "data" / "cats_vs_dogs"
_FEATURES, _CLASSES, _SIDE = 16, 10, 96


def export_all(folder: pathlib.Path) -> None:
    """Write version 1 of each model below `folder`, and the photo for the requests."""
    import keras
    import tensorflow as tf

    dense = keras.Sequential(
        [
            keras.Input((_FEATURES,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(_CLASSES, activation="softmax"),
        ]
    )

    def pixels(encoded: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(encoded, channels=3)
        return tf.image.resize(image, [_SIDE, _SIDE])

    photos = _convolutional(_SIDE, 3)

    def serve(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.map_fn(pixels, image_bytes, fn_output_signature=tf.float32)
        return {"scores": photos(images)}

    _export(
        folder / "dense",
        dense,
        lambda features: {"scores": dense(features)},
        tf.TensorSpec([None, _FEATURES], tf.float32, name="features"),
    )
    cnn = _convolutional(28, 1)
    _export(
        folder / "cnn",
        cnn,
        lambda image: {"scores": cnn(image)},
        tf.TensorSpec([None, 28, 28, 1], tf.float32, name="image"),
    )
    _export(folder / "jpeg", photos, serve, tf.TensorSpec([None], tf.string, name="image_bytes"))
    (folder / "photo.jpg").write_bytes(_photo())


def inputs(folder: pathlib.Path, model: str, rows: int) -> dict[str, np.ndarray]:
    """What a request of `rows` rows feeds to `model`, by alias."""
    rng = np.random.default_rng(0)
    match model:
        case "dense":
            return {"features": rng.random((rows, _FEATURES), np.float32)}
        case "cnn":
            return {"image": rng.random((rows, 28, 28, 1), np.float32)}
        case _:
            photo = (folder / "photo.jpg").read_bytes()
            return {"image_bytes": np.array([photo] * rows, object)}


def _convolutional(side: int, channels: int):  # type: ignore[no-untyped-def]
    """As in the first lessons about Fashion-MNIST; takes pixels of 0 to 255."""
    import keras

    return keras.Sequential(
        [
            keras.Input((side, side, channels)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(_CLASSES, activation="softmax"),
        ]
    )


def _export(base, network, endpoint, spec) -> None:  # type: ignore[no-untyped-def]
    import keras

    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serving_default", endpoint, [spec])
    archive.write_out(str(base / "1"), verbose=False)


def _photo() -> bytes:
    """A real photo of median size, or a generated one if there are none."""
    files = sorted(_PHOTOS.rglob("*.jpg"), key=lambda file: file.stat().st_size)
    if files:
        return files[len(files) // 2].read_bytes()
    coarse = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((400, 320), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()
