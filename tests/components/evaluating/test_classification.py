"""What is kept of scored rows: the same in any parts, and by slice."""

import json
import math

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Rejected
from millrace.components.errors import ModelError, OptionError
from millrace.components.evaluating import classification, classification_files, scoring
from millrace.components.evaluating.classification import AnsweredRow, ScoredClassification
from millrace.components.evaluating.significance import Differences
from tests.components.asked import Asked, features_of, rows_of

CONFIG = scoring.EvalConfig("label", ("label", "size"), 8, mistakes=4)


def row(source, letter, position="", **features):
    return Asked(source, position, {"input": [bytes([letter])], **features})


def fake_rows(truths):
    return [
        row(f"{n}.png", 97 + (n * 7) % 3, position=str(n), label=[t], size=np.array([n % 2]))
        for n, t in enumerate(truths)
    ]


def score(rows, models, config):
    return classification.score_batch("test", rows_of(rows), models, config)


def fake_model(rows):
    """Scores by the input's letter."""
    letters = [features["input"][0][0] for features in features_of(rows)]
    scores = np.array([np.roll([0.7, 0.2, 0.1], letter - 97) for letter in letters])
    return {"scores": scores, "classes": np.array([[b"a", b"b", b"c"]] * len(rows), object)}


@given(
    truths=st.lists(st.sampled_from([b"a", b"b", b"c", b"?"]), max_size=20), cut=st.integers(0, 20)
)
def test_any_partition_of_the_rows_scores_the_same(truths, cut):
    rows = fake_rows(truths)
    parts = [score(part, [fake_model, fake_model], CONFIG) for part in (rows[:cut], rows[cut:])]
    whole = score(rows, [fake_model, fake_model], CONFIG)
    merged = ScoredClassification.merged(parts, 4)
    assert merged == ScoredClassification.merged([whole], 4)
    assert merged == ScoredClassification.merged(
        [ScoredClassification.merged(parts[1:], 4), parts[0]], 4
    )
    counted = merged.sums.get(scoring.Key("test", scoring.CANDIDATE))
    assert (counted.count if counted else 0) + len(merged.rejected) == len(truths)


def test_rows_that_the_baseline_refuses_are_judged_and_it_is_not_compared():
    def refusing(rows):
        from millrace.serving.errors import InvalidArgumentError

        if any(features["input"] == [b"b"] for features in features_of(rows)):
            raise InvalidArgumentError("no b")
        return fake_model(rows)

    rows = fake_rows([b"a", b"a", b"a"])  # inputs a, b, c
    scored = score(rows, [fake_model, refusing], CONFIG)
    assert scored.sums[scoring.Key("test", scoring.CANDIDATE)].count == 3
    assert scored.rejected == ()
    answered = score(rows[:1], [fake_model, refusing], CONFIG)
    both = ScoredClassification.merged([scored, answered], 4)
    assert both.sums[scoring.Key("test", scoring.BASELINE)].count == 1
    assert not both.is_compared
    assert answered.is_compared
    assert not score(rows, [fake_model], CONFIG).is_compared


def _model_of(classes):
    """`fake_model` with its scores in the order of `classes`."""

    def model(rows):
        scores = fake_model(rows)["scores"][:, ["abc".index(name) for name in classes.lower()]]
        names = [name.encode() for name in classes]
        return {"scores": scores, "classes": np.array([names] * len(rows), object)}

    return model


def test_a_baseline_is_judged_by_its_own_order_of_the_classes():
    rows = fake_rows([b"a", b"b", b"a"])
    scored = score(rows, [fake_model, _model_of("cab")], CONFIG)
    candidate, baseline = (
        scored.sums[scoring.Key("test", model)] for model in (scoring.CANDIDATE, scoring.BASELINE)
    )
    assert candidate == baseline
    assert scored.paired == {"test": Differences.of([0, 0, 0])}


def test_a_baseline_of_other_classes_is_not_compared():
    rows = fake_rows([b"a", b"b", b"a"])
    scored = score(rows, [fake_model, _model_of("abC")], CONFIG)
    assert scored.baseline_classes == ("a", "b", "C")
    assert {key.model for key in scored.sums} == {scoring.CANDIDATE}
    assert not scored.is_compared


