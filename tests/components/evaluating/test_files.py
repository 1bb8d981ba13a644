"""The figures that every task writes."""

from millrace.components.evaluating import files
from millrace.components.evaluating.scoring import CANDIDATE, Key, Scored


def test_slices_are_in_the_order_of_the_splits_whole_numbers_before_text():
    values = [("eval", "b"), ("eval", "10"), ("eval", "9"), ("eval", "a"), ("test", "7")]
    scored = Scored(sums={Key(split, CANDIDATE, "size", value): 1 for split, value in values})
    found = files.slices(scored, ["test", "eval"], lambda _: {}, is_compared=False)
    assert [(each["split"], each["value"]) for each in found] == [
        ("test", "7"),
        ("eval", "9"),
        ("eval", "10"),
        ("eval", "a"),
        ("eval", "b"),
    ]
