"""The figures that every task writes."""

from millrace.components.evaluating import files
from millrace.components.evaluating.scoring import CANDIDATE, Key, Scored


def described(count):
    return {"count": count, "metrics": {"mae": float(count)}}


def around(key, metrics):
    return {"mae": (metrics["mae"] - 1, key.value)}


def test_slices_are_in_the_order_of_the_splits_whole_numbers_before_text():
    values = [("eval", "b"), ("eval", "10"), ("eval", "9"), ("eval", "a"), ("test", "7")]
    scored = Scored(sums={Key(split, CANDIDATE, "size", value): 1 for split, value in values})
    found = files.slices(scored, ["test", "eval"], described, around, is_compared=False)
    assert [(each["split"], each["value"]) for each in found] == [
        ("test", "7"),
        ("eval", "9"),
        ("eval", "10"),
        ("eval", "a"),
        ("eval", "b"),
    ]


def test_of_many_slices_those_with_the_most_rows_have_intervals(monkeypatch):
    monkeypatch.setattr(files, "_SURROUNDED", 2)
    counts = {"a": 3, "b": 1, "c": 2}
    scored = Scored(sums={Key("test", CANDIDATE, "size", v): n for v, n in counts.items()})
    found = files.slices(scored, ["test"], described, around, is_compared=False)
    assert [each["intervals"] for each in found] == [{"mae": (2.0, "a")}, {}, {"mae": (1.0, "c")}]
