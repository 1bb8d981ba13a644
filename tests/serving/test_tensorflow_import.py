"""TensorFlow's import without Keras, in a process of its own."""

import subprocess
import sys

import pytest

LOADED = "print('keras.src' in sys.modules, 'sklearn' in sys.modules, gc.isenabled())"


@pytest.mark.parametrize(
    ("before", "loaded"),
    [
        ("", "False False True"),
        ("gc.disable()", "False False False"),
        ("import keras", "True True True"),
    ],
)
def test_keras_is_left_out_unless_it_is_there_and_can_be_imported_afterwards(before, loaded):
    code = f"""
import gc, sys
{before}
from millrace.serving import tensorflow_import
tensorflow_import.load()
{LOADED}
tensorflow_import.load()
import keras, tensorflow as tf
layer = tf.keras.layers.Dense(2, kernel_initializer="ones")
print(layer(tf.constant([[1.0, 2.0]])).numpy().tolist(), tf.keras.Layer is keras.Layer)
print(tf.keras.optimizers.Adam is keras.optimizers.Adam)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [loaded, "[[3.0, 3.0]] True", "True"]
