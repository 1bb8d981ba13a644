"""How a version is loaded while requests to others are answered."""

import sys

import pytest

from millrace.serving import loading
from millrace.serving.flags import Options

USUAL, OFTEN = sys.getswitchinterval(), pytest.approx(0.0001)


def test_threads_take_turns_more_often_while_a_version_loads(half_plus_two, monkeypatch):
    seen = []
    note = lambda: seen.append(sys.getswitchinterval())  # noqa: E731
    monkeypatch.setattr(loading.tensorflow_import, "load", note)
    loading.Loader(Options(), None)(half_plus_two).close()
    assert seen == [OFTEN]
    assert sys.getswitchinterval() == USUAL


def test_threads_take_turns_as_usual_once_the_last_of_several_loads_has_ended():
    with loading.yielding():
        with loading.yielding():
            pass
        assert sys.getswitchinterval() == OFTEN
    assert sys.getswitchinterval() == USUAL
