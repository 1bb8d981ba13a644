"""TensorFlow's import without Keras, in a process of its own."""

import os
import pty
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


def test_on_a_terminal_what_its_cpp_says_is_left_out_and_all_else_is_not():
    code = """
import importlib, os
from millrace.serving import tensorflow_import

def import_module(name):
    os.write(2, b"I0000 00:00:1795989596.749441    3964 port.cc:153] oneDNN operations are on.\\n")
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\\n")
    os.write(2, b"a library warns\\n")

importlib.import_module = import_module
tensorflow_import.load()
os.write(2, b"E0000 00:00:1795989596.749441    3964 a.cc:1] afterwards\\n")
"""
    reader, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=terminal, check=True)
    shown = os.read(reader, 10_000).decode().splitlines()
    assert shown == [
        "a library warns",
        "E0000 00:00:1795989596.749441    3964 a.cc:1] afterwards",
    ]
    os.close(reader)
    os.close(terminal)
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert piped.stderr.startswith("I0000")
