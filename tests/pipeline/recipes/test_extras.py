"""Extra steps that have nothing to do with the data or the network are refused at once."""

import dataclasses

import pytest
from etils.epath import Path

from millrace.pipeline.errors import UsageError
from millrace.pipeline.recipes import extras
from millrace.pipeline.recipes.catalog import RECIPES, find
from tests.command import millrace


def _check(recipe, name, *settings):
    row = dataclasses.replace(find(recipe), extras=(name,))
    dag = row.wire("mine", "data.csv", Path("serving"))
    dag.configure(settings)
    extras.check_fit(dag, row.extras)


def _refusal(*arguments):
    with pytest.raises(UsageError) as caught:
        _check(*arguments)
    return str(caught.value)


def test_an_unknown_step_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"--with tunr: no such step\. Did you mean `tuner`"):
        extras.check_known(["rate_finder", "tunr"])


def test_feature_maps_are_of_images():
    _check("digits", "feature_maps")
    assert _refusal("penguins", "feature_maps") == (
        "--with feature_maps: expected a recipe of images. Received: one of the kind table. "
        "Leave --with feature_maps out."
    )
    assert _refusal("sarcasm", "feature_maps").endswith(
        "Received: one of the kind text. Leave --with feature_maps out, or take projector."
    )


def test_a_projector_needs_classes_or_tokens():
    for recipe in ("digits", "sarcasm", "irish-lyrics", "penguins"):
        _check(recipe, "projector")
    assert _refusal("co2", "projector") == (
        "--with projector: expected a recipe of classes, or of texts. Received: one of the kind "
        "series. Leave --with projector out."
    )
    refused = _refusal("tabular", "projector", "analyze.features.problem=regression")
    assert "Received: a regression." in refused


@pytest.mark.parametrize("name", ["rate_finder", "tuner"])
def test_what_has_no_weights_has_neither_rate_nor_search(name):
    _check("co2", name)
    assert _refusal("co2", name, "trainer.model=naive") == (
        f"--with {name}: expected a network with weights to train. Received: trainer.model=naive. "
        f"Leave --with {name} out, or set trainer.model to a network that has some, such as dense."
    )


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "convolutions"])
def test_every_row_that_trains_may_search_for_its_settings(recipe):
    _check(recipe, "tuner")
    if "trainer.model=auto" in find(recipe).settings:
        assert _refusal(recipe, "rate_finder").startswith("--with rate_finder: expected one netw")
    else:
        _check(recipe, "rate_finder")


def test_the_refusal_comes_before_any_step(tmp_path):
    done = millrace("run", "line-fit", "--with", "feature_maps", "--root", tmp_path / "root")
    assert done.returncode == 2
    assert "--with feature_maps: expected a recipe of images." in done.stderr
    assert not (tmp_path / "root" / "artifacts").exists()
