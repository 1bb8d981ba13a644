"""TensorFlow's names for types, and numpy's."""

import sys

import numpy as np
import pytest

from millrace.serving.dtypes import data_type, numpy_dtype, type_name
from millrace.serving.errors import WireError


def test_types_have_tensorflows_names():
    assert [type_name(number) for number in (1, 7, 14, 11, 99)] == [
        *("float32", "string", "bfloat16", "qint8", "99")
    ]
    assert data_type(np.dtype("float64")) == "DT_DOUBLE"


def test_a_type_that_numpy_lacks_is_refused_with_the_package_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(
        WireError, match=r"^Tensor of bfloat16: .* Received: no such package\. Install it: pip"
    ):
        numpy_dtype("bfloat16")