def test_rows_that_the_candidate_refuses_are_set_aside_for_both():
    def refusing(rows):
        from millrace.serving.errors import InvalidArgumentError

        if any(features["input"] == [b"b"] for features in features_of(rows)):
            raise InvalidArgumentError("no b")
        return fake_model(rows)

    rows = fake_rows([b"a", b"a", b"a"])
    scored = score(rows, [refusing, fake_model], CONFIG)
    for model in (scoring.CANDIDATE, scoring.BASELINE):
        assert scored.sums[scoring.Key("test", model)].count == 2
    assert scored.rejected == (Rejected("1.png", "candidate: no b", "1"),)


def test_of_each_row_it_is_kept_which_of_the_two_is_right():
    def always_a(rows):
        return fake_model(rows_of([row("", 97)] * len(rows)))

    rows = fake_rows([b"a", b"a", b"b", b"a"])  # inputs a, b, c, a
    scored = score(rows, [always_a, fake_model], CONFIG)
    # right: always_a on the rows 0, 1 and 3, fake_model on 0 and 3
    assert scored.paired == {"test": Differences.of([0, 1, 0, 0])}


def test_a_row_with_several_values_is_in_each_slice_and_one_with_none_in_its_own():
    rows = [
        row("0", 97, label=[b"a"], tag=[b"x", b"y", b"x"]),
        row("1", 97, label=[b"a"], tag=[b"(missing)"]),
        row("2", 97, label=[b"a"]),
        row("3", 97, label=[b"a"], tag=[]),
    ]
    config = scoring.EvalConfig("label", ("tag", "none"), 8, 4)
    sums = score(rows, [fake_model], config).sums
    found = {(key.feature, key.value): sums[key].count for key in sums if key.feature}
    assert found == {
        ("tag", "(missing)"): 3,
        ("tag", "x"): 1,
        ("tag", "y"): 1,
        ("none", "(missing)"): 4,
    }


def test_numbers_are_sliced_by_as_many_digits_as_a_person_reads():
    tags = np.float32([0.5, 0.1, 0.1000001, -0.0, np.nan])
    rows = [row("", 97, label=[b"a"], tag=np.array([tag])) for tag in tags]
    config = scoring.EvalConfig("label", ("tag",), 8, 4)
    sums = score(rows, [fake_model], config).sums
    found = {key.value: sums[key].count for key in sums if key.feature}
    assert found == {"0.5": 1, "0.1": 2, "-0": 1, "nan": 1}


def test_a_label_is_the_first_value_as_text_whatever_its_kind():
    names = [[b"0.1", b"1", b"?"]] * 2

    def model(rows):
        return {"scores": np.eye(3)[: len(rows)], "classes": np.array(names[: len(rows)], object)}

    for label in (np.float32([0.1, 7]), [b"0.1"]):
        scored = score([row("", 97, label=label)], [model], CONFIG)
        assert scored.sums[scoring.Key("test", scoring.CANDIDATE)].pairs[0].tolist() == [0]
    odd = [row("a.png", 97, label=np.array([1])), row("b.png", 97, label=np.array([12]))]
    assert score(odd, [model], CONFIG).rejected == (
        Rejected("b.png", "class '12' is not one of the model's"),
    )


def test_only_rows_that_may_be_among_the_worst_are_kept():
    losses = np.array([0.5, 2.0, 1.0, 2.0, 1.0])
    assert scoring.largest(losses, 3).tolist() == [1, 2, 3, 4]
    assert scoring.largest(losses, 2).tolist() == [1, 3]
    assert scoring.largest(losses, 0).tolist() == []
    assert scoring.largest(losses, 9).tolist() == [0, 1, 2, 3, 4]


def test_classes_in_another_order_from_call_to_call_are_refused():
    orders = iter([_model_of("abc"), _model_of("cab")])

    def model(rows):
        return next(orders)(rows)

    config = scoring.EvalConfig("label", (), 2, 4)  # two rows at a time
    with pytest.raises(ModelError, match="expected the same order in every row"):
        score(fake_rows([b"a"] * 4), [model], config)


