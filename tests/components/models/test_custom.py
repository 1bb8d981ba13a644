"""A user's network is built and checked; every misfit says what to do."""

import dataclasses

import numpy as np
import pytest
from etils.epath import Path
from pydantic import TypeAdapter

from millrace.components.errors import ModelError, OptionError
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.features.series_spec import Fill, SeriesSpec
from millrace.components.features.text_spec import TextSpec
from millrace.components.models import custom, keras_file
from millrace.components.models.build import build
from millrace.components.models.custom_options import Custom, Setting
from millrace.components.models.image_options import Augment
from millrace.components.models.options import AnyModel, check_fits
from millrace.pipeline import options

OWN = "tests.components.models.own_models"
SPEC = ImageSpec(("ant", "bee", "cat"), 2, 2, 1)


@dataclasses.dataclass(frozen=True)
class Forecast:
    """As much of a spec as a network of one's own for series needs."""

    task: str = "forecast"
    layout: RecordLayout = RecordLayout(  # noqa: RUF009
        (LayoutColumn("window", "float32", (4, 2)),), LayoutColumn("future", "float32", (3, 1))
    )


def _build(name, **settings):
    return custom.build(Custom(f"{OWN}:{name}", settings), SPEC, units=3, activation="softmax")


def _refusal(kind, name, **settings):
    with pytest.raises(kind) as caught:
        _build(name, **settings)
    return str(caught.value)


def test_the_function_builds_the_network_with_its_settings():
    networks = _build("flat", factor=0.5)
    assert networks.training is networks.inference
    assert networks.inference.output_shape == (None, 3)
    assert networks.inference.layers[1].scale == 0.5
    scores = networks.inference(np.ones((2, 2, 2, 1), np.uint8))
    assert scores.numpy().sum(axis=1) == pytest.approx([1, 1])


def test_training_may_differ_from_inference():
    networks = _build("two")
    assert networks.training is not networks.inference


def test_it_is_built_whatever_the_kind_of_data():
    model = Custom(f"{OWN}:flat")
    check_fits(model, SPEC)
    networks = build(model, Augment(), SPEC, units=1, activation="sigmoid")
    assert networks.inference.output_shape == (None, 1)


def test_a_network_of_texts_need_not_look_at_letters():
    spec = TextSpec(("ham", "spam"), ("a",), 3, letters=4)
    networks = custom.build(Custom(f"{OWN}:of_tokens"), spec, units=1, activation="sigmoid")
    assert networks.training is networks.inference
    inputs = {"tokens": np.ones((2, 3), np.int32), "letters": np.ones((2, 4), np.uint8)}
    assert networks.inference(inputs).shape == (2, 1)
    assert networks.inference.layers[-1].name == "scores"


def test_a_forecast_has_the_shape_of_its_target_and_needs_no_name():
    model = Custom(f"{OWN}:forecast")
    networks = custom.build(model, Forecast(), units=3, activation="linear")
    assert networks.inference.output_shape == (None, 3, 1)


@pytest.mark.parametrize("known", [(), ("k",)])
def test_a_forecaster_of_ones_own_sees_windows_without_gaps(known, tmp_path):
    level = (5.0,) * (1 + len(known))
    spec = SeriesSpec(
        targets=("a",),
        known=known,
        lookback=4,
        horizon=3,
        frequency="h",
        offset=level,
        spread=level,
        naive_error=(1.0,),
        fill=Fill("linear", 1, level),
    )
    model = Custom(f"{OWN}:sums")
    networks = custom.build(model, spec, units=3, activation="linear")
    assert networks.training is networks.inference
    window = np.float32([[[1], [np.nan], [3], [np.nan]]]).repeat(len(level), axis=2)
    ahead = np.float32([[[np.nan], [9], [np.nan]]])
    given = {"window": window, "known": ahead} if known else window
    keras_file.save(networks.inference, Path(tmp_path / "model.keras"), [model.module])
    expected = (1 + 2 + 3 + 3) * len(level) + (6 + 9 + 9) * len(known)
    for network in (networks.inference, keras_file.load(Path(tmp_path / "model.keras"))):
        assert np.asarray(network(given)).ravel().tolist() == [expected] * 3


def test_no_function_is_refused():
    with pytest.raises(OptionError, match=r"function: expected package\.module:function"):
        custom.build(Custom(), SPEC, units=3, activation="softmax")


def test_settings_that_it_does_not_take_are_named():
    assert _refusal(OptionError, "flat", facter=2) == (
        f"trainer.model.settings: expected {OWN}:flat to take (spec, *, units, activation, "
        "facter). Received: (spec, *, units, activation, factor=1.0): got an unexpected keyword "
        "argument 'facter'. Correct the settings or the function."
    )
    assert "got an unexpected keyword argument 'units'" in _refusal(OptionError, "no_units")


def test_what_is_no_model_is_refused():
    assert _refusal(ModelError, "nothing") == (
        f"{OWN}:nothing: expected a functional keras.Model, or Networks of two. Received: a "
        "NoneType. Return keras.Model(inputs, outputs)."
    )
    assert "Received: a Sub. Return keras.Model(inputs, outputs)." in _refusal(
        ModelError, "subclassed"
    )


def test_other_inputs_are_named_beside_those_of_the_spec():
    assert _refusal(ModelError, "other_input") == (
        f"{OWN}:other_input: expected the inputs image uint8 [batch, 2, 2, 1]. Received: pixels "
        "float32 [batch, 3]. Make them from the spec: keras.Input((2, 2, 1), dtype='uint8', "
        "name='image') for each of spec.layout.inputs."
    )


def test_another_output_is_named_beside_that_of_the_task():
    assert _refusal(ModelError, "other_output") == (
        f"{OWN}:other_output: expected one output, float32 [batch, 3]. Received: float32 "
        "[batch, 4]. End it with a layer of that shape and dtype='float32'."
    )


@pytest.mark.parametrize(
    ("name", "received"),
    [("other_activation", "`scores` with relu"), ("unnamed", "`last` with softmax")],
)
def test_another_last_layer_of_a_classifier_is_refused(name, received):
    assert _refusal(ModelError, name) == (
        f"{OWN}:{name}: expected a last layer called `scores` with the activation softmax. "
        f"Received: {received}. End it with keras.layers.Dense(units, activation=activation, "
        "dtype='float32', name='scores')."
    )


def test_settings_are_read_as_what_they_say():
    adapter = TypeAdapter(AnyModel)
    model = Custom("a:b", {"width": 64, "rate": 0.5, "deep": True, "name": "x", "sizes": [1, 2]})
    assert adapter.validate_python(adapter.dump_python(model, mode="json")) == model
    current = model
    for key, text in [("width", "32"), ("name", "y"), ("sizes", "[3, 4]")]:
        place = f"trainer.model.settings.{key}"
        current = options.assign(AnyModel, current, ["settings", key], text, place)
    assert current.settings == {
        "width": 32, "rate": 0.5, "deep": True, "name": "y", "sizes": [3, 4],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["9" * 9_999, "[" * 9_999])
def test_a_setting_of_thousands_of_digits_or_brackets_stays_text(text):
    assert TypeAdapter(Setting).validate_python(text) == text
