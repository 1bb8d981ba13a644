"""What is kept of scored rows: the same in any parts, and by slice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Rejected
from millrace.components.errors import OptionError
from millrace.components.evaluating import scoring
from millrace.components.evaluating.significance import Differences
from millrace.components.inference.saved_model import Row

QUESTIONS = scoring.Questions("label", ("label", "size"), 8, mistakes=4)


def row(source, letter, position="", **features):
    return Row(source, position, {"input": [bytes([letter])], **features})


def fake_rows(truths):
    return [
        row(f"{n}.png", 97 + (n * 7) % 3, position=str(n), label=[t], size=np.array([n % 2]))
        for n, t in enumerate(truths)
    ]


def fake_model(rows):
    """Scores by the input's letter."""
    letters = [row.features["input"][0][0] for row in rows]
    scores = np.array([np.roll([0.7, 0.2, 0.1], letter - 97) for letter in letters])
    return {"scores": scores, "classes": np.array([[b"a", b"b", b"c"]] * len(rows), object)}


@given(
    truths=st.lists(st.sampled_from([b"a", b"b", b"c", b"?"]), max_size=20), cut=st.integers(0, 20)
)
def test_any_partition_of_the_rows_scores_the_same(truths, cut):
    rows = fake_rows(truths)
    parts = [
        scoring.score_batch("test", part, [fake_model, fake_model], QUESTIONS)
        for part in (rows[:cut], rows[cut:])
    ]
    whole = scoring.score_batch("test", rows, [fake_model, fake_model], QUESTIONS)
    merged = scoring.merge(parts, 4)
    assert merged == scoring.merge([whole], 4)
    assert merged == scoring.merge([scoring.merge(parts[1:], 4), parts[0]], 4)
    counted = merged.tallies.get(scoring.Key("test", scoring.CANDIDATE))
    assert (counted.count if counted else 0) + len(merged.rejected) == len(truths)


def test_rows_that_the_baseline_refuses_are_judged_and_it_is_not_compared():
    def refusing(rows):
        from millrace.serving.errors import InvalidArgumentError

        if any(row.features["input"] == [b"b"] for row in rows):
            raise InvalidArgumentError("no b")
        return fake_model(rows)

    rows = fake_rows([b"a", b"a", b"a"])  # inputs a, b, c
    scored = scoring.score_batch("test", rows, [fake_model, refusing], QUESTIONS)
    assert scored.tallies[scoring.Key("test", scoring.CANDIDATE)].count == 3
    assert scored.rejected == ()
    answered = scoring.score_batch("test", rows[:1], [fake_model, refusing], QUESTIONS)
    both = scoring.merge([scored, answered], 4)
    assert both.tallies[scoring.Key("test", scoring.BASELINE)].count == 1
    counts = {key: counted.count for key, counted in both.tallies.items()}
    assert not scoring.is_compared(counts)
    assert scoring.is_compared(dict.fromkeys(counts, 4))
    assert not scoring.is_compared({scoring.Key("test", scoring.CANDIDATE): 4})


def test_rows_that_the_candidate_refuses_are_set_aside_for_both():
    def refusing(rows):
        from millrace.serving.errors import InvalidArgumentError

        if any(row.features["input"] == [b"b"] for row in rows):
            raise InvalidArgumentError("no b")
        return fake_model(rows)

    rows = fake_rows([b"a", b"a", b"a"])
    scored = scoring.score_batch("test", rows, [refusing, fake_model], QUESTIONS)
    for model in (scoring.CANDIDATE, scoring.BASELINE):
        assert scored.tallies[scoring.Key("test", model)].count == 2
    assert scored.rejected == (Rejected("1.png", "candidate: no b", "1"),)


def test_of_each_row_it_is_kept_which_of_the_two_is_right():
    def always_a(rows):
        return fake_model([row("", 97) for _ in rows])

    rows = fake_rows([b"a", b"a", b"b", b"a"])  # inputs a, b, c, a
    scored = scoring.score_batch("test", rows, [always_a, fake_model], QUESTIONS)
    # right: always_a on the rows 0, 1 and 3, fake_model on 0 and 3
    assert scored.paired == {"test": Differences.of([0, 1, 0, 0])}


def test_a_row_with_several_values_is_in_each_slice_and_one_with_none_in_its_own():
    rows = [
        row("0", 97, label=[b"a"], tag=[b"x", b"y"]),
        row("1", 97, label=[b"a"], tag=np.array([0.5], np.float32)),
        row("2", 97, label=[b"a"]),
    ]
    questions = scoring.Questions("label", ("tag",), 8, 4)
    scored = scoring.score_batch("test", rows, [fake_model], questions)
    assert sorted(key.value for key in scored.tallies if key.feature) == [
        "(missing)",
        "0.5",
        "x",
        "y",
    ]


def test_a_feature_of_too_many_values_is_refused(monkeypatch):
    monkeypatch.setattr(scoring, "MOST_SLICES", 2)
    part = scoring.score_batch("test", fake_rows([b"a", b"b", b"c"]), [fake_model], QUESTIONS)
    with pytest.raises(
        OptionError,
        match=r"slices: expected features of at most 2 values\. "
        r"Received: 'label', which has more in split 'test'",
    ):
        scoring.merge([part], 4)
