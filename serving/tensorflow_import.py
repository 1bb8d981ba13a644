"""TensorFlow without Keras, in a third of the time.

TensorFlow imports Keras whenever it is imported itself, so that optimizers are registered for
`tf.saved_model.load`; Keras in turn imports scikit-learn and matplotlib where it finds them. A
model server and preprocessing use none of them. `import keras` works afterwards as at any time.

What TensorFlow's C++ says of the machine as it starts is for logs: on a terminal it is left out.
"""

import contextlib
import gc
import importlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_BLOCKED = "keras.src"  # TensorFlow passes over an ImportError from it
# `I0000 00:00:1795989596.749441    3964 port.cc:153] …`
_OF_CPP = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\d+\.\d+ +\d+ \S+:\d+\] |WARNING: All log messages before absl::|"
    rb"To enable the following instructions: "
)
_log = logging.getLogger(__name__)


def load() -> None:
    """Import TensorFlow, if that is still to be done, and leave Keras out.

    Call it where no other thread imports Keras.
    """
    if "tensorflow" in sys.modules or _BLOCKED in sys.modules:
        return
    _log.info("importing TensorFlow")
    collects = gc.isenabled()
    gc.disable()  # it would look through ever more functions and classes, which all stay
    sys.modules[_BLOCKED] = None  # type: ignore[assignment]  # makes `import` raise ImportError
    try:
        with _without_its_lines():
            importlib.import_module("tensorflow")
    finally:
        sys.modules.pop(_BLOCKED, None)  # another thread may have done the same
        if collects:
            gc.enable()


@contextlib.contextmanager
def _without_its_lines() -> Iterator[None]:
    """Keep what C++ logs out of a terminal while the block runs; all else is written after it."""
    if not _is_terminal():
        yield
        return
    with tempfile.TemporaryFile() as said:
        terminal = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            said.seek(0)
            others = [line for line in said if not _OF_CPP.match(line)]
            os.write(terminal, b"".join(others))
            os.close(terminal)


def _is_terminal() -> bool:
    try:
        return os.isatty(2)
    except OSError:
        return False