def test_a_feature_of_too_many_values_is_refused(monkeypatch):
    monkeypatch.setattr(scoring, "MOST_SLICES", 2)
    part = score(fake_rows([b"a", b"b", b"c"]), [fake_model], CONFIG)
    with pytest.raises(
        OptionError,
        match=r"slices: expected features of at most 2 values\. "
        r"Received: 'label', which has more in split 'test'",
    ):
        ScoredClassification.merged([part], 4)


def test_an_answer_is_the_signature_s_own_which_may_go_by_a_threshold():
    def cautious(rows):
        outputs = fake_model(rows)
        first, second = outputs["scores"][:, 0], outputs["scores"][:, 1]
        named = np.where(second >= 0.2, b"b", np.where(first > 0.5, b"a", b"c"))
        return {**outputs, "class": named.astype(object)}

    rows = [row("1.png", 97, label=[b"a"]), row("2.png", 97, label=[b"b"])]
    scored = score(rows, [cautious], CONFIG)
    (counted,) = [tally for key, tally in scored.sums.items() if not key.feature]
    assert counted.matrix.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]
    (wrong,) = scored.worst
    assert (wrong.truth, wrong.answer, wrong.score) == ("a", "b", 0.2)
    assert wrong.truth_score == 0.7


def _two_classes(rows):
    """Of two classes, the second with the score that is the input's first byte in per cent."""
    scores = np.float32([features["input"][0][0] / 100 for features in features_of(rows)])
    pairs = np.stack([1 - scores, scores], axis=1)
    return {"scores": pairs, "classes": np.array([[b"no", b"yes"]] * len(rows), object)}


def _written(rows, folder, mistakes=50):
    config = scoring.EvalConfig("label", (), 8, mistakes)
    scored = ScoredClassification.merged([score(rows, [_two_classes], config)], mistakes)
    classification_files.write(scored, Path(folder), ["test"], config)


def test_of_each_cell_the_rows_of_the_highest_loss_are_written(tmp_path):
    truths = [(b"yes", each) for each in range(10, 36)] + [(b"no", 20), (b"yes", 70)]
    _written([row(f"{n}", n, f"at {n}", label=[truth]) for truth, n in truths], tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    cells = [(line["truth"], line["answer"]) for line in lines]
    assert cells == [("no", "no")] + [("yes", "no")] * 12 + [("yes", "yes")]
    assert [line["position"] for line in lines[1:13]] == [f"at {n}" for n in range(10, 22)]
    assert round(lines[0]["loss"], 4) == round(-math.log(0.8), 4)


def test_of_equal_losses_the_first_by_name_are_kept_and_none_where_no_mistakes_are(tmp_path):
    rows = [row(f"{n:02}", 20, label=[b"no"]) for n in reversed(range(20))]
    _written(rows, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [line["filename"] for line in lines] == [f"{n:02}" for n in range(12)]
    _written(rows, tmp_path, mistakes=0)
    assert (tmp_path / "answers.jsonl").read_text() == ""


def test_of_too_many_cells_each_has_its_first_row_before_any_has_its_second(monkeypatch):
    monkeypatch.setattr(classification_files, "_ANSWERS", 3)
    rows = tuple(
        AnsweredRow("test", f"{n}", "", truth, "a", 0.5, 0.5, 0.5)
        for truth, n in (("a", 1), ("a", 2), ("b", 3), ("c", 4))
    )
    kept = classification_files._answers(ScoredClassification(cells=rows), "test")
    assert [each.filename for each in kept] == ["1", "3", "4"]


def test_what_two_classes_would_be_answered_by_each_threshold_is_written(tmp_path):
    truths = [(b"yes", 90), (b"yes", 40), (b"no", 60), (b"no", 10)]
    _written([row(f"{n}", n, label=[truth]) for truth, n in truths], tmp_path)
    found = json.loads((tmp_path / "thresholds.json").read_text())
    assert (found["classes"], found["positive"], found["negative"]) == (["no", "yes"], 2, 2)
    by_threshold = {row[0]: row[1:] for row in found["rows"]}
    assert len(by_threshold) == 101
    assert [by_threshold[each] for each in (0.0, 0.3, 0.5, 0.7, 1.0)] == [
        [2, 2],
        [2, 1],
        [1, 1],
        [1, 0],
        [0, 0],
    ]
