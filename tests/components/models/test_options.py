"""Which options fit which kind of data."""

import pytest

from millrace.components.errors import OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.models.image_options import Augment
from millrace.components.models.options import check_augment

SERIES = SeriesSpec(("y",), 4, 3, "h", (0.0,), (1.0,), (1.0,))


def test_only_pictures_are_changed_in_training():
    check_augment(Augment(), SERIES)
    check_augment(Augment(mixup=0.2), ImageSpec(("a", "b"), 2, 2, 1))
    with pytest.raises(OptionError) as caught:
        check_augment(Augment(mixup=0.2), SERIES)
    assert str(caught.value) == (
        "trainer.augment.mixup: expected 0.0 for series data. Received: 0.2. Only pictures are "
        "changed in training; leave it out."
    )
