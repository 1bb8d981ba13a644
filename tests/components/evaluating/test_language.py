"""Generators judged by what they foresee; the models here are functions of the texts."""

import json
import math

import numpy as np
import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from millrace.components.evaluating import language, language_files
from millrace.components.evaluating.language import Continuation, ScoredLanguage, opening
from millrace.components.evaluating.scoring import EvalConfig
from millrace.serving.errors import InvalidArgumentError
from tests.components.asked import Asked, features_of, rows_of

MODEL = {"level": "word", "delimiter": "\n", "vocabulary_size": 100}
CONFIG = EvalConfig("", (), 8, 2, model=MODEL)


def rows(*texts):
    return rows_of(
        [
            Asked(f"f#{n}", f"record {n}", {"text": [text.encode()], "text/filename": [b"f"]})
            for n, text in enumerate(texts)
        ]
    )


def model(nats=2.0, unigram=3.0, unknown=0):
    """Foresees each word, and the end of a line, at `nats`."""

    def predict(asked):
        counts = [len(each["text"][0].split()) for each in features_of(asked)]
        tokens = np.array([count + 1 if count else 0 for count in counts], np.int32)
        return {
            "loss": (tokens * nats).astype(np.float32),
            "tokens": tokens,
            "correct": tokens // 2,
            "unknown": np.minimum(tokens, unknown).astype(np.int32),
            "unigram": (tokens * unigram).astype(np.float32),
        }

    return predict


def judged(tmp_path, *parts, splits=("eval", "test")):
    language_files.write(ScoredLanguage.merged(parts, 2), Path(tmp_path), list(splits), CONFIG)
    return json.loads((tmp_path / "metrics.json").read_text())


def test_metrics_are_those_of_the_test_split_and_of_each_split(tmp_path):
    one = language.score_batch("eval", rows("come all"), [model()], CONFIG)
    other = language.score_batch("test", rows("ye", "come all ye"), [model(1.0)], CONFIG)
    found = judged(tmp_path, one, other)
    assert (found["split"], found["count"]) == ("test", 2)
    assert found["metrics"] == found["splits"]["test"]["metrics"]
    assert found["metrics"]["perplexity"] == pytest.approx(math.e)
    assert found["metrics"]["vocabulary_size"] == 100
    assert found["splits"]["test"]["tokens"] == 6
    assert found["splits"]["eval"]["metrics"]["perplexity"] == pytest.approx(math.e**2)
    assert found["metrics"]["bits_per_character"] == pytest.approx(6 / math.log(2) / 15)
    assert (found["baseline"], found["change"], found["objections"]) == (None, None, [])
    assert found["merits"] == [
        f"perplexity {math.e:.6g} beats {found['metrics']['unigram_perplexity']:.6g}, "
        "which the counts of tokens alone reach on the same rows"
    ]


def test_a_model_no_better_than_the_counts_of_tokens_is_objected_to(tmp_path):
    part = language.score_batch("test", rows("come all"), [model(2.0, unigram=2.0)], CONFIG)
    found = judged(tmp_path, part)
    (objection,) = found["objections"]
    assert found["merits"] == []
    assert objection == (
        "perplexity: expected less than 7.38906, which the counts of tokens alone reach on the "
        "same rows. Received: 7.38906. Train for longer, or on more text"
    )


def test_the_baseline_answers_the_same_rows(tmp_path):
    predicts = [model(1.0), model(2.0)]
    part = language.score_batch("test", rows("come all"), predicts, CONFIG)
    found = judged(tmp_path, part)
    assert found["baseline"]["metrics"]["loss"] == 2.0
    assert found["change"]["loss"] == -1.0


def test_a_baseline_with_other_tokens_is_not_compared(tmp_path):
    predicts = [model(1.0), model(2.0, unknown=1)]
    part = language.score_batch("test", rows("come all"), predicts, CONFIG)
    assert judged(tmp_path, part)["baseline"] is None


def refusing(predict, text):
    def refuse(asked):
        if any(each["text"] == [text] for each in features_of(asked)):
            raise InvalidArgumentError("text: expected fewer tokens")
        return predict(asked)

    return refuse


@pytest.mark.parametrize("earlier", [refusing(model(2.0), b"ye"), model(math.nan)])
def test_a_baseline_that_cannot_answer_every_row_is_not_compared(tmp_path, earlier):
    predicts = [model(1.0), earlier]
    parts = [
        language.score_batch("test", rows(*texts), predicts, CONFIG)
        for texts in (("come all", "ye"), ("come all",))
    ]
    found = judged(tmp_path, *parts)
    assert (found["count"], found["rejected"]) == (3, 0)
    assert (found["baseline"], found["change"]) == (None, None)
    assert found["metrics"]["loss"] == 1.0


