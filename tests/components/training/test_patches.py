"""The network of patches, its weights computed from pictures on disk."""

import numpy as np
import pytest

from millrace.components.models import keras_file
from millrace.components.models.image_options import Patches
from millrace.components.trainer import trainer
from tests.components import transformed


@pytest.mark.parametrize(("classes", "output"), [(2, "probabilities"), (3, "logits")])
def test_pictures_of_bright_columns_are_told_apart(classes, output, tmp_path):
    data = transformed.write(tmp_path / "data", classes=classes, side=8)
    (out := tmp_path / "out").mkdir()
    (resume := tmp_path / "resume").mkdir()
    model = Patches(typical=8)
    trained = trainer(*data, None, out, resume, model=model, output=output)
    network = keras_file.load(trained.keras_file)
    pixels, labels = zip(*transformed.pictures(30, classes, (8, 8, 1), seed=7), strict=True)
    found = network(np.stack(pixels)).numpy()
    middle = 0.5 if output == "probabilities" else 0.0
    said = found.argmax(1) if classes > 2 else (found[:, 0] > middle)
    np.testing.assert_array_equal(said, labels)
    assert trained.history_file.read_text().count("\n") == 2
