"""Candidates for pictures, bounded by their work."""

import pytest

from millrace.components.candidates import image
from millrace.components.features.image_spec import ImageSpec


@pytest.mark.parametrize(
    ("side", "rows", "filters", "epochs"),
    [
        (8, 1000, (32, 64, 128), 30),
        (4, 1000, (32,), 30),
        (64, 20_000, (32, 64, 128), 3),
        (128, 4000, (16, 32, 64, 128), 10),
        (128, 1_000_000, (16, 32, 64, 128), 3),
    ],
)
def test_a_network_is_trained_as_long_as_its_work_allows(side, rows, filters, epochs):
    patches, cnn = image.of(ImageSpec(("a", "b"), side, side, 3), rows)
    assert (patches.name, cnn.name) == ("patches", "cnn")
    assert (cnn.model.filters, cnn.epochs) == (filters, epochs)
