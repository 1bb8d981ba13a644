"""Figures of a known model on known rows, the verdict, and what is set aside."""

import json
import typing

import numpy as np
import pytest
import sklearn.metrics
from etils.epath import Path
from tensorflow_metadata.proto.v0 import statistics_pb2

from millrace.components.artifacts import Statistics
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.evaluating import files
from millrace.components.evaluator import evaluator
from millrace.components.options import settings
from tests.components import classifiers
from tests.components.validation.test_shift import split as statistics_of

CLASSES = classifiers.CLASSES
# mean, truth: the model says dark, grey or bright by the nearest of 40, 120 and 200.
TEST_ROWS = [
    (40, "dark"),
    (50, "dark"),
    (100, "grey"),
    (190, "grey"),
    (210, "bright"),
    (30, "bright"),
]
BEATS_ONE_ANSWER = (
    "balanced_accuracy 0.666667 beats 0.333333, which one answer for all reaches on the same rows"
)


def records(pairs, prefix="test", **more):
    return [
        classifiers.record(mean, truth, f"{prefix}/{number}.png", **more)
        for number, (mean, truth) in enumerate(pairs)
    ]


TOO_SMALL = (
    "split 'test' is too small to tell: balanced_accuracy 0.667 is better than 0.333 of one answer "
    "for all rows by 0.333, and other 6 rows might say -0.0673 to 0.586"
)
ONE_ANSWER = (
    "the model answers 'dark' to every row; trainer.class_weight=balanced lets each class weigh "
    "the same"
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    splits = {
        "train": records([(9, "dark")] * 3, "train"),
        "eval": records([(40, "dark"), (120, "grey")], "eval"),
        "test": records(TEST_ROWS),
    }
    return classifiers.write_examples(tmp_path_factory.mktemp("examples"), splits)


@pytest.fixture
def evaluate(tmp_path, grey_model):
    def run(examples, model=grey_model, baseline=None, **options):
        out = Path(tmp_path / "out")
        out.mkdir()
        return evaluator(examples, model, baseline, out, run_on=BeamOptions(), **options)

    return run


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, grey_model, examples):
    """One evaluation with a baseline of shifted centres, and thresholds on both."""
    folder = Path(tmp_path_factory.mktemp("evaluated"))
    shifted = ("bright", "dark", "grey")  # the same classes in another order
    baseline = classifiers.save(folder / "baseline", shifted, (130.0, 40.0, 62.0))
    (folder / "out").mkdir()
    return evaluator(
        examples,
        grey_model,
        baseline,
        folder / "out",
        run_on=BeamOptions(),
        at_least={"accuracy": 0.6},
        change_at_least={"accuracy": 0.0},
        top_k=2,
        batch_size=2,
    )


def read(evaluated, name):
    return json.loads((evaluated.path / name).read_text())


def test_the_main_figures_are_those_of_the_test_split(evaluated):
    means, truths = zip(*TEST_ROWS, strict=True)
    scores = classifiers.expected_scores(means)
    truth = [CLASSES.index(name) for name in truths]
    answers = scores.argmax(axis=1)
    metrics = evaluated.metrics
    assert metrics["accuracy"] == 4 / 6
    assert metrics["macro_f1"] == pytest.approx(
        sklearn.metrics.f1_score(truth, answers, average="macro")
    )
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    expected_loss = -np.log(clipped[range(6), truth] / clipped.sum(axis=1)).mean()
    assert metrics["loss"] == pytest.approx(expected_loss, rel=1e-4)
    assert metrics["top_2_accuracy"] == pytest.approx(5 / 6)
    summary = read(evaluated, "metrics.json")
    assert (summary["split"], summary["count"]) == ("test", 6)
    assert list(summary["splits"]) == ["eval", "test"]
    assert summary["splits"]["eval"]["metrics"]["accuracy"] == 1.0
    assert evaluated.properties()["accuracy"] == 4 / 6


