"""SavedModels of TensorFlow Hub and Kaggle by their addresses: from a cache, or downloaded.

The caches are those that the libraries `tensorflow_hub` and `kagglehub` keep; with either library
and a network, what is not there is downloaded by it.
"""

import hashlib
import importlib
import os
import pathlib
import tempfile
from typing import Annotated

from etils.epath import Path
from pydantic import AfterValidator

from millrace.components.errors import ModelError
from millrace.components.files import paths

_TFHUB = ("https://tfhub.dev/", "http://tfhub.dev/")
_KAGGLE = ("kaggle://", "https://www.kaggle.com/models/")


def is_address(text: str) -> bool:
    """Whether `text` is the address of a model, not a folder."""
    return text.startswith((*_TFHUB, *_KAGGLE))


def _checked(text: str) -> str:
    return text if is_address(text) else paths.check(text)


Weights = Annotated[str, AfterValidator(_checked)]  # a path, or such an address


def local(weights: str, place: str) -> Path:
    """The file or folder that `weights` names, by its path or an address.

    Raises:
        ModelError: it is in no cache, and cannot be downloaded.
    """
    return Path(folder(weights, place) if is_address(weights) else weights).expanduser()


def folder(address: str, place: str) -> pathlib.Path:
    """The folder of the SavedModel at `address`.

    Args:
        address: such as `https://tfhub.dev/google/nnlm-en-dim50/2` or
            `kaggle://google/nnlm/tensorFlow2/en-dim50/1`.
        place: the option that holds it, for the error.

    Raises:
        ModelError: it is in no cache, and cannot be downloaded.
    """
    is_kaggle = address.startswith(_KAGGLE)
    cached = _of_kaggle(address) if is_kaggle else _of_tfhub(address)
    if (cached / "saved_model.pb").exists():
        return cached
    library, function = "tensorflow_hub", "resolve"
    if is_kaggle:
        library, function = "kagglehub", "model_download"
    try:
        get = getattr(importlib.import_module(library), function)
        return pathlib.Path(get(_handle(address) if is_kaggle else address))
    except ImportError:
        received = f"nothing in {cached}, and no library {library} to download it"
    except Exception as error:  # the libraries raise what their transports raise
        first = (str(error).splitlines() or [type(error).__name__])[0]
        received = f"nothing in {cached}, and {library} failed: {first}"
    raise ModelError(
        f"{place}={address}: expected a SavedModel in the cache, or a download. Received: "
        f"{received}. Unpack the model into that folder, run `pip install {library}` where there "
        "is a network, or give a folder that holds saved_model.pb."
    )


def _of_tfhub(address: str) -> pathlib.Path:
    """Where `tensorflow_hub` keeps it: below a folder called by the SHA-1 of the address."""
    cache = os.environ.get("TFHUB_CACHE_DIR") or str(
        pathlib.Path(tempfile.gettempdir()) / "tfhub_modules"
    )
    digest = hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    return pathlib.Path(cache) / digest


def _of_kaggle(address: str) -> pathlib.Path:
    """Where `kagglehub` keeps it: below a folder of the owner, the model, framework and version."""
    cache = os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"
    return pathlib.Path(cache).expanduser() / "models" / _handle(address)


def _handle(address: str) -> str:
    """`owner/model/framework/variation/version`."""
    for start in _KAGGLE:
        address = address.removeprefix(start)
    return address.strip("/")
