"""Signatures over a Keras model, written as the SavedModel that a model server loads."""

import contextlib
import logging
from collections.abc import Iterator, Mapping

import keras
import tensorflow as tf
from etils.epath import Path

from components.exporting.signatures import METHODS, Endpoint


def write(endpoints: Mapping[str, Endpoint], folder: Path) -> None:
    """Write `endpoints`, and all the variables and tables that they use, to `folder`."""
    # The archive tracks the variables and tables of its endpoints. `track` on top of that would
    # write every weight a second time, under its Keras variable.
    archive = keras.export.ExportArchive()
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, input_signature=[signature])
    with _quiet():
        archive.write_out(str(folder), verbose=False)
        _name_methods(folder)


def _name_methods(folder: Path) -> None:
    """Give Classify's and Regress's signatures the method names that servers insist on.

    `tf.saved_model.save` calls every signature a Predict one.
    """
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    for name, method in METHODS.items():
        updater.replace_method_name(name, method)
    updater.save()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without TensorFlow's notes on where it wrote what and which inner names it changed."""
    loggers = [tf.get_logger(), logging.getLogger("absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
