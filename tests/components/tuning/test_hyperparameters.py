"""Text is laid over a component's options, by the caller's hand or by an artifact's."""

import inspect
import logging

import pytest
from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Hyperparameters
from millrace.components.errors import OptionError
from millrace.components.models.auto_options import Auto
from millrace.components.trainer import trainer
from millrace.components.tuning.hyperparameters import settled
from tests.components.tuning import toy as toys
from tests.components.tuning.toy import Large, Small, toy


def test_a_base_of_plain_values_is_converted_and_the_rest_has_its_default():
    base = {"rate": 0.5, "model": {"kind": "large", "widths": [4]}}
    assert settled(toy, base, {}, "p") == {
        "rate": 0.5,
        "epochs": 3,
        "model": Large(widths=(4,)),
        "pause": 0.0,
        "fail": False,
    }


def test_texts_are_laid_over_it_field_by_field():
    base = {"model": {"kind": "large", "widths": [4]}}
    found = settled(toy, base, {"rate": "0.25", "model.widths": "64,64"}, "p")
    assert found["rate"] == 0.25
    assert found["model"] == Large(widths=(64, 64))
    assert settled(toy, base, {"model": "small", "model.width": "7"}, "p")["model"] == Small(
        width=7
    )


def test_what_is_searched_holds_for_every_network_that_auto_tries():
    base = {"model": {"kind": "auto", "held": ["seed"]}}
    found = settled(trainer, base, {"batch_size": "8", "model.tried": "1"}, "p")
    assert found["model"] == Auto(tried=1, held=("batch_size", "seed"))


@pytest.mark.parametrize(
    ("way", "text", "said"),
    [
        ("rat", "1", "p: expected options of toy. Received: 'rat'. Did you mean `rate`?"),
        ("rate", "-1", "Option p.rate: expected float above 0. Received: '-1'"),
        ("model.widht", "1", "--set p.model.widht: unknown field `widht`. Did you mean `width`?"),
    ],
)
def test_what_does_not_fit_is_named(way, text, said):
    with pytest.raises(OptionError) as caught:
        settled(toy, {}, {way: text}, "p")
    assert str(caught.value).startswith(said)


def _run(tmp_path, hyperparameters, **options):
    folders = {name: tmp_path / name for name in ("out", "resume")}
    for folder in folders.values():
        folder.mkdir()
    inputs = (Examples(tmp_path), Analysis(tmp_path), None)
    toy(*inputs, **folders, hyperparameters=hyperparameters, **options)
    return (folders["out"] / "options").read_text()


def _found(tmp_path, settings):
    folder = Path(tmp_path / "found")
    folder.mkdir()
    return Hyperparameters(folder).write_best(
        {"settings": settings, "objective": "val_loss", "value": 0.5, "trial": 2}
    )


def test_what_was_found_overrides_the_options_and_is_logged(tmp_path, caplog):
    found = _found(tmp_path, {"rate": "0.01", "model.width": "5"})
    with caplog.at_level(logging.INFO):
        said = _run(tmp_path, found, rate=0.5, epochs=2)
    assert said == f"0.01 2 {Small(width=5)} None"
    assert caplog.messages == ["tuned: rate=0.01, model.width=5"]


def test_without_an_artifact_the_options_stand(tmp_path):
    assert _run(tmp_path, None, rate=0.5) == f"0.5 3 {Small()} None"


def test_what_was_found_for_another_component_is_refused(tmp_path):
    found = _found(tmp_path, {"depth": "3"})
    with pytest.raises(OptionError, match=r"best\.json: expected options of toy\. .*'depth'"):
        _run(tmp_path, found)


def test_a_tunable_component_keeps_its_signature_and_its_words():
    assert inspect.signature(toy) == inspect.signature(toy.__wrapped__)
    assert toy.__module__ == toys.__name__
    assert toy.__doc__.startswith("Each epoch's loss")
