"""TensorFlow without Keras, in a third of the time.

TensorFlow imports Keras whenever it is imported itself, so that optimizers are registered for
`tf.saved_model.load`; Keras in turn imports scikit-learn and matplotlib where it finds them. A
model server and preprocessing use none of them. `import keras` works afterwards as at any time.
"""

import gc
import importlib
import logging
import sys

_BLOCKED = "keras.src"  # TensorFlow passes over an ImportError from it
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
        importlib.import_module("tensorflow")
    finally:
        sys.modules.pop(_BLOCKED, None)  # another thread may have done the same
        if collects:
            gc.enable()