def test_the_baseline_answers_the_same_rows_in_its_own_order_of_classes(evaluated):
    summary = read(evaluated, "metrics.json")
    means, truths = zip(*TEST_ROWS, strict=True)
    scores = classifiers.expected_scores(means, (40.0, 62.0, 130.0))
    expected = np.mean([CLASSES[n] == t for n, t in zip(scores.argmax(1), truths, strict=True)])
    assert summary["baseline"]["metrics"]["accuracy"] == expected == 0.5
    assert summary["change"]["accuracy"] == pytest.approx(4 / 6 - 0.5)
    assert summary["classes"] == ["dark", "grey", "bright"]
    assert summary["baseline_classes"] == ["bright", "dark", "grey"]


def test_the_verdict_says_what_held_and_on_what(evaluated):
    assert evaluated.blessed
    assert evaluated.reasons == [
        "accuracy: expected at least 0.6. Received: 0.666667. Held",
        "change of accuracy: expected at least 0. Received: 0.166667. Held",
        BEATS_ONE_ANSWER,
        "accuracy: was 0.500, now 0.667 on the same 6 rows; change 0.167, 95% interval -0.158 to "
        "0.167",
        TOO_SMALL,
        "judged by 6 rows of split 'test'",
    ]


def test_slices_are_by_value_with_the_baseline_beside(evaluated):
    slices = read(evaluated, "slices.json")
    found = [
        (each["split"], each["value"], each["count"], each["metrics"]["accuracy"])
        for each in slices
    ]
    assert found == [
        ("eval", "dark", 1, 1.0),
        ("eval", "grey", 1, 1.0),
        ("test", "bright", 2, 0.5),
        ("test", "dark", 2, 1.0),
        ("test", "grey", 2, 0.5),
    ]
    assert [each["baseline"]["accuracy"] for each in slices[2:]] == [0.5, 1.0, 0.0]
    # Wilson's interval of 1 of 2, and of 2 of 2
    around = [[round(end, 4) for end in each["intervals"]["accuracy"]] for each in slices[2:]]
    assert around == [[0.0945, 0.9055], [0.3424, 1.0], [0.0945, 0.9055]]


def test_the_confusion_matrix_and_the_figures_of_each_class_are_written(evaluated):
    confusion = read(evaluated, "confusion.json")
    assert confusion["cells"] == [[0, 0, 2], [1, 1, 1], [1, 2, 1], [2, 0, 1], [2, 2, 1]]
    assert confusion["by_class"][0] == {
        "class": "dark",
        "count": 2,
        "answers": 3,
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "f1_score": 0.8,
    }
    names = sorted(entry.name for entry in evaluated.path.glob("*.png"))
    assert names == ["confusion_matrix.png", "reliability.png"]


def test_the_worst_answers_are_listed_with_file_truth_and_scores(evaluated):
    lines = (evaluated.path / "mistakes.jsonl").read_text().splitlines()
    first, second = map(json.loads, lines)
    assert (first["filename"], first["truth"], first["answer"]) == ("test/5.png", "bright", "dark")
    assert (second["filename"], second["answer"]) == ("test/3.png", "bright")
    assert first["loss"] > second["loss"] > 0
    assert second["score"] == pytest.approx(classifiers.expected_scores([190])[0, 2], abs=1e-6)
    assert second["truth_score"] == pytest.approx(1 - second["score"], abs=1e-4)


def test_neither_threshold_nor_baseline_blesses_and_says_so(evaluate, examples):
    evaluated = evaluate(examples, mistakes=1, must_beat=())
    assert evaluated.blessed
    assert evaluated.reasons == ["no threshold is set", "judged by 6 rows of split 'test'"]
    assert len((evaluated.path / "mistakes.jsonl").read_text().splitlines()) == 1


def test_a_split_unlike_the_train_split_is_warned_of(evaluate, examples, tmp_path):
    message = statistics_pb2.DatasetFeatureStatisticsList()
    for name, size in (("train", 9.0), ("test", 3.0)):
        message.ParseFromString(b"")
        message.datasets.add().CopyFrom(statistics_of(size=[size] * 90))
        file = Statistics(Path(tmp_path)).file(name)
        file.parent.mkdir()
        file.write_bytes(message.SerializeToString())
    found = evaluate(examples, statistics=Statistics(Path(tmp_path)))
    (said,) = [reason for reason in found.reasons if "distribution" in reason]
    assert said.startswith("split 'test' is of another distribution than train: size has the mean")
    assert said in json.loads((found.path / "metrics.json").read_text())["warnings"]
    assert found.blessed