def test_a_generator_that_got_worse_is_a_drop_by_its_loss(tmp_path):
    texts = rows("a", "b b", "c c c", "d", "e e e e", "f")
    part = language.score_batch("test", texts, [model(2.5), model(2.0)], CONFIG)
    found = judged(tmp_path, part)["comparison"]
    assert (found["metric"], found["was"], found["now"], found["rows"]) == ("loss", 2.0, 2.5, 6)
    # 18 tokens in 6 texts: half a nat more for each of 2, 3, 4, 2, 5, 2 of them
    expected = stats.ttest_1samp(np.array([2, 3, 4, 2, 5, 2]) / 2, 0).confidence_interval(0.95)
    assert found["interval"] == pytest.approx([expected.low / 3, expected.high / 3])
    assert found["is_drop"]
    part = language.score_batch("test", texts, [model(2.0), model(2.5)], CONFIG)
    assert not judged(tmp_path, part)["comparison"]["is_drop"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["come all ye who wander far"], "there is one text, which does not show how texts differ"),
        (
            ["come", "ye"],
            "a model that knows nothing foresees each of 4 tokens better than the counts of tokens "
            "do 1 time in 16, and 95% confidence allows 1 in 20",
        ),
        (["come", "all ye"], ""),
    ],
)
def test_one_text_or_very_few_tokens_cannot_judge(tmp_path, texts, said):
    part = language.score_batch("test", rows(*texts), [model()], CONFIG)
    assert judged(tmp_path, part)["cannot_judge"] == said


def test_texts_without_tokens_are_set_aside(tmp_path):
    part = language.score_batch("test", rows("", "come"), [model()], CONFIG)
    found = judged(tmp_path, part)
    assert (found["count"], found["rejected"]) == (1, 1)
    assert json.loads((tmp_path / "rejected.jsonl").read_text()) == {
        "source": "f#0",
        "position": "record 0",
        "reason": "no token that another one follows",
    }


def test_the_texts_that_surprised_most_are_listed_worst_first(tmp_path):
    def predict(asked):
        found = model()(asked)
        return found | {"loss": np.float32(asked.sources == "f#1") * 9}

    part = language.score_batch("test", rows("a", "b c", "d"), [predict], CONFIG)
    judged(tmp_path, part)
    lines = [json.loads(line) for line in (tmp_path / "mistakes.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["b c", "a"]
    assert lines[0] == {
        **{"split": "test", "filename": "f#1", "position": "record 1"},
        **{"text": "b c", "tokens": 3, "loss": 3.0},
    }


def test_figures_are_given_by_slice(tmp_path):
    config = EvalConfig("", ("text/filename",), 8, 2, model=MODEL)
    part = language.score_batch("test", rows("come"), [model()], config)
    judged(tmp_path, part)
    (found,) = json.loads((tmp_path / "slices.json").read_text())
    assert (found["feature"], found["value"], found["count"]) == ("text/filename", "f", 1)
    assert found["intervals"] == {}  # of one text it cannot be told


@given(st.permutations(range(6)), st.integers(1, 6))
def test_any_partition_gives_the_same(order, size):
    all_rows = rows("a", "b b", "", "c c c", "d", "e e")
    whole = ScoredLanguage.merged([language.score_batch("test", all_rows, [model()], CONFIG)], 2)
    parts = []
    for start in range(0, 6, size):
        picked = np.isin(np.arange(6), order[start : start + size])
        parts.append(language.score_batch("test", all_rows.where(picked), [model()], CONFIG))
    assert ScoredLanguage.merged(parts, 2) == whole
    nested = [
        ScoredLanguage.merged(parts[:1], 2),
        ScoredLanguage.merged(parts[1:], 2),
        ScoredLanguage(),
    ]
    assert ScoredLanguage.merged(nested, 2) == whole


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("Come all ye maidens young and fair", "Come all ye maidens"),
        ("st of it.\n\nROMEO:\nAy me!", "ROMEO:"),
        ("x" * 90, "x" * 24),
        ("extraordinarily long words here", "extraordinarily long"),
        (" \n", ""),
    ],
)
def test_a_prompt_is_the_beginning_of_a_line(text, prompt):
    assert opening(text) == prompt


def test_the_page_shows_each_prompt_with_its_continuations(tmp_path):
    found = [Continuation("test", 0, "Come", heat, f"Come at {heat:g}") for heat in (0.0, 0.5)]
    language_files.write_continuations(found, Path(tmp_path / "samples.txt"))
    assert (tmp_path / "samples.txt").read_text() == (
        "=== split test, prompt 'Come', seed 0\n\n"
        "--- temperature 0\nCome at 0\n\n"
        "--- temperature 0.5\nCome at 0.5\n\n"
    )
