"""The arithmetic of map sizes, and the refusal of pictures too small for their model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.models import sizes
from millrace.components.models.image_options import Cnn


def test_the_course_model_leaves_five_pixels_of_28():
    assert sizes.after_blocks(Cnn(), 28, 28) == [(13, 13), (5, 5)]


@given(
    size=st.integers(1, 50),
    window=st.integers(1, 9),
    stride=st.integers(1, 4),
    padding=st.sampled_from(["valid", "same"]),
)
def test_a_window_stops_as_often_as_it_fits(size, window, stride, padding):
    last = size if padding == "same" else size - window + 1
    expected = len(range(0, last, stride))
    assert max(sizes.after_window(size, window, stride, padding), 0) == expected


def test_no_pooling_and_strides_are_counted_as_well():
    options = Cnn(filters=(4,), convolutions=2, strides=2, padding="same", pooling="none")
    assert sizes.after_blocks(options, 9, 6) == [(3, 2)]


def test_a_kernel_larger_than_its_map_is_refused_by_name():
    with pytest.raises(OptionError) as caught:
        sizes.after_blocks(Cnn(filters=(4, 4, 4)), 12, 16)
    assert str(caught.value) == (
        "trainer.model.kernel_size, convolution 1 in block 3 of pictures of 12 x 16: expected "
        "maps of at least 3 x 3. Received: 1 x 2. Use padding=same, fewer or smaller blocks, or "
        "larger pictures (analyze.features.height)."
    )


def test_a_pool_larger_than_its_map_is_refused_by_name():
    with pytest.raises(OptionError, match=r"pool_size, pooling in block 2 of .*Received: 1 x 1"):
        sizes.after_blocks(Cnn(), 8, 8)
