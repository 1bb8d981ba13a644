"""`.keras` files, with the user's modules that must be imported to load one.

Keras finds a layer by the name that its module registers when imported. `modules.json` beside the
file lists these modules; without it there are none.
"""

import json
from collections.abc import Sequence

import keras
from etils.epath import Path

from millrace.components.errors import ModelError
from millrace.components.models import temperature  # noqa: F401 - a layer that Keras finds by name
from millrace.components.user_code import references

_MODULES = "modules.json"


def save(model: keras.Model, file: Path, modules: Sequence[str] = ()) -> None:
    """Write `model`; if it uses layers of the user's `modules`, prove that it can be loaded again.

    Raises:
        ModelError: it cannot.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save(file)
    if not modules:
        return
    (file.parent / _MODULES).write_text(json.dumps(list(modules)))
    try:
        keras.models.load_model(file, compile=False)
    except Exception as error:
        raise ModelError(
            f"{', '.join(modules)}: expected layers that Keras can save and load. "
            f"Received: {type(error).__name__}: {str(error).strip()[:400]}. Decorate each of "
            "your own classes and functions with @keras.saving.register_keras_serializable("
            "package='…'), give layers with arguments a get_config, and use no Lambda."
        ) from error


def save_again(model: keras.Model, file: Path) -> None:
    """Write `model` in place of the one in `file`, which it was made from.

    Raises:
        ModelError: it cannot be loaded again.
    """
    beside = file.parent / _MODULES
    save(model, file, json.loads(beside.read_text()) if beside.exists() else ())


def load(file: Path) -> keras.Model:
    """The model in `file`, uncompiled, its modules imported first.

    Raises:
        OptionError: a module no longer exists.
    """
    beside = file.parent / _MODULES
    if beside.exists():
        for module in json.loads(beside.read_text()):
            references.import_module(module, str(file))
    return keras.models.load_model(file, compile=False)


def copy(source: Path, target: Path) -> None:
    """Copy the file `source`, and the list of modules beside it, to `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.copy(target)
    if (source.parent / _MODULES).exists():
        (source.parent / _MODULES).copy(target.parent / _MODULES)
