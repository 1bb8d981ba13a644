"""Large numbers of a table, which float32 makes equal."""

import re

import numpy as np
import pytest

from millrace.components.errors import DataError
from tests.components.analysis.test_table import choose

LEVEL = 6779547000


def rows(values, others=None):
    others = values if others is None else others
    return [
        {"x": other, "y": value, "town": ["Cork", "Galway"][n % 2]}
        for n, (value, other) in enumerate(zip(values, others, strict=True))
    ]


FINE = [float(n) + 0.5 for n in range(40)]
COARSE = [float(np.float32(LEVEL + 40 * (n % 12))) for n in range(40)]
WHOLE = [LEVEL + 40 * (n % 12) for n in range(40)]


@pytest.mark.parametrize("label", [COARSE, WHOLE, [float(np.float32(LEVEL))] * 40])
def test_a_label_that_float32_flattens_is_refused_and_the_advice_works(label):
    expected = r"Label 'y': .*float32's lie 512 apart\. Subtract a constant such as (\d+) from"
    with pytest.raises(DataError, match=expected) as refusal:
        choose(rows(label, FINE), label="y", problem="regression")
    constant = int(re.search(r"such as (\d+)", str(refusal.value)).group(1))
    exact = [LEVEL + 40 * (n % 12) - constant for n in range(40)]
    assert choose(rows(exact, FINE), label="y", problem="regression").target == "y"


@pytest.mark.parametrize(
    ("feature", "said"),
    [(COARSE, True), (WHOLE, True), (FINE, False), ([float(np.float32(LEVEL))] * 40, True)],
)
def test_a_feature_that_float32_flattens_is_named(feature, said, caplog):
    choose(rows(FINE, feature), label="y", problem="regression")
    warning = "column 'x': float32's numbers are 512 apart at its size"
    assert (warning in caplog.text) is said


def test_a_class_may_be_any_number():
    label = [LEVEL + n % 2 for n in range(40)]
    assert choose(rows(label, FINE), label="y", problem="classification").classes == (
        str(LEVEL),
        str(LEVEL + 1),
    )
