"""Artifacts of two roots, equal or not, and what differs."""

import json

import pytest
from etils.epath import Path

from benchmarks.digests import compared
from millrace.components.files.tfrecord import write_records


@pytest.fixture
def roots(tmp_path):
    """Two roots, and a function that writes a file of the artifact of `step` into one of them."""
    both = tmp_path / "before", tmp_path / "now"

    def place(root, step, name):
        path = root / "artifacts" / step / f"run of {root.name}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    return both, place


def test_records_are_equal_however_they_are_gzipped(roots):
    both, place = roots
    for root, level in zip(both, (1, 9), strict=True):
        write_records(Path(place(root, "transform", "a.gz")), [b"one", b"two" * 99], level=level)
    [(step, found)] = compared(*both)
    assert (step, found[:6]) == ("transform", "equal ")


def test_records_in_another_order_are_counted(roots):
    both, place = roots
    for root, records in zip(both, ([b"1", b"2", b"3"], [b"2", b"1", b"3", b"4"]), strict=True):
        write_records(Path(place(root, "transform", "a.gz")), records)
    assert [*compared(*both)] == [("transform", "a.gz: 2 differ, of 3 before and 4 now")]


def test_the_fields_of_json_that_differ_are_named(roots):
    both, place = roots
    values = {"a": {"b": 1, "gone": 0}, "c": 2}, {"a": {"b": 1, "new": 0}, "c": [3]}
    for root, value in zip(both, values, strict=True):
        place(root, "analyze", "analysis.json").write_text(json.dumps(value))
    difference = "a.gone only before, a.new only now, c 2 -> [3]"
    assert [*compared(*both)] == [("analyze", f"analysis.json: {difference}")]


def test_json_that_is_only_written_differently_differs(roots):
    both, place = roots
    for root, text in zip(both, ("[1,2]", "[1, 2]"), strict=True):
        place(root, "analyze", "analysis.json").write_text(text)
    assert [*compared(*both)] == [("analyze", "analysis.json: the same values, other bytes")]


def test_artifacts_and_files_that_only_one_has_are_named(roots):
    (before, now), place = roots
    place(before, "analyze", "old").write_text("")
    place(now, "analyze", "new").write_text("")
    place(now, "statistics_gen", "new").write_text("")
    assert [*compared(before, now)] == [
        ("analyze", "new: only now; old: only before"),
        ("statistics_gen", "only now"),
    ]
