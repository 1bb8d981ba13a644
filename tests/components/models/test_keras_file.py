"""A model with layers of one's own is loaded by a process that has never heard of them."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from etils.epath import Path

from millrace.components.errors import ModelError, OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.models import keras_file
from tests.components.models import own_models

SPEC = ImageSpec(("ant", "bee", "cat"), 2, 2, 1)
OWN = "tests.components.models.own_models"

LOAD = """
import sys, numpy, etils.epath
from millrace.components.models import keras_file
model = keras_file.load(etils.epath.Path(sys.argv[1]))
print("scores", *model(numpy.ones((1, 2, 2, 1), "uint8")).numpy()[0])
"""


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    return own_models.flat(SPEC, units=3, activation="softmax")


def test_a_fresh_process_imports_the_modules_and_answers_the_same(tmp_path, model):
    file = Path(tmp_path / "a" / "model.keras")
    keras_file.save(model, file, [OWN])
    copied = Path(tmp_path / "b" / "model.keras")
    keras_file.copy(file, copied)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, copied], capture_output=True, text=True, check=True
    )
    said = next(line for line in done.stdout.splitlines() if line.startswith("scores"))
    expected = model(np.ones((1, 2, 2, 1), "uint8")).numpy()[0]
    assert [float(text) for text in said.split()[1:]] == pytest.approx(expected, abs=1e-6)


def test_a_model_of_keras_layers_alone_has_no_modules_beside_it(tmp_path):
    inputs = keras.Input((2,))
    file = Path(tmp_path / "model.keras")
    keras_file.save(keras.Model(inputs, keras.layers.Dense(1)(inputs)), file)
    assert [entry.name for entry in file.parent.iterdir()] == ["model.keras"]
    assert keras_file.load(file).count_params() == 3


def test_a_layer_that_is_not_registered_is_refused_when_it_is_saved(tmp_path):
    model = own_models.unregistered(SPEC, units=3, activation="softmax")
    with pytest.raises(ModelError) as caught:
        keras_file.save(model, Path(tmp_path / "model.keras"), [OWN])
    assert str(caught.value).startswith(
        f"{OWN}: expected layers that Keras can save and load. Received: TypeError:"
    )
    assert "@keras.saving.register_keras_serializable(package='…')" in str(caught.value)


def test_a_module_that_is_gone_is_named(tmp_path, model):
    file = Path(tmp_path / "model.keras")
    keras_file.save(model, file, [OWN])
    (file.parent / "modules.json").write_text(json.dumps(["gone.model"]))
    with pytest.raises(OptionError, match=r"Received: gone\.model, and there is no gone"):
        keras_file.load(file)
