"""Columns that give the label away, and those that do not."""

import numpy as np
import pytest

from millrace.components.analysis.table_leaks import find
from millrace.components.files import columns
from millrace.serving.example import encode

RNG = np.random.default_rng(7)
X, Z = (RNG.normal(size=60).astype(np.float32) for _ in range(2))
BITS = RNG.integers(0, 2, 60)
WEIGHED = "it is a weighted sum of them"
PRODUCT = "it is a product or quotient of them"
TOWNS = [[b"Cork"], [b"Galway"]]


def rows(count=60, **values):
    found = [
        {
            name: value if isinstance(value, list) else np.array([value])
            for name, column in values.items()
            if (value := column[row]) is not None
        }
        for row in range(count)
    ]
    return columns.of_records(list(map(encode, found)), "f")


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"a": BITS, "x": X, "y": BITS}, {"a": "each of its 2 values has one label only"}),
        (
            {"a": [TOWNS[bit] for bit in BITS], "x": X, "y": BITS},
            {"a": "each of its 2 values has one label only"},
        ),
        (
            {"a": [1.5 if bit else None for bit in BITS], "y": BITS},
            {"a": "each of its 2 values has one label only"},
        ),
        ({"a": X, "z": Z, "y": X}, {"a": "holds the same values"}),
        ({"a": 3 - 2 * X, "z": Z, "y": X}, {"a": "follows from it by a straight line"}),
        ({"a": X, "z": Z, "y": X + Z}, {"a + z": "add up to it"}),
        ({"a": X, "z": Z, "y": X - Z}, {"a + z": "differ by it"}),
        ({"a": X, "b": X * Z, "z": Z, "y": 3 * X - 2 * Z + 7}, {"a + z": WEIGHED}),
        (
            {"a": X, "b": X * Z, "c": X**2, "z": Z, "y": X + 2 * X * Z - Z},
            {"a + b + z": WEIGHED},
        ),
        ({"a": X, "n": 1 + X**2, "p": 2 + Z**2, "y": (1 + X**2) * (2 + Z**2)}, {"n + p": PRODUCT}),
    ],
)
def test_what_gives_the_label_away(cells, found):
    assert find(rows(**cells), "y", [name for name in cells if name != "y"]) == found


@pytest.mark.parametrize(
    "cells",
    [
        {"a": X, "y": (X > 0).astype(int)},
        {"a": np.where(np.arange(60) == 3, 1 - BITS, BITS), "y": BITS},
        {"a": X, "z": Z, "y": X + Z + np.where(np.arange(60) == 3, 0.1, 0)},
        {"a": X, "y": X + 0.05 * Z},
        {"a": X, "z": Z, "y": 2 * X - Z + 0.05 * X * Z},
        {**{f"c{place}": RNG.normal(size=60) for place in range(20)}, "y": X},
        {"a": [TOWNS[0]] * 60, "y": BITS},
    ],
)
def test_what_does_not(cells):
    assert find(rows(**cells), "y", [name for name in cells if name != "y"]) == {}


def test_few_rows_say_nothing():
    assert find(rows(19, a=BITS, y=BITS), "y", ["a"]) == {}
    assert find(rows(20, a=BITS, y=BITS), "y", ["a"]) != {}


def test_rows_of_several_labels_say_nothing():
    twice = [[b"no", b"yes"] if row == 3 else TOWNS[bit] for row, bit in enumerate(BITS)]
    assert find(
        rows(a=[1 if row == 3 else bit for row, bit in enumerate(BITS)], y=twice), "y", ["a"]
    )