def test_a_figure_below_its_threshold_is_not_blessed(evaluate, examples):
    evaluated = evaluate(examples, at_least={"accuracy": 0.9})
    assert not evaluated.blessed
    assert (evaluated.path / "NOT_BLESSED").exists()
    assert evaluated.reasons == [
        "accuracy: expected at least 0.9. Received: 0.666667. Not held",
        BEATS_ONE_ANSWER,
        TOO_SMALL,
        "judged by 6 rows of split 'test'",
    ]


def one_answer(tmp_path, *truths):
    """Examples that the model takes for dark ones, all of them."""
    rows = records([(40, truth) for truth in truths])
    return classifiers.write_examples(tmp_path / "examples", {"test": rows})


def test_one_answer_for_all_rows_is_not_blessed_however_often_it_is_right(evaluate, tmp_path):
    examples = one_answer(tmp_path, *["dark"] * 19, "grey")
    evaluated = evaluate(examples, at_least={"accuracy": 0.8})
    assert evaluated.metrics["accuracy"] == 0.95
    assert not evaluated.blessed
    assert evaluated.reasons == [
        "balanced_accuracy: expected more than 0.5, which one answer for all reaches on the same "
        "rows. Received: 0.5. Improve the model, or leave constant out of evaluator.must_beat",
        "accuracy: expected at least 0.8. Received: 0.95. Held",
        ONE_ANSWER,
        "judged by 20 rows of split 'test'",
    ]


def test_one_answer_for_all_rows_is_blessed_where_it_need_not_be_beaten(evaluate, tmp_path):
    examples = one_answer(tmp_path, *["dark", "grey"] * 3)
    evaluated = evaluate(examples, must_beat=("naive",))
    assert evaluated.blessed
    judged = "judged by 6 rows of split 'test'"
    assert evaluated.reasons == ["no threshold is set", ONE_ANSWER, judged]


@pytest.mark.parametrize("truths", [["dark"] * 30, ["bright"] * 3, ["dark"]])
def test_rows_of_one_class_bless_no_model_right_or_wrong(evaluate, tmp_path, truths):
    examples = one_answer(tmp_path, *truths)
    evaluated = evaluate(examples, max_rejected=0)
    assert not evaluated.blessed
    assert evaluated.reasons == [
        f"split 'test' cannot judge a model: every row is of the class {truths[0]!r}. Give it "
        "more rows, and of more than one kind, or set evaluator.allow_inconclusive=true",
        "constant: not asked, for all rows are of one class",
        f"judged by {len(truths)} rows of split 'test'",
    ]


def test_rows_of_one_class_bless_where_a_person_says_so(evaluate, tmp_path):
    evaluated = evaluate(one_answer(tmp_path, "dark"), allow_inconclusive=True)
    assert evaluated.blessed
    assert evaluated.reasons == [
        "no threshold is set",
        "constant: not asked, for all rows are of one class",
        "split 'test' cannot judge a model: every row is of the class 'dark'; "
        "evaluator.allow_inconclusive blesses all the same",
        "judged by 1 rows of split 'test'",
    ]


def test_rows_so_few_that_chance_may_get_all_right_bless_no_model(evaluate, tmp_path):
    rows = records([(40, "dark"), (40, "dark"), (120, "grey"), (120, "grey")])
    examples = classifiers.write_examples(tmp_path / "examples", {"test": rows})
    evaluated = evaluate(examples)
    assert evaluated.metrics["accuracy"] == 1.0
    assert not evaluated.blessed
    assert evaluated.reasons[0] == (
        "split 'test' cannot judge a model: a model that knows nothing gets all rows right 1 time "
        "in 16, and 95% confidence allows 1 in 20. Give it more rows, and of more than one kind, "
        "or set evaluator.allow_inconclusive=true"
    )


def test_a_figure_that_one_class_does_not_have_is_no_error_of_the_person(evaluate, tmp_path):
    evaluated = evaluate(one_answer(tmp_path, "dark"), at_least={"macro_f1": 0.9})
    assert not evaluated.blessed
    assert (
        "macro_f1: expected at least 0.9. Received: no such figure of these rows. Not held"
        in evaluated.reasons
    )


