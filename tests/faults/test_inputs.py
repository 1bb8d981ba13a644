"""Hostile inputs: some of each cheap kind, and that what may not happen is seen."""

import os
import time

import pytest

from millrace.components.errors import DataError
from tests.faults import hostile, inputs
from tests.faults.kill import Lost


def case(read, **options):
    return hostile.Case("a", hostile.put({"file": b"1"}), read, **options)


def refuse(text):
    def read(folder):
        raise DataError(text)

    return read


def test_configurations_are_refused_or_accepted(tmp_path):
    cases = [one for one in hostile.configuration() if one.name.startswith(("models", "schema"))]
    ends = [inputs.tried(one, tmp_path / "tried") for one in cases]
    assert len(ends) == 36
    assert {end.partition(":")[0] for end in ends} == {"accepted", "refused"}


def test_a_refusal_is_told(tmp_path):
    assert inputs.tried(case(refuse("no. Correct it.")), tmp_path / "a") == (
        "refused: no. Correct it."
    )


def test_more_lines_than_two_are_lost_but_for_those_that_name_what_was_set_aside(tmp_path):
    assert inputs.told("some:\n  a\n  b\n  c\nCorrect them.") == "some:"
    for text in ("", "a\nb\nc", "Traceback (most recent call last)"):
        with pytest.raises(Lost, match="refused in"):
            inputs.told(text)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda folder: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        (lambda folder: os.kill(os.getpid(), 9), "ended by signal 9"),
        (lambda folder: bytearray(2**40), "MemoryError: "),
        (lambda folder: time.sleep(60), "hangs"),
    ],
    ids=["raises", "crashes", "eats memory", "hangs"],
)
def test_what_crashes_hangs_or_eats_memory_is_lost(tmp_path, monkeypatch, read, text):
    monkeypatch.setattr(inputs, "PATIENCE", 0.5)
    with pytest.raises(Lost) as lost:
        inputs.tried(case(read), tmp_path / "a")
    assert str(lost.value) == text
