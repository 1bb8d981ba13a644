"""Which modules are a person's own."""

import json
from types import SimpleNamespace

import pytest

from millrace import pipeline
from millrace.pipeline import own_code


def module(file):
    return SimpleNamespace(__file__=file)


LIBRARIES = {"json": json, "pytest": pytest, "sys": SimpleNamespace(), "millrace.x": pipeline}


@pytest.mark.parametrize(
    ("others", "is_own"),
    [
        ({}, False),
        ({"__autograph_generated_file0": module("/made/__autograph_generated_file0.py")}, False),
        ({"__mp_main__": module("/home/me/run.py")}, False),
        ({"mine": module("/home/me/mine.py")}, True),
    ],
)
def test_modules_from_elsewhere_are_a_persons_own(monkeypatch, others, is_own):
    monkeypatch.setattr(own_code, "sys", SimpleNamespace(modules=LIBRARIES | others))
    assert own_code.is_imported() is is_own