# 28 grey pictures of mean 120: the last blessed model is right for all of them.
GREY = [(120, "grey")] * 22 + [(40, "grey")] * 6 + [(200, "bright")]


@pytest.mark.parametrize(("bounds", "blessed"), [({}, False), ({"accuracy": -0.3}, True)])
def test_a_worse_model_is_not_blessed_unless_a_person_allows_the_change(
    evaluate, tmp_path, caplog, bounds, blessed
):
    examples = classifiers.write_examples(tmp_path / "examples", {"test": records(GREY)})
    better = classifiers.save(tmp_path / "better", centres=(-99.0, 120.0, 200.0))
    with caplog.at_level("INFO"):
        evaluated = evaluate(examples, baseline=better, change_at_least=bounds)
    assert evaluated.blessed is blessed
    was = "accuracy: was 1.000, now 0.793 on the same 29 rows; change -0.207, 95% interval -0.207 "
    said = [reason for reason in evaluated.reasons if "was 1.000" in reason]
    assert said == [
        f"{was}to -0.0169"
        if blessed
        else f"{was}to -0.0169. Improve the model, or allow the drop by "
        "evaluator.change_at_least.accuracy=-0.209"
    ]
    figure = "test split: accuracy 0.7931 (0.62 to 0.90) (was 1.0000), loss "
    assert figure in caplog.text
    assert evaluated.intervals["accuracy"] == pytest.approx((0.616, 0.902), abs=1e-3)
    assert evaluated.baseline["accuracy"] == 1.0
    assert read(evaluated, "metrics.json")["comparison"]["is_drop"] is True


def test_a_drop_within_chance_is_blessed_and_said(evaluate, tmp_path):
    rows = records([*GREY[:22], (40, "grey"), (200, "bright")])
    examples = classifiers.write_examples(tmp_path / "examples", {"test": rows})
    better = classifiers.save(tmp_path / "better", centres=(-99.0, 120.0, 200.0))
    evaluated = evaluate(examples, baseline=better)
    assert evaluated.blessed
    assert any("was 1.000, now 0.958 on the same 24 rows" in each for each in evaluated.reasons)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"task": "regression"}, "its task is 'regression', not 'classification'"),
        ({"label": "colour"}, "its label is 'colour', not 'image/class/text'"),
    ],
)
def test_a_baseline_made_for_something_else_is_not_compared_and_blocks_nothing(
    evaluate, examples, tmp_path, other, said
):
    baseline = classifiers.save(tmp_path / "baseline")
    file = baseline.path / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | other))
    evaluated = evaluate(examples, baseline=baseline)
    assert evaluated.blessed
    assert evaluated.reasons[-1] == f"the last blessed model cannot be compared: {said}"
    assert (evaluated.baseline, read(evaluated, "metrics.json")["comparison"]) == (None, None)


def test_an_unknown_metric_is_refused_before_anything_is_scored(evaluate, examples):
    with pytest.raises(
        OptionError, match=r"at_least: expected a metric of a classification: accuracy, "
    ):
        evaluate(examples, at_least={"acuracy": 1})


def test_a_metric_that_these_classes_do_not_have_is_refused(evaluate, examples):
    with pytest.raises(
        OptionError,
        match=r"at_most: expected a metric of split 'test': .* "
        r"Received: 'auc'\.",
    ):
        evaluate(examples, at_most={"auc": 1})


def test_a_baseline_of_other_classes_is_not_compared_and_that_is_said(evaluate, examples, tmp_path):
    other = classifiers.save(tmp_path / "other", ("dark", "grey", "white"))
    evaluated = evaluate(examples, baseline=other, change_at_least={"accuracy": 0})
    assert evaluated.blessed
    assert evaluated.reasons == [
        "changes are not judged: the last blessed model cannot be compared: it answers otherwise, "
        "or not all of these rows",
        BEATS_ONE_ANSWER,
        TOO_SMALL,
        "judged by 6 rows of split 'test'",
        "the last blessed model cannot be compared: it answers otherwise, or not all of these rows",
    ]
    assert read(evaluated, "metrics.json")["baseline"] is None


