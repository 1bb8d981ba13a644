"""Nothing is lost from the count, and too much set aside stops the step."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Examples, Rejected, SetAside
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.tally import IngestTally, finish

NAMES = st.sampled_from(["a", "b", "c"])
REJECTED = st.lists(st.builds(Rejected, st.text(), st.text(), st.text()))
TALLIES = st.builds(
    IngestTally,
    st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(1, 9))),
    *(REJECTED, REJECTED.map(SetAside.of), REJECTED),
    st.dictionaries(NAMES, st.integers(1, 9)),
    st.integers(0, 9),
)


@given(st.lists(TALLIES))
def test_tallies_add_up_in_every_class(tallies):
    total = IngestTally()
    for tally in tallies:
        total.add(tally)
    for split in "abc":
        for label in "abc":
            parts = [tally.written.get(split, {}).get(label, 0) for tally in tallies]
            assert total.written.get(split, {}).get(label, 0) == sum(parts)
    for aside in ("rejected", "unlabelled", "bad_cells"):
        assert list(getattr(total, aside)) == [
            item for tally in tallies for item in getattr(tally, aside)
        ]
    assert total.duplicates == sum(tally.duplicates for tally in tallies)
    for name in "abc":
        assert total.remarks.get(name, 0) == sum(tally.remarks.get(name, 0) for tally in tallies)


@pytest.fixture
def examples(out):
    for split in ("train", "eval"):
        (out / f"Split-{split}").mkdir()
    return Examples(out)


def test_the_summary_and_the_log_say_what_happened(examples, caplog):
    caplog.set_level(logging.INFO, "millrace.components")
    tally = IngestTally({"eval": {"cat": 1}, "train": {"cat": 2, "dog": 96}})
    tally.rejected.append(Rejected("x.png", "empty file", "line 3"))
    finish("step", examples, tally, [".DS_Store"], 0.01)
    assert [record.getMessage() for record in caplog.records] == [
        "step: 99 images of 2 classes (train 98, eval 1); 1 rejected, 1 ignored",
        "rejected x.png, line 3: empty file",
        "no images in split eval: dog",
    ]
    assert examples.summary == {
        "counts": {"train": 98, "eval": 1},
        "rejected": 1,
        "notes": {"found": 101, "ignored": 1, "classes": 2, "gaps": "eval: dog"},
    }
    assert list(examples.rejected()) == tally.rejected


def test_records_of_another_kind_are_called_by_their_name_with_what_was_done_to_them(
    examples, caplog
):
    caplog.set_level(logging.INFO, "millrace.components")
    tally = IngestTally({"train": {"": 3}, "eval": {"": 1}}, duplicates=2)
    tally.count("train", "", "read as latin_1")
    finish("step", examples, tally, [], 0.01, what="texts", notes={"encoding": "utf_8"})
    assert [record.getMessage() for record in caplog.records] == [
        "step: 5 texts (train 4, eval 1); 0 rejected, 0 ignored",
        "2 texts repeat another's content",
        "1 texts: read as latin_1",
    ]
    assert examples.summary["notes"] == {
        **{"found": 5, "ignored": 0, "classes": 0, "gaps": ""},
        **{"duplicates": 2, "read as latin_1": 1, "encoding": "utf_8"},
    }


def test_over_the_limit_the_step_fails(examples):
    tally = IngestTally({"train": {"a": 90}, "eval": {"a": 3}})
    tally.rejected.extend(Rejected(f"{i}.png", "empty file") for i in range(7))
    with pytest.raises(DataError, match=r"^step: expected at most 5\.00% .* 7 of 100 \(7\.00%\)"):
        finish("step", examples, tally, [], 0.05)
    assert finish("step", examples, tally, [], 0.07).counts == {"train": 90, "eval": 3}


def test_nothing_written_is_refused_whatever_the_limit(examples):
    tally = IngestTally({"train": {}, "eval": {}}, [Rejected("a", "empty file")])
    with pytest.raises(DataError, match=r"1 of 1 \(100\.00%\):\n.*\nCorrect or remove them\.$"):
        finish("step", examples, tally, [], 1.0)
    with pytest.raises(DataError, match=r"^step: expected texts\. Received: none\."):
        finish("step", examples, IngestTally({"train": {}, "eval": {}}), [], 1.0, what="texts")


def test_rows_set_aside_are_named_in_the_order_of_their_numbers(examples, caplog):
    tally = IngestTally({"train": {"a": 90}, "eval": {"a": 3}})
    tally.rejected.extend(Rejected("a.csv", "no label", f"line {n}") for n in (10, 9))
    with caplog.at_level("WARNING"):
        finish("step", examples, tally, [], 0.05)
    assert caplog.messages[:2] == [
        "rejected a.csv, line 9: no label",
        "rejected a.csv, line 10: no label",
    ]
