"""The signatures of a text generator: written, loaded as a server does, and called."""

import keras
import numpy as np
import pytest
from etils.epath import Path

from millrace.components.exporting import language, saved_model
from millrace.components.features import language_rows
from millrace.serving.errors import InvalidArgumentError
from millrace.serving.model import LoadedModel
from tests.components.language_models import LINES, RUNNING, networks

PROMPTS = [b"come all ye maidens come all", b"come", b"", b"foo ye\nall", b"Come, ALL ye"]
TEXTS = [*PROMPTS, b"come all ye maidens " * 3, b"abc dd\nee aad" * 2]


def export(folder, spec, **options):
    model = networks(spec, **options).inference
    model.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras", compile=False)
    saved_model.write(language.endpoints(loaded, spec), Path(folder / "saved"))
    return loaded, LoadedModel(Path(folder / "saved"))


@pytest.fixture(scope="module", params=["lines", "running"])
def exported(request, tmp_path_factory):
    """A spec, its Keras model and the same as a SavedModel; LSTM and GRU, logits and not."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "lines":
        spec, options = LINES, {"cell": "lstm", "activation": "softmax"}
    else:
        spec, options = RUNNING, {"cell": "gru", "units": (8,)}
    model, loaded = export(folder, spec, **options)
    with loaded:
        yield spec, model, loaded


@pytest.fixture(scope="module")
def expected(exported):
    """What has to be answered about `TEXTS`."""
    spec, model, _ = exported
    return language.reference(model, spec, [{"text": [text]} for text in TEXTS])


@pytest.fixture(scope="module")
def ask(exported):
    def generate(prompts, *, length=12, temperature=0.0, top_k=0, seed=0):
        inputs = {
            "prompt": np.array(prompts, object),
            "length": np.int32(length),
            "temperature": np.float32(temperature),
            "top_k": np.int32(top_k),
            "seed": np.int32(seed),
        }
        answers = exported[2].predict(inputs, signature="generate")
        return answers["text"].tolist()

    return generate


def test_the_signatures_are_those_of_a_generator(exported):
    _, _, loaded = exported
    found = {
        name: ({*signature.inputs}, {*signature.outputs})
        for name, signature in loaded.signatures.items()
        if signature.method_name
    }
    assert found == {
        "serving_default": ({"prompt", "length", "temperature"}, {"text"}),
        "generate": ({"prompt", "length", "temperature", "top_k", "seed"}, {"text"}),
        "score": ({"text"}, {"loss", "tokens", "correct", "unknown", "unigram"}),
    }


def test_a_greedy_answer_is_the_trained_networks_step_by_step_argmax(expected, ask):
    texts, is_clear = expected.texts["generate/text"]
    found = [text.decode() for text in ask(TEXTS, length=20)]
    assert is_clear[:4].sum() >= 2
    assert not is_clear[4:].any()
    clear = texts[is_clear].tolist()
    assert [one for one, is_one in zip(found, is_clear, strict=True) if is_one] == clear


def test_serving_default_is_generate_with_all_tokens_and_seed_0(exported, ask):
    inputs = {"prompt": np.array(PROMPTS, object), "length": np.int32(9)}
    found = exported[2].predict({**inputs, "temperature": np.float32(0.9)})["text"].tolist()
    assert found == ask(PROMPTS, length=9, temperature=0.9)


def test_the_score_is_the_loss_on_the_path_of_training(exported, expected):
    found = exported[2].predict({"text": np.array(TEXTS, object)}, signature="score")
    numbers = expected.numbers
    np.testing.assert_allclose(found["loss"], numbers["score/loss"], rtol=1e-5, atol=1e-5)
    assert found["tokens"].tolist() == numbers["score/tokens"].tolist()


def test_the_score_counts_hits_unknown_tokens_and_the_loss_of_mere_counts(exported):
    spec, model, loaded = exported
    text = b"come foo all abx"
    found = loaded.predict({"text": np.array([text], object)}, signature="score")
    ((tokens, following),) = language_rows.windows([text], spec, spec.sequence_length)
    counted = following != 0
    best = model(tokens).numpy().argmax(axis=2)
    counts = np.array([0, *spec.counts]) + 1
    unigram = -np.log(counts / counts[1:].sum())
    assert found["correct"].tolist() == [int((best == following)[counted].sum())]
    assert found["unknown"].tolist() == [int((following == 1).sum())]
    np.testing.assert_allclose(found["unigram"], unigram[following][counted].sum(), rtol=1e-5)


def test_the_prompt_is_kept_to_the_letter_and_continued(ask):
    prompts = [b"come,  ALL\xc3\xa9 ", b"", b"x\n"]
    answers = ask(prompts, temperature=1.0)
    for answer, prompt in zip(answers, prompts, strict=True):
        assert answer.startswith(prompt)
        assert len(answer) > len(prompt)


def test_the_same_seed_gives_the_same_text_and_another_seed_another(ask):
    once = ask(PROMPTS, temperature=1.0, seed=7, length=30)
    assert ask(PROMPTS, temperature=1.0, seed=7, length=30) == once
    assert ask(PROMPTS, temperature=1.0, seed=8, length=30) != once


def test_a_prompt_is_answered_in_a_batch_as_alone(ask):
    for temperature in (0.0, 1.0):
        together = ask(PROMPTS, temperature=temperature, seed=3)
        alone = [ask([prompt], temperature=temperature, seed=3)[0] for prompt in PROMPTS]
        assert together == alone


def test_a_longer_answer_begins_as_a_shorter_one(ask):
    pairs = zip(
        ask(PROMPTS, temperature=1.0, length=5),
        ask(PROMPTS, temperature=1.0, length=25),
        strict=True,
    )
    assert all(longer.startswith(shorter) for shorter, longer in pairs)


def test_what_is_written_is_known_tokens_as_many_as_inputs(exported, ask):
    spec, _, _ = exported
    (answer,) = ask([b""], temperature=1.5, length=400)
    text = answer.decode()
    if spec.level == "character":
        assert len(text) == 400
        assert set(text) == set(spec.vocabulary)
    else:
        words = text.replace("\n", " \n ").split(" ")
        known = [word for word in words if word]
        assert len(known) == 400
        assert set(known) == set(spec.vocabulary)


def test_the_best_of_one_is_the_greedy_answer_whatever_the_temperature(ask):
    assert ask(PROMPTS, temperature=2.0, top_k=1, seed=5) == ask(PROMPTS)


def test_more_than_all_tokens_are_all(ask):
    assert ask(PROMPTS, temperature=1.0, top_k=10_000) == ask(PROMPTS, temperature=1.0)


def test_nearly_no_temperature_is_greedy(ask):
    assert ask(PROMPTS, temperature=1e-30) == ask(PROMPTS)


def test_a_length_of_nothing_gives_the_prompts_back_and_no_prompts_no_text(ask):
    assert ask(PROMPTS, length=0) == PROMPTS
    assert ask([], length=3, temperature=1.0) == []


def test_no_texts_have_no_scores(exported):
    found = exported[2].predict({"text": np.array([], object)}, signature="score")
    assert {name: array.shape for name, array in found.items()} == dict.fromkeys(found, (0,))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"length": -1}, r"length: expected 0 to 10000\. Received:\] \[-1\]"),
        ({"length": 10_001}, r"length: expected 0 to 10000\. Received:\] \[10001\]"),
        ({"temperature": -0.5}, r"temperature: expected a finite number from 0 \(greedy\) up"),
        ({"temperature": float("nan")}, r"temperature: .* Received:\] \[nan\]"),
        ({"temperature": float("inf")}, r"temperature: .* Received:\] \[inf\]"),
        ({"top_k": -2}, r"top_k: expected 0 \(all tokens\) or more\. Received:\] \[-2\]"),
    ],
)
def test_an_invalid_option_is_refused_with_the_valid_ones(ask, option, message):
    with pytest.raises(InvalidArgumentError, match=message):
        ask([b"come"], **option)