def test_two_classes_have_curves_and_areas(evaluate, tmp_path):
    rng = np.random.default_rng(1)
    means = rng.integers(60, 140, 40).tolist()
    truths = [("low", "high")[mean + int(rng.normal(0, 20)) > 100] for mean in means]
    rows = records(zip(means, truths, strict=True))
    examples = classifiers.write_examples(tmp_path / "examples", {"test": rows})
    model = classifiers.save(tmp_path / "model", ("low", "high"), (80.0, 120.0))
    evaluated = evaluate(examples, model, at_least={"auc": 0.5})
    scores = classifiers.expected_scores(means, (80.0, 120.0))[:, 1]
    expected = sklearn.metrics.roc_auc_score(np.array(truths) == "high", scores)
    assert evaluated.metrics["auc"] == pytest.approx(expected, rel=1e-6)
    assert (evaluated.path / "roc.png").exists()
    assert (evaluated.path / "precision_recall.png").exists()


def test_bad_rows_are_set_aside_named_and_counted(evaluate, tmp_path):
    rows = records([(40, "dark")] * 20)
    rows[3]["image/encoded"] = b"not an image"
    rows[7]["image/class/text"] = "mauve"
    del rows[9]["image/encoded"]
    examples = classifiers.write_examples(tmp_path / "examples", {"test": rows}, shards=1)
    evaluated = evaluate(examples, max_rejected=0.15)
    lines = (evaluated.path / "rejected.jsonl").read_text().splitlines()
    rejected = [json.loads(line) for line in lines]
    assert [item["source"] for item in rejected] == ["test/3.png", "test/7.png", "test/9.png"]
    assert rejected[0]["reason"].startswith("candidate: Unknown image file format")
    assert rejected[1]["reason"] == "class 'mauve' is not one of the model's"
    assert rejected[2]["position"] == "Split-test/data_tfrecord-00000-of-00001.gz, record 9"
    assert read(evaluated, "metrics.json")["count"] == 17
    assert "3 rows were set aside, see rejected.jsonl" in evaluated.reasons


def test_too_many_bad_rows_stop_the_evaluation(evaluate, tmp_path):
    rows = records([(40, "dark")] * 5)
    rows[3]["image/encoded"] = b"not an image"
    examples = classifiers.write_examples(tmp_path / "examples", {"test": rows})
    with pytest.raises(
        DataError,
        match=r"^evaluator: expected at most 1\.00% of the rows .* Received: 1 of 5 \(20\.00%\):\n"
        r"  test/3\.png, .*\n.*evaluator\.max_rejected=0\.21",
    ):
        evaluate(examples)


def test_a_split_without_rows_is_refused(evaluate, tmp_path):
    examples = classifiers.write_examples(tmp_path / "examples", {"test": []})
    with pytest.raises(DataError, match=r"Split 'test': expected one row or more"):
        evaluate(examples)


def test_slicing_by_a_feature_that_is_not_there_is_refused(evaluate, examples):
    with pytest.raises(
        OptionError,
        match=r"slices: expected features of the examples: .*"
        r"image/filename\. Received: 'colour'\.",
    ):
        evaluate(examples, slices=("colour",))


def test_splits_can_be_chosen_and_an_unknown_one_is_refused(evaluate, examples):
    with pytest.raises(
        OptionError,
        match=r"splits: expected some of train, eval, test\. "
        r"Received: tset\.",
    ):
        evaluate(examples, splits=("tset",))


def test_the_train_split_is_scored_where_it_is_alone(evaluate, tmp_path):
    rows = records([(40, "dark"), (120, "grey")])
    examples = classifiers.write_examples(tmp_path / "examples", {"train": rows})
    evaluated = evaluate(examples)
    assert evaluated.reasons[-1] == "judged by 2 rows of split 'train'"


@pytest.mark.parametrize(
    ("splits", "main"),
    [(["eval", "test"], "test"), (["eval"], "eval"), (["night", "eval"], "eval"), (["day"], "day")],
)
def test_the_main_split_is_test_else_eval_else_the_first(splits, main):
    assert files.main_split(splits) == main


def test_an_unknown_baseline_is_refused_before_anything_runs():
    annotation = typing.get_type_hints(evaluator, include_extras=True)["must_beat"]
    with pytest.raises(OptionError, match=r"p: expected constant or naive or seas"):
        settings.assign(annotation, (), [], "naiv", "p")
