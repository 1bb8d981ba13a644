"""SavedModels by their addresses, from caches laid out as the hubs' libraries do."""

import sys

import pytest
import tensorflow as tf

from millrace.components.errors import ModelError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import hub, image
from millrace.components.models.image_options import Augment, Transfer

TFHUB = "https://tfhub.dev/google/small/1"
KAGGLE = "kaggle://google/small/tensorFlow2/plain/1"


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Empty ones, and no library that could download."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tfhub"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    return tmp_path


@pytest.mark.parametrize(
    ("address", "place"),
    [
        # sha1sum of the address
        (TFHUB, "tfhub/2c562f18c0440509e77b602437bf11c0e72db1d9"),
        (KAGGLE, "kaggle/models/google/small/tensorFlow2/plain/1"),
    ],
    ids=["tfhub", "kaggle"],
)
def test_a_model_in_the_cache_becomes_the_backbone(address, place, caches):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 3], tf.float32)])
    def serve(pictures):
        return {"features": tf.reduce_mean(pictures, (1, 2))}

    tf.saved_model.save(module, str(caches / place), {"serving_default": serve})
    options = Transfer(backbone="saved_model", weights=address)
    spec = ImageSpec(("a", "b"), 4, 4, 3)
    model = image.build(options, Augment(), spec, units=1, activation="sigmoid").inference
    assert model.get_layer("backbone").output.shape == (None, 3)


@pytest.mark.parametrize(
    ("address", "library"),
    [(TFHUB, "tensorflow_hub"), (KAGGLE, "kagglehub")],
    ids=["tfhub", "kaggle"],
)
def test_without_cache_and_library_the_error_names_both_and_the_fix(address, library, caches):
    with pytest.raises(ModelError, match=rf"in the cache.*no library {library}.*pip install"):
        hub.folder(address, "trainer.model.weights")


def test_other_texts_are_no_addresses():
    assert not any(map(hub.is_address, ("imagenet", "/models/small", "https://example.org/a")))
